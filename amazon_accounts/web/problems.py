"""Errors of the API as problem details (RFC 9457): the types of problems there are, and how one is written.

The addresses of the types, the page of the console that explains them, and the OpenAPI document are made from this list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from amazon_accounts.web.links import build_link

MEDIA_TYPE = "application/problem+json"
# The page that explains all types. Each type has an address below it.
PATH = "/errors/"

Errors = Sequence[dict[str, str]]


@dataclass(frozen=True)
class ProblemType:
    """One kind of error. Clients compare `code`, the last part of the address, so it never changes."""

    code: str
    status: HTTPStatus
    title: str
    what_happened: str
    what_to_do: str

    @property
    def path(self) -> str:
        return f"{PATH}{self.code}/"


MALFORMED_REQUEST = ProblemType(
    "malformed-request",
    HTTPStatus.BAD_REQUEST,
    "The request cannot be read",
    "The body is not strict JSON or not complete, the address is not UTF-8 text, there are too many parameters, or the host name is "
    "not one of this console. Nothing was done.",
    "Send UTF-8 and valid JSON without repeated names, and use the address of this console as its links show it.",
)
INVALID_REQUEST = ProblemType(
    "invalid-request",
    HTTPStatus.BAD_REQUEST,
    "The request is not valid",
    "The request could be read, but a field or parameter breaks its rule. Nothing was done.",
    "Correct each field that the errors name, and send the request again.",
)
NOT_SIGNED_IN = ProblemType(
    "not-signed-in",
    HTTPStatus.UNAUTHORIZED,
    "Nobody is signed in",
    "The request has no API key and no session, or a key in a form that is not known.",
    "Send the header “Authorization: Token KEY” with a key from the page “API keys” of the console.",
)
KEY_REFUSED = ProblemType(
    "key-refused",
    HTTPStatus.UNAUTHORIZED,
    "The API key is refused",
    "The key is wrong, has expired or was ended, or its owner may not sign in any more.",
    "Make a new key on the page “API keys” of the console. If that does not help, ask an administrator about its owner.",
)
NOT_PERMITTED = ProblemType(
    "not-permitted",
    HTTPStatus.FORBIDDEN,
    "A permission is missing",
    "The person who asks may not do this. The detail names the permission. Nothing was done.",
    "Ask an administrator of this console for the permission, or for a group that has it.",
)
CSRF_TOKEN_REFUSED = ProblemType(
    "csrf-token-refused",
    HTTPStatus.FORBIDDEN,
    "The CSRF token is missing or wrong",
    "A session of a browser asked for a change without the token that proves that a page of this console asked. "
    "Nothing was done.",
    "Programs send an API key in place of a session. Pages send the CSRF token in the header X-CSRFToken.",
)
SECOND_FACTOR_REQUIRED = ProblemType(
    "second-factor-required",
    HTTPStatus.FORBIDDEN,
    "A second factor is required",
    "This console wants a second factor of this person, who has none yet. Nothing was done.",
    "Sign in with a browser and set up an authenticator app or a passkey. Or use an API key.",
)
NOT_FOUND = ProblemType(
    "not-found",
    HTTPStatus.NOT_FOUND,
    "There is no such object or address",
    "The address does not exist, or the object that the request names does not exist or belongs to somebody else.",
    "Check the address and the ids. If the object exists, ask an administrator whether the owner of the key may see it.",
)
METHOD_NOT_ALLOWED = ProblemType(
    "method-not-allowed",
    HTTPStatus.METHOD_NOT_ALLOWED,
    "The address does not take this method",
    "The address exists, but not for this HTTP method. Nothing was done.",
    "Use one of the methods in the header Allow of the answer.",
)
NOT_ACCEPTABLE = ProblemType(
    "not-acceptable",
    HTTPStatus.NOT_ACCEPTABLE,
    "No media type that the client accepts",
    "The header Accept excludes every media type of this address. Nothing was done.",
    "Accept application/json, or send no header Accept.",
)
BODY_TOO_LATE = ProblemType(
    "body-too-late",
    HTTPStatus.REQUEST_TIMEOUT,
    "The body did not arrive in time",
    "The body of the request was not complete before the deadline. Nothing was done.",
    "Send the request again, in one piece. If it happens often, look at the network and at the proxy.",
)
CONNECTION_UNUSABLE = ProblemType(
    "connection-unusable",
    HTTPStatus.CONFLICT,
    "The connection cannot be used",
    "The login is disconnected, must be reconnected or belongs to another application, or its stored token cannot be "
    "read. The detail says which. Nothing was done.",
    "Mend the connection on its page: most often that is to reconnect the login. To repeat the request before that does "
    "not help.",
)
MOVE_REFUSED = ProblemType(
    "move-refused",
    HTTPStatus.CONFLICT,
    "The connection cannot be moved to this team",
    "The team has the connection or its Amazon login already, or an operation is under way with accounts that both teams "
    "have. The detail says which. Nothing was done.",
    "Wait for the end of the operation, or disconnect one of the two connections of the login first.",
)
OPERATION_STATE = ProblemType(
    "operation-state",
    HTTPStatus.CONFLICT,
    "The state of the operation does not allow it",
    "An operation that has ended cannot be cancelled, and one without failures cannot be retried. Nothing was done.",
    "Read the operation again: its state and its counts say what can still be done.",
)
WEBHOOK_STATE = ProblemType(
    "webhook-state",
    HTTPStatus.CONFLICT,
    "The state of the webhook does not allow it",
    "Nothing is sent to a webhook that is switched off, and an event that still waits is not sent again. Nothing was done.",
    "Switch the webhook on, or wait for the end of the tries.",
)
VERSION_CONFLICT = ProblemType(
    "version-conflict",
    HTTPStatus.PRECONDITION_FAILED,
    "The account has changed",
    "The account is not the version that the header If-Match names: somebody else changed it. Nothing was done.",
    "Read the account again, and send the change with the new ETag.",
)
CONTENT_TOO_LARGE = ProblemType(
    "content-too-large",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body is too large",
    "The body is larger than 1 MB (8 MB if it takes many ids), or has more than 200,000 values. Nothing was done.",
    "Send less at once. A filter chooses many accounts without their ids.",
)
ADDRESS_TOO_LONG = ProblemType(
    "address-too-long",
    HTTPStatus.REQUEST_URI_TOO_LONG,
    "The address is too long",
    "The path and the query string are longer than 16 KiB. Nothing was done.",
    "Ask with fewer or shorter parameters, in several requests if need be.",
)
UNSUPPORTED_MEDIA_TYPE = ProblemType(
    "unsupported-media-type",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body is not JSON",
    "The header Content-Type of the body is not application/json. Nothing was done.",
    "Send JSON, with “Content-Type: application/json”.",
)
TOO_MANY_REQUESTS = ProblemType(
    "too-many-requests",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many requests",
    "The person who asks has made more requests than the limit allows. Nothing was done.",
    "Wait for the seconds in the header Retry-After, then send the request again.",
)
HEADERS_TOO_LARGE = ProblemType(
    "headers-too-large",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "The headers are too large",
    "The headers together are larger than 32 KiB. Nothing was done.",
    "Send fewer headers, and no cookies of other programs.",
)
INTERNAL_ERROR = ProblemType(
    "internal-error",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "Something failed on our side",
    "A fault of this console. What was asked for may or may not have been done.",
    "Read the object again before you repeat the request. If it happens again, tell an administrator the reference in "
    "the detail: it is also in the log.",
)
DATABASE_UNAVAILABLE = ProblemType(
    "database-unavailable",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The database cannot do its work",
    "The database does not answer, or its disk is full, or it takes no changes. The detail says which.",
    "Wait for the seconds in the header Retry-After, then send the request again.",
)
TOKEN_NOT_READY = ProblemType(
    "token-not-ready",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "No valid access token yet",
    "The access token has to be refreshed first, and Amazon did not give a new one in time.",
    "Wait for the seconds in the header Retry-After, then send the request again.",
)
BUSY = ProblemType(
    "busy",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The console is busy",
    "So many requests wait for an answer that this one was not started. Nothing was done.",
    "Wait for the seconds in the header Retry-After, then send the request again.",
)

PROBLEM_TYPES = (
    MALFORMED_REQUEST,
    INVALID_REQUEST,
    NOT_SIGNED_IN,
    KEY_REFUSED,
    NOT_PERMITTED,
    CSRF_TOKEN_REFUSED,
    SECOND_FACTOR_REQUIRED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    NOT_ACCEPTABLE,
    BODY_TOO_LATE,
    CONNECTION_UNUSABLE,
    MOVE_REFUSED,
    OPERATION_STATE,
    WEBHOOK_STATE,
    VERSION_CONFLICT,
    CONTENT_TOO_LARGE,
    ADDRESS_TOO_LONG,
    UNSUPPORTED_MEDIA_TYPE,
    TOO_MANY_REQUESTS,
    HEADERS_TOO_LARGE,
    INTERNAL_ERROR,
    DATABASE_UNAVAILABLE,
    TOKEN_NOT_READY,
    BUSY,
)


def build_problem(problem_type: ProblemType, detail: str, errors: Errors = ()) -> dict[str, Any]:
    return {
        "type": build_link(problem_type.path),
        "title": problem_type.title,
        "status": int(problem_type.status),
        "detail": detail,
        "errors": list(errors),
    }
