"""Login with Amazon in the browser: the consent page, and the way back to the application."""

from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.calls import Call, read_form
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.login_with_amazon.pkce import is_challenge
from amazon_accounts.sandbox.world.entities import KNOWN_SCOPES, Client, Login, World

PATH = "/ap/oa"
CONSENT_PATH = "/ap/oa/consent"
CALLBACK_PATH = "/connect/amazon/callback/"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: What the form carries along from the authorize request.
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
SCOPE_WORDS = {
    "advertising::campaign_management": "See and manage your Amazon Ads accounts",
    "advertising::audiences": "Upload audiences for Amazon Ads",
    "advertising::test:create_account": "Create Amazon Ads test accounts",
    "cpc_advertising:campaign_management": "See and manage your Amazon Ads accounts (old name)",
    "profile": "See your name, e-mail address and user id",
    "profile:user_id": "See your user id",
    "postal_code": "See your postal code",
}


@dataclass(frozen=True)
class Request:
    """A good authorize request."""

    client: Client
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    challenge: str
    challenge_method: str
    fields: dict[str, str]


def respond(call: Call, world: World, grants: Grants, choices: Choices) -> Answer:
    if call.path == CONSENT_PATH:
        return _decide(call, world, grants, choices)
    if call.method != "GET":
        return answers.empty(405, {"Allow": "GET"})
    request = _read(call.query, world, choices)
    if isinstance(request, Answer):
        return request
    if choices.auto_consent:
        return _allow(request, world.logins.get(choices.auto_consent), grants, choices)
    return _consent_page(call, request, world)


def _decide(call: Call, world: World, grants: Grants, choices: Choices) -> Answer:
    """The person pressed a button."""
    if call.method != "POST":
        return answers.empty(405, {"Allow": "POST"})
    form = read_form(call.headers.get("content-type", ""), call.body)
    if form is None:
        return _sorry("lwa-invalid-request", "The form could not be read.")
    request = _read(form, world, choices)
    if isinstance(request, Answer):
        return request
    if form.get("decision") != "allow":
        return _back(request, {"error": "access_denied", "error_description": "Access not permitted."})
    login = world.logins.get(form.get("login", ""))
    if login is None:
        return _consent_page(call, request, world, complaint="Choose a login first.")
    return _allow(request, login, grants, choices)


def error_redirect(call: Call, world: World, choices: Choices, error: str, description: str) -> Answer | None:
    """Send an otherwise good request back with this error; None if it is not good."""
    fields = call.query if call.path == PATH else read_form(call.headers.get("content-type", ""), call.body)
    request = _read(fields or {}, world, choices)
    if isinstance(request, Answer):
        return None
    return _back(request, {"error": error, "error_description": description})


def _read(fields: dict[str, str], world: World, choices: Choices) -> Request | Answer:
    """The request, or what Amazon answers to a bad one."""
    client = world.clients.get(fields.get("client_id", ""))
    if client is None:
        return _sorry("lwa-invalid-parameter-unknown-client", "An unknown client was provided")
    redirect_uri = fields.get("redirect_uri", "")
    if not _is_allowed(redirect_uri, client, choices):
        return _sorry("lwa-invalid-parameter-bad-redirect-uri-vendor", REDIRECT_REFUSED)
    if fields.get("response_type") == "token":
        return _sorry("lwa-invalid-parameter-unauthorized-implicit-grant-request", NO_IMPLICIT_GRANT)
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
    return _refusal(request, choices) or request


def _refusal(request: Request, choices: Choices) -> Answer | None:
    response_type = request.fields.get("response_type")
    if not response_type:
        return _back(request, {"error": "invalid_request", "error_description": "Missing response_type."})
    if response_type != "code":
        return _back(request, {"error": "unsupported_response_type"})
    if request.client.blocked:
        return _back(request, {"error": "unauthorized_client"})
    if not request.scopes or not set(request.scopes) <= KNOWN_SCOPES & set(request.client.scopes):
        if choices.bad_scope == "redirect":
            return _back(request, {"error": "invalid_scope", "error_description": UNKNOWN_SCOPE})
        return _sorry("lwa-invalid-parameter-bad-scope", UNKNOWN_SCOPE)
    has_pkce = "code_challenge" in request.fields or "code_challenge_method" in request.fields
    if has_pkce and not is_challenge(request.challenge, request.challenge_method):
        return _back(request, {"error": "invalid_request", "error_description": "Bad code challenge."})
    return None


def _is_allowed(redirect_uri: str, client: Client, choices: Choices) -> bool:
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


def _allow(request: Request, login: Login | None, grants: Grants, choices: Choices) -> Answer:
    if login is None:
        return _sorry("sandbox-unknown-login", "The switch auto_consent names no login of this world.")
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
    return _back(request, parameters)


def _back(request: Request, parameters: dict[str, str]) -> Answer:
    """Redirect to the application."""
    if "state" in request.fields:
        parameters = parameters | {"state": request.state}
    joint = "&" if urlsplit(request.redirect_uri).query else "?"
    location = request.redirect_uri + joint + urlencode(parameters)
    return Answer(
        302, body=b"", content_type=answers.HTML, headers={"Location": location, "Cache-Control": "no-store"}
    )


