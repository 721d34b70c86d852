"""The words of the audit trail for people."""

from typing import Final

from dashboard.status import Status
from tokens.connect.link_consent import CLIENT_LINK
from tokens.models import AuditEntry
from tokens.people.audit import Action

DEEDS: Final[dict[str, str]] = {
    Action.CONNECTION_CONNECT: "Connected a login",
    Action.CONNECTION_RECONNECT: "Reconnected a login",
    Action.CONNECTION_UPDATE: "Changed a connection",
    Action.CONNECTION_DISCONNECT: "Disconnected a login",
    Action.CONNECTION_FORGET: "Forgot a login",
    Action.CONNECTION_MERGE: "Made one of two connections",
    Action.CONNECTION_MOVE: "Moved to another team",
    Action.CONNECTION_REFRESH: "Asked for a token refresh",
    Action.CONNECTION_SYNC: "Asked for a sync",
    Action.ACCESS_TOKEN_HAND_OUT: "Asked for an access token",
    Action.ACCOUNT_UPDATE: "Changed an account",
    Action.ACCOUNTS_EXPORT: "Exported accounts",
    Action.BATCH_START: "Started an operation",
    Action.BATCH_CANCEL: "Cancelled an operation",
    Action.BATCH_RETRY: "Retried an operation",
    Action.BATCH_EXPORT: "Exported an operation",
    Action.SESSION_SIGN_IN: "Signed in",
    Action.SESSION_SIGN_OUT: "Signed out",
    Action.SESSION_END: "Ended sessions",
    Action.SECOND_FACTOR_ADD: "Added a second factor",
    Action.SECOND_FACTOR_RENAME: "Renamed a passkey",
    Action.SECOND_FACTOR_RENEW: "Renewed recovery codes",
    Action.SECOND_FACTOR_REMOVE: "Removed a second factor",
    Action.SINGLE_SIGN_ON_LINK: "Linked single sign-on",
    Action.SINGLE_SIGN_ON_UNLINK: "Unlinked single sign-on",
    Action.PASSWORD_CHANGE: "Changed a password",
    Action.PASSWORD_RESET: "Set a forgotten password anew",
    Action.PASSWORD_RESET_MAIL: "Mailed a link to set a password",
    Action.API_KEY_MAKE: "Made an API key",
    Action.API_KEY_END: "Ended API keys",
    Action.PERSON_MAKE: "Made a person",
    Action.PERSON_UPDATE: "Changed a person",
    Action.PERSON_DELETE: "Deleted a person",
    Action.PERSON_ERASE: "Erased a person",
    Action.ALERT_ADDRESS_ADD: "Added an address for alerts",
    Action.ALERT_ADDRESS_REMOVE: "Removed an address for alerts",
    Action.ALERTS_CHOOSE: "Chose alerts",
    Action.TEAM_MAKE: "Made a team",
    Action.TEAM_RENAME: "Renamed a team",
    Action.TEAM_REMINDERS: "Switched the reminders of a team",
    Action.VIEW_SAVE: "Saved a view",
    Action.VIEW_REMOVE: "Removed a view",
    Action.TEAM_LOGO_SET: "Set the logo of a team",
    Action.TEAM_LOGO_REMOVE: "Removed the logo of a team",
    Action.MEMBER_ADD: "Added a member",
    Action.MEMBER_UPDATE: "Changed a role",
    Action.MEMBER_REMOVE: "Removed a member",
    Action.INVITATION_MAKE: "Invited somebody",
    Action.INVITATION_SEND_AGAIN: "Sent an invitation again",
    Action.INVITATION_REVOKE: "Revoked an invitation",
    Action.INVITATION_ACCEPT: "Accepted an invitation",
    Action.CONNECT_LINK_MAKE: "Made a client link",
    Action.CONNECT_LINK_REVOKE: "Revoked a client link",
    Action.WEBHOOK_MAKE: "Made a webhook",
    Action.WEBHOOK_UPDATE: "Changed a webhook",
    Action.WEBHOOK_DELETE: "Deleted a webhook",
    Action.WEBHOOK_TEST: "Tested a webhook",
    Action.WEBHOOK_ROTATE_SECRET: "Gave a webhook a new secret",
    Action.WEBHOOK_REDELIVER: "Sent an event again",
    Action.ENCRYPTION_KEYS_ROTATE: "Rotated the encryption keys",
    Action.AUDIT_EXPORT: "Exported the audit trail",
    Action.NOTE_ADD: "Wrote a note",
    Action.NOTE_DELETE: "Deleted a note",
    Action.ACTIVITY_EXPORT: "Exported the activity",
}
OUTCOMES: Final[dict[str, Status]] = {
    AuditEntry.Outcome.DONE: Status("good", "Done"),
    AuditEntry.Outcome.REFUSED: Status("bad", "Refused"),
    AuditEntry.Outcome.FAILED: Status("attention", "Failed"),
}


def name_deed(entry: AuditEntry) -> str:
    """Return the words for what was done. An action that has no words here is written as it is."""
    if entry.action == Action.SESSION_SIGN_IN and entry.outcome != AuditEntry.Outcome.DONE:
        return "Tried to sign in as" if entry.object_name else "Tried to sign in"
    kind, _, verb = entry.action.partition(".")
    return DEEDS.get(entry.action) or f"{verb} {kind}".replace("_", " ").capitalize()


def name_actor(entry: AuditEntry) -> str:
    match entry.actor_kind:
        case AuditEntry.ActorKind.KEY:
            key = entry.key_name or f"{entry.key_id}…"
            return f"{entry.actor_name} by the key {key}" if entry.actor_name else f"The key {key}"
        case AuditEntry.ActorKind.SYSTEM:
            return "The console"
        case AuditEntry.ActorKind.NOBODY:
            is_client = (entry.after or {}).get("given_by") == CLIENT_LINK
            return "A client with a link" if is_client else "Nobody signed in"
        case _:
            return entry.actor_name
