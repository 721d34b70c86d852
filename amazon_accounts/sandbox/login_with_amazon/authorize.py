"""Login with Amazon in the browser: reads the request, takes the decision, sends the browser back."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call, read_form
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.login_with_amazon.consent_page import write_consent_page, write_error_page
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.login_with_amazon.pkce import is_challenge
from amazon_accounts.sandbox.world.entities import KNOWN_SCOPES, Client, Login, World

PATH = "/ap/oa"
CONSENT_PATH = "/ap/oa/consent"
CALLBACK_PATH = "/connect/amazon/callback/"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: The fields of the request that the consent form sends again.
CARRIED = (
    "client_id",
    "scope",
    "response_type",
    "redirect_uri",
    "state",
    "code_challenge",
    "code_challenge_method",
)
REDIRECT_REFUSED = "The redirect URI you provided has not been whitelisted for your application"
UNKNOWN_SCOPE = "An unknown scope was requested"
NO_IMPLICIT_GRANT = "Implicit Grant (response_type=token) is no longer supported"


@dataclass(frozen=True)
class Request:
    """An authorize request without an error."""

    client: Client
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    challenge: str
    challenge_method: str
    fields: dict[str, str]


def respond(call: Call, world: World, grants: Grants, choices: Choices) -> Answer:
    if call.path == CONSENT_PATH:
        return _read_decision(call, world, grants, choices)
    if call.method != "GET":
        return answers.empty(405, {"Allow": "GET"})
    request = _read_request(call.query, world, choices)
    if isinstance(request, Answer):
        return request
    if choices.auto_consent:
        return _grant(request, world.logins.get(choices.auto_consent), grants, choices)
    return _ask(call, request, world)


def _read_decision(call: Call, world: World, grants: Grants, choices: Choices) -> Answer:
    if call.method != "POST":
        return answers.empty(405, {"Allow": "POST"})
    form = read_form(call.headers.get("content-type", ""), call.body)
    if form is None:
        return write_error_page("lwa-invalid-request", "The form could not be read.")
    request = _read_request(form, world, choices)
    if isinstance(request, Answer):
        return request
    if form.get("decision") != "allow":
        return _send_back(request, {"error": "access_denied", "error_description": "Access not permitted."})
    login = world.logins.get(form.get("login", ""))
    if login is None:
        return _ask(call, request, world, error="Choose a login first.")
    return _grant(request, login, grants, choices)


def error_redirect(call: Call, world: World, choices: Choices, error: str, description: str) -> Answer | None:
    """Redirect to the application with this error, or None if the request has an error of its own."""
    fields = call.query if call.path == PATH else read_form(call.headers.get("content-type", ""), call.body)
    request = _read_request(fields or {}, world, choices)
    if isinstance(request, Answer):
        return None
    return _send_back(request, {"error": error, "error_description": description})


def _read_request(fields: dict[str, str], world: World, choices: Choices) -> Request | Answer:
    """The request, or Amazon's answer to a bad request."""
    client = world.clients.get(fields.get("client_id", ""))
    if client is None:
        return write_error_page("lwa-invalid-parameter-unknown-client", "An unknown client was provided")
    redirect_uri = fields.get("redirect_uri", "")
    if not _is_return_url(redirect_uri, client, choices):
        return write_error_page("lwa-invalid-parameter-bad-redirect-uri-vendor", REDIRECT_REFUSED)
    if fields.get("response_type") == "token":
        return write_error_page(
            "lwa-invalid-parameter-unauthorized-implicit-grant-request", NO_IMPLICIT_GRANT
        )
    scopes = tuple(fields.get("scope", "").split())
    challenge = fields.get("code_challenge", "")
    request = Request(
        client=client,
        scopes=scopes,
        redirect_uri=redirect_uri,
        state=fields.get("state", ""),
        challenge=challenge,
        challenge_method=fields.get("code_challenge_method") or "plain",
        fields={name: fields[name] for name in CARRIED if name in fields},
    )
    return _refuse(request, choices) or request


def _refuse(request: Request, choices: Choices) -> Answer | None:
    response_type = request.fields.get("response_type")
    if not response_type:
        return _send_back(
            request, {"error": "invalid_request", "error_description": "Missing response_type."}
        )
    if response_type != "code":
        return _send_back(request, {"error": "unsupported_response_type"})
    if request.client.blocked:
        return _send_back(request, {"error": "unauthorized_client"})
    if not request.scopes or not set(request.scopes) <= KNOWN_SCOPES & set(request.client.scopes):
        if choices.bad_scope == "redirect":
            return _send_back(request, {"error": "invalid_scope", "error_description": UNKNOWN_SCOPE})
        return write_error_page("lwa-invalid-parameter-bad-scope", UNKNOWN_SCOPE)
    has_pkce = "code_challenge" in request.fields or "code_challenge_method" in request.fields
    if has_pkce and not is_challenge(request.challenge, request.challenge_method):
        return _send_back(request, {"error": "invalid_request", "error_description": "Bad code challenge."})
    return None


def _is_return_url(redirect_uri: str, client: Client, choices: Choices) -> bool:
    if redirect_uri and redirect_uri in client.return_urls:
        return True
    if not choices.loopback_return_urls:
        return False
    try:
        parts = urlsplit(redirect_uri)
        host = parts.hostname
    except ValueError:
        return False
    return (
        parts.scheme == "http"
        and host in LOOPBACK
        and parts.path.endswith(CALLBACK_PATH)
        and not parts.fragment
    )


def _grant(request: Request, login: Login | None, grants: Grants, choices: Choices) -> Answer:
    if login is None:
        return write_error_page(
            "sandbox-unknown-login", "The switch auto_consent names no login of this world."
        )
    withheld = choices.withheld_scopes.split()
    scopes = tuple(scope for scope in request.scopes if scope not in withheld)
    grant = grants.consent(login.login_id, request.client.client_id, scopes)
    code = grants.new_code(
        grant,
        redirect_uri=request.redirect_uri,
        challenge=request.challenge,
        challenge_method=request.challenge_method,
    )
    parameters = {"code": code}
    if choices.callback_scope == "present":
        parameters["scope"] = " ".join(scopes)
    return _send_back(request, parameters)


def _send_back(request: Request, parameters: dict[str, str]) -> Answer:
    if "state" in request.fields:
        parameters = parameters | {"state": request.state}
    joint = "&" if urlsplit(request.redirect_uri).query else "?"
    location = request.redirect_uri + joint + urlencode(parameters)
    return Answer(
        302, body=b"", content_type=answers.HTML, headers={"Location": location, "Cache-Control": "no-store"}
    )


def _ask(call: Call, request: Request, world: World, error: str = "") -> Answer:
    # The form goes to the address under which the page was opened: /ap/oa, /na/ap/oa, ...
    action = urlsplit(call.url).path
    action = action if action.endswith(CONSENT_PATH) else action.rstrip("/") + CONSENT_PATH.removeprefix(PATH)
    logins = list(world.logins.values())
    return write_consent_page(action, request.client, request.scopes, request.fields, logins, error)


def consent_form(url: str, login_id: str, decision: str = "allow") -> dict[str, Any]:
    """The form that a person sends from the page at this authorize URL, for tests without a browser."""
    fields = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return {name: fields[name] for name in CARRIED if name in fields} | {
        "login": login_id,
        "decision": decision,
    }
