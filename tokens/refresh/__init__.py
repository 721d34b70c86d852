"""Keeping access tokens valid: what is due, the lease, one refresh, its outcome, and handing tokens out."""

from tokens.refresh.access_tokens import ConnectionTokenSource
from tokens.refresh.due import refresh_due
from tokens.refresh.hand_out import hand_out_access_token, hand_out_access_tokens
from tokens.refresh.tasks import request_refresh

__all__ = [
    "ConnectionTokenSource",
    "hand_out_access_token",
    "hand_out_access_tokens",
    "refresh_due",
    "request_refresh",
]
