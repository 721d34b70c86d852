"""Connections, their tokens, and the history of each."""

from tokens.models.access_token_request import AccessTokenRequest
from tokens.models.alert import Alert, AlertQuerySet
from tokens.models.authorization import AuthorizationAttempt
from tokens.models.connection import (
    BROKEN,
    FAILING,
    Connection,
    ConnectionQuerySet,
    all_regions,
    late_before,
    where_late,
    where_live,
)
from tokens.models.heartbeat import Heartbeat
from tokens.models.refresh import TokenRefresh, TokenRefreshQuerySet
from tokens.models.sign_in import SignInPace

__all__ = [
    "BROKEN",
    "FAILING",
    "AccessTokenRequest",
    "Alert",
    "AlertQuerySet",
    "AuthorizationAttempt",
    "Connection",
    "ConnectionQuerySet",
    "Heartbeat",
    "SignInPace",
    "TokenRefresh",
    "TokenRefreshQuerySet",
    "all_regions",
    "late_before",
    "where_late",
    "where_live",
]
