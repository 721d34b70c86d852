"""What each role of a team allows. Nothing else in the code answers this question."""

from collections.abc import Mapping
from typing import Final

from django.db import models


class Role(models.TextChoices):
    """The role of a person in a team. Each role allows everything that the role before it allows."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


# The role of an API key that hands out access tokens and does nothing else. No person has it.
TOKENS: Final = "tokens"

VIEWER: Final = frozenset(
    {
        "accounts.view_account",
        "accounts.view_accountaccess",
        "accounts.view_accountchange",
        "accounts.view_accountmanager",
        "accounts.view_batchitem",
        "accounts.view_batchoperation",
        "accounts.view_connectionbatchitem",
        "accounts.view_note",
        "accounts.view_profile",
        "accounts.view_syncrun",
        "tokens.view_alert",
        "tokens.view_connection",
        "tokens.view_connectlink",
        "tokens.view_event",
        "tokens.view_membership",
        "tokens.view_team",
        "tokens.view_teamlogo",
        "tokens.view_tokenrefresh",
    }
)
OPERATOR: Final = VIEWER | {
    "accounts.disconnect_account",
    "accounts.sync_account",
    "accounts.update_account",
    "tokens.connect_amazon",
    "tokens.refresh_connection",
}
ADMINISTRATOR: Final = OPERATOR | {
    "tokens.change_teamlogo",
    "tokens.disconnect_connection",
    "tokens.manage_alert_addresses",
    "tokens.manage_keys",
    "tokens.manage_members",
    "tokens.manage_webhooks",
    "tokens.move_connection",
    "tokens.use_access_token",
    "tokens.view_alertaddress",
    "tokens.view_auditentry",
    "tokens.view_invitation",
    "tokens.view_webhook",
    "tokens.view_webhookdelivery",
}

PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    Role.VIEWER: VIEWER,
    Role.OPERATOR: OPERATOR,
    Role.ADMINISTRATOR: ADMINISTRATOR,
    TOKENS: frozenset({"tokens.use_access_token"}),
}


def includes(role: str, other: str) -> bool:
    """Return whether the role allows everything that the other role allows."""
    return PERMISSIONS[role] >= PERMISSIONS[other]
