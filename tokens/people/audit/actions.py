"""The words for what the audit trail records: the kind of object, and what was done to it."""

from enum import StrEnum


class Action(StrEnum):
    CONNECTION_CONNECT = "connection.connect"
    CONNECTION_RECONNECT = "connection.reconnect"
    CONNECTION_UPDATE = "connection.update"
    CONNECTION_DISCONNECT = "connection.disconnect"
    CONNECTION_FORGET = "connection.forget"
    CONNECTION_MERGE = "connection.merge"
    CONNECTION_MOVE = "connection.move"
    CONNECTION_REFRESH = "connection.refresh"
    CONNECTION_SYNC = "connection.sync"
    ACCESS_TOKEN_HAND_OUT = "access_token.hand_out"  # noqa: S105 - no secret
    ACCOUNT_UPDATE = "account.update"
    ACCOUNTS_EXPORT = "accounts.export"
    BATCH_START = "batch.start"
    BATCH_CANCEL = "batch.cancel"
    BATCH_RETRY = "batch.retry"
    BATCH_EXPORT = "batch.export"
    SESSION_SIGN_IN = "session.sign_in"
    SESSION_SIGN_OUT = "session.sign_out"
    SESSION_END = "session.end"
    SECOND_FACTOR_ADD = "second_factor.add"
    SECOND_FACTOR_RENEW = "second_factor.renew"
    SECOND_FACTOR_REMOVE = "second_factor.remove"
    SINGLE_SIGN_ON_LINK = "single_sign_on.link"
    SINGLE_SIGN_ON_UNLINK = "single_sign_on.unlink"
    PASSWORD_CHANGE = "password.change"  # noqa: S105 - no secret
    PASSWORD_RESET = "password.reset"  # noqa: S105 - no secret
    PASSWORD_RESET_MAIL = "password.mail_reset"  # noqa: S105 - no secret
    API_KEY_MAKE = "api_key.make"
    API_KEY_END = "api_key.end"
    PERSON_MAKE = "person.make"
    PERSON_UPDATE = "person.update"
    PERSON_DELETE = "person.delete"
    PERSON_ERASE = "person.erase"
    TEAM_MAKE = "team.make"
    TEAM_RENAME = "team.rename"
    MEMBER_ADD = "member.add"
    MEMBER_UPDATE = "member.update"
    MEMBER_REMOVE = "member.remove"
    ENCRYPTION_KEYS_ROTATE = "encryption_keys.rotate"
    AUDIT_EXPORT = "audit.export"