STYLE = """
:root { color-scheme: light dark; --ink: #16191f; --paper: #fff; --back: #f2f3f3; --line: #c6c6cd; --accent: #0b5cad;
  --note-back: #fff3d6; --note-ink: #5c3d00; --dim: #545b64; }
@media (prefers-color-scheme: dark) { :root { --ink: #e9ebed; --paper: #1b2530; --back: #0f141a; --line: #48525e;
  --accent: #7cc0ff; --note-back: #3a2d0c; --note-ink: #ffe1a0; --dim: #aab7b8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 2rem auto; padding: 1.5rem; background: var(--paper); border: 1px solid var(--line);
  border-radius: 12px; }
h1 { font-size: 1.35rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
.note { background: var(--note-back); color: var(--note-ink); padding: .6rem .8rem; border-radius: 8px; margin: 0 0 1.2rem; }
.complaint { color: #b0120a; font-weight: 600; }
@media (prefers-color-scheme: dark) { .complaint { color: #ff9d96; } }
fieldset { border: 0; padding: 0; margin: 1.2rem 0; }
legend { font-weight: 600; padding: 0; margin-bottom: .4rem; }
label { display: flex; gap: .75rem; align-items: flex-start; padding: .6rem .75rem; border: 1px solid var(--line);
  border-radius: 8px; margin-bottom: .5rem; cursor: pointer; }
label:has(input:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
label:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }
label span { overflow-wrap: anywhere; min-width: 0; }
label small { display: block; color: var(--dim); }
input[type=radio] { margin-top: .3rem; accent-color: var(--accent); }
.buttons { display: flex; gap: .75rem; flex-wrap: wrap; }
button { font: inherit; padding: .55rem 1.4rem; border-radius: 8px; border: 1px solid var(--accent); cursor: pointer;
  background: var(--paper); color: var(--accent); }
button[value=allow] { background: var(--accent); color: var(--paper); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
code { overflow-wrap: anywhere; }
"""
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def _document(status: int, title: str, body: str) -> Answer:
    text = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
    return Answer(
        status,
        body=text.encode("utf-8", "replace"),
        content_type=answers.HTML,
        headers=dict(SECURITY_HEADERS),
    )


def _sorry(code: str, text: str) -> Answer:
    """Errors that never reach the application: a page at Amazon."""
    return _document(
        400,
        "We're sorry!",
        "<h1>We're sorry!</h1><p>An error occurred when we tried to process your request.</p>"
        f"<p>400 Bad Request: {escape(text)}</p><p><code>{escape(code)}</code></p>"
        '<p class="note">This is the made-up Amazon of your local installation.</p>',
    )


def _consent_page(call: Call, request: Request, world: World, complaint: str = "") -> Answer:
    # As the page was asked for: /ap/oa, /na/ap/oa, ...
    action = urlsplit(call.url).path
    action = action if action.endswith(CONSENT_PATH) else action.rstrip("/") + CONSENT_PATH.removeprefix(PATH)
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in request.fields.items()
    )
    scopes = "".join(f"<li>{escape(SCOPE_WORDS.get(scope, scope))}</li>" for scope in request.scopes)
    logins = "".join(
        _choice(login, is_first=number == 0) for number, login in enumerate(world.logins.values())
    )
    if not logins:
        logins = "<p>This world has no logins.</p>"
    warning = f'<p class="complaint" role="alert">{escape(complaint)}</p>' if complaint else ""
    name = escape(request.client.name)
    return _document(
        200,
        "Sign in with the made-up Amazon",
        '<p class="note"><strong>This is a made-up Amazon</strong> for trying things out. Nothing here is real, '
        "and no password is needed.</p>"
        f"<h1>{name} asks for access to your Amazon account</h1>{warning}"
        f"<p>It would like to</p><ul>{scopes}</ul>"
        f'<form method="post" action="{escape(action)}">{hidden}'
        f"<fieldset><legend>Who are you?</legend>{logins}</fieldset>"
        '<div class="buttons"><button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="cancel">Cancel</button></div></form>',
    )


def _choice(login: Login, *, is_first: bool) -> str:
    count = len(login.ads_accounts)
    counted = "1 ads account" if count == 1 else f"{count} ads accounts"
    profiles = "1 profile" if len(login.profiles) == 1 else f"{len(login.profiles)} profiles"
    checked = " checked" if is_first else ""
    about = f"{login.description} · " if login.description else ""
    return (
        f'<label><input type="radio" name="login" value="{escape(login.login_id)}"{checked}>'
        f"<span><strong><bdi>{escape(login.name)}</bdi></strong> <bdi>{escape(login.email)}</bdi>"
        f"<small>{escape(about)}{counted}, {profiles}</small></span></label>"
    )


def consent_form(url: str, login_id: str, decision: str = "allow") -> dict[str, Any]:
    """The form that a person would send from the page at this authorize URL, for tests without a browser."""
    fields = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    return {name: fields[name] for name in CARRIED if name in fields} | {
        "login": login_id,
        "decision": decision,
    }
