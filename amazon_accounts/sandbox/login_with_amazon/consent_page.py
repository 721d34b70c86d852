"""The pages that a person sees at Login with Amazon: the question for consent, and errors."""

from html import escape

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer
from amazon_accounts.sandbox.world.entities import Client, Login

SCOPE_WORDS = {
    "advertising::campaign_management": "See and manage your Amazon Ads accounts",
    "advertising::audiences": "Upload audiences for Amazon Ads",
    "advertising::test:create_account": "Create Amazon Ads test accounts",
    "cpc_advertising:campaign_management": "See and manage your Amazon Ads accounts (old name)",
    "profile": "See your name, e-mail address and user id",
    "profile:user_id": "See your user id",
    "postal_code": "See your postal code",
}
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
.error { color: #b0120a; font-weight: 600; }
@media (prefers-color-scheme: dark) { .error { color: #ff9d96; } }
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


def _write_document(status: int, title: str, body: str) -> Answer:
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


def write_error_page(code: str, text: str) -> Answer:
    # Amazon shows these errors itself. The browser does not return to the application.
    return _write_document(
        400,
        "We're sorry!",
        "<h1>We're sorry!</h1><p>An error occurred when we tried to process your request.</p>"
        f"<p>400 Bad Request: {escape(text)}</p><p><code>{escape(code)}</code></p>"
        '<p class="note">This is the sandbox Amazon of your local installation.</p>',
    )


def write_consent_page(
    action: str,
    client: Client,
    scopes: tuple[str, ...],
    fields: dict[str, str],
    logins: list[Login],
    error: str = "",
) -> Answer:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    permissions = "".join(f"<li>{escape(SCOPE_WORDS.get(scope, scope))}</li>" for scope in scopes)
    choices = "".join(_write_choice(login, is_first=number == 0) for number, login in enumerate(logins))
    if not choices:
        choices = "<p>This world has no logins.</p>"
    warning = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    name = escape(client.name)
    return _write_document(
        200,
        "Sign in with the sandbox Amazon",
        '<p class="note"><strong>This is a sandbox Amazon</strong> for trying things out. Nothing here is real, '
        "and no password is needed.</p>"
        f"<h1>{name} asks for access to your Amazon account</h1>{warning}"
        f"<p>It would like to</p><ul>{permissions}</ul>"
        f'<form method="post" action="{escape(action)}">{hidden}'
        f"<fieldset><legend>Who are you?</legend>{choices}</fieldset>"
        '<div class="buttons"><button name="decision" value="allow">Allow</button>'
        '<button name="decision" value="cancel">Cancel</button></div></form>',
    )


def _write_choice(login: Login, *, is_first: bool) -> str:
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
