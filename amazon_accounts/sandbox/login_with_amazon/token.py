"""Login with Amazon between servers: the token endpoint, the user profile, token information."""

import hmac
import uuid
from typing import Any

from amazon_accounts.sandbox import answers
from amazon_accounts.sandbox.answers import Answer, lwa
from amazon_accounts.sandbox.calls import Call, basic_credentials
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.login_with_amazon.grants import Grant, Grants
from amazon_accounts.sandbox.login_with_amazon.pkce import is_proof
from amazon_accounts.sandbox.world.entities import Client, World

GRANT_TYPES = ("authorization_code", "refresh_token")
BAD_GRANT = "The request has an invalid grant parameter : "
REVOKED = "refresh_token. User may have revoked or didn't grant the permission."


class RefusedError(Exception):
    """The token endpoint refuses the request with `answer`."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def respond(call: Call, world: World, grants: Grants, clock: Clock, choices: Choices) -> Answer:
    if call.area == "token":
        answer = _token(call, world, grants, choices)
    elif call.method != "GET":
        answer = answers.empty(405, {"Allow": "GET"})
    elif call.area == "profile":
        answer = _user_profile(call, choices)
    else:
        answer = _token_information(call, clock)
    if answer.status >= 400 and choices.lwa_error_details and isinstance(answer.payload, dict):
        answer.payload |= {"error_index": uuid.uuid4().hex, "request_id": call.request_id}
    return answer


def _token(call: Call, world: World, grants: Grants, choices: Choices) -> Answer:
    if call.method != "POST":
        return answers.empty(405, {"Allow": "POST"})
    if call.form is None:
        return lwa(400, "invalid_request", "Malformed request")
    try:
        client, grant_type = _client_and_grant_type(call, call.form, world)
        if grant_type == "authorization_code":
            return _exchange_code(call.form, client, grants, choices)
        return _refresh(call, call.form, client, grants, choices)
    except RefusedError as refused:
        return refused.answer


def _client_and_grant_type(call: Call, form: dict[str, str], world: World) -> tuple[Client, str]:
    # In the order in which Amazon checks them.
    grant_type = _required(form, "grant_type")
    if grant_type not in GRANT_TYPES:
        text = "The authorization grant type is not supported by the authorization server"
        raise RefusedError(lwa(400, "unsupported_grant_type", text))
    basic_id, basic_secret = basic_credentials(call.headers)
    credentials = {
        "client_id": form.get("client_id") or basic_id,
        "client_secret": form.get("client_secret") or basic_secret,
    }
    client = world.clients.get(_required(credentials, "client_id"))
    secret = _required(credentials, "client_secret")
    if client is None or not hmac.compare_digest(client.secret.encode(), secret.encode()):
        raise RefusedError(lwa(401, "invalid_client", "Client authentication failed"))
    if client.blocked:
        raise RefusedError(lwa(400, "unauthorized_client", "Not authorized for requested operation"))
    return client, grant_type


def _required(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise RefusedError(
            lwa(400, "invalid_request", f"The request is missing a required parameter : {name}")
        )
    return value


def _invalid_grant(what: str) -> RefusedError:
    return RefusedError(lwa(400, "invalid_grant", BAD_GRANT + what))


def _exchange_code(form: dict[str, str], client: Client, grants: Grants, choices: Choices) -> Answer:
    value = _required(form, "code")
    redirect_uri = _required(form, "redirect_uri")
    code = grants.find_code(value)
    if code is None or code.grant.client_id != client.client_id:
        raise _invalid_grant("code")
    if code.redirect_uri != redirect_uri:
        raise _invalid_grant("redirect_uri")
    if not is_proof(form.get("code_verifier", ""), code.challenge, code.challenge_method):
        raise _invalid_grant("code_verifier")
    code.is_used = True
    return _granted(code.grant, grants.new_refresh_token(code.grant), grants, choices)


def _refresh(call: Call, form: dict[str, str], client: Client, grants: Grants, choices: Choices) -> Answer:
    value = _required(form, "refresh_token")
    token = call.token
    if token is None or call.credential != "valid" or token.grant.client_id != client.client_id:
        raise _invalid_grant("refresh_token")
    if grants.is_revoked(token.grant):
        raise _invalid_grant(REVOKED)
    answered: str | None = value
    if choices.refresh_rotation != "same":
        answered = grants.new_refresh_token(token.grant)
        if choices.refresh_rotation == "rotate_and_end":
            grants.end_token(value)
    if choices.refresh_answer == "without_refresh_token":
        answered = None
    return _granted(token.grant, answered, grants, choices)


def _granted(grant: Grant, refresh_token: str | None, grants: Grants, choices: Choices) -> Answer:
    seconds = choices.access_token_seconds
    payload: dict[str, Any] = {"access_token": grants.new_access_token(grant)}
    if refresh_token is not None:
        payload["refresh_token"] = refresh_token
    payload |= {
        "token_type": "bearer",
        "expires_in": str(seconds) if choices.expires_in == "string" else seconds,
    }
    return Answer(
        200,
        payload,
        content_type=answers.LWA_JSON,
        headers={"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"},
    )


def _user_profile(call: Call, choices: Choices) -> Answer:
    if call.credential == "none":
        return lwa(400, "invalid_request", "The request is missing a required parameter : access_token")
    if call.credential != "valid" or call.token is None or call.login is None:
        return lwa(400, "invalid_token", "The access token is not valid")
    scopes = call.token.grant.scopes
    login = call.login
    if "profile" in scopes and choices.user_profile == "old":
        old = {"CustomerId": login.user_id, "Name": login.name, "PrimaryEmail": login.email}
        return Answer(200, {"Profile": old}, content_type=answers.LWA_JSON)
    if "profile" in scopes:
        known = {"user_id": login.user_id, "email": login.email, "name": login.name}
        return Answer(200, known, content_type=answers.LWA_JSON)
    if "profile:user_id" in scopes:
        return Answer(200, {"user_id": login.user_id}, content_type=answers.LWA_JSON)
    return lwa(401, "insufficient_scope", "The access token does not have the profile scope")


def _token_information(call: Call, clock: Clock) -> Answer:
    if call.credential == "none":
        return lwa(400, "invalid_request", "The request is missing a required parameter : access_token")
    if call.credential != "valid" or call.token is None or call.login is None:
        return lwa(400, "invalid_token", "The access token is not valid")
    facts = {
        "iss": "https://www.amazon.com",
        "user_id": call.login.user_id,
        "aud": call.token.grant.client_id,
        "app_id": "amzn1.application.sandbox",
        "exp": int(call.token.expires_at - clock.now()),
        "iat": call.token.issued // 1_000_000,
    }
    return Answer(200, facts, content_type=answers.LWA_JSON)
