"""Answers that sign nobody in: forged, repeated, refused, broken, or none at all."""

import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.dashboard.sign_in.oidc.conftest import (
    CALLBACK,
    SECRET,
    START,
    Provider,
    SignOn,
    answer_with,
    parameters_of,
    person_at,
    start,
    use,
)
from tests.dashboard.sign_in.oidc.scripted_provider import DISCOVERY, ScriptedProvider
from tests.ports import free_port
from tests.public_url import browser_at_public_url

DEEP = b'{"a":' * 50_000


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?code=x",
        "?code=x&state=forged",
        "?state=%00&code=%00",
        "?error=access_denied",
        "?code=x&state=a&state=b",
    ],
)
def test_an_answer_that_nobody_waits_for_is_refused(
    db: None, provider: Provider, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    start(browser)
    page = browser.get(CALLBACK + query)
    assert page.status_code == 400
    assert len(refusals(caplog)) == 1
    assert not User.objects.exists()


def test_an_answer_works_once(sign_on: SignOn, provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    browser = browser_at_public_url()
    answer = provider.decide(start(browser), "s-1")
    assert browser.get(answer).status_code == 302
    name = User.objects.get().username
    again = browser.get(answer)
    assert again.status_code == 400
    text = again.content.decode()
    assert "finished already" in text
    assert f"You are signed in as {name}" in text
    assert User.objects.count() == 1
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: its state is unknown in this browser."
    ]
    browser.post("/auth/logout/")
    assert browser.get(answer).status_code == 400
    assert person_at(browser) is None


def test_an_answer_is_refused_in_another_browser_and_still_works_in_its_own(
    db: None, provider: Provider
) -> None:
    browser, other = browser_at_public_url(), browser_at_public_url()
    start(other)
    answer = provider.decide(start(browser), "s-1")
    assert other.get(answer).status_code == 400
    assert person_at(other) is None
    assert browser.get(answer).status_code == 302


def test_a_code_of_another_sign_in_is_refused(db: None, provider: Provider) -> None:
    # Somebody brings their own code into the browser of another person, with the right state.
    browser, attacker = browser_at_public_url(), browser_at_public_url()
    state = parameters_of(start(browser))["state"]
    code = parameters_of(provider.decide(start(attacker), "attacker"))["code"]
    page = browser.get(f"{CALLBACK}?code={code}&state={state}")
    assert page.status_code in {400, 502}
    assert person_at(browser) is None
    assert not User.objects.exists()


def test_a_code_that_the_provider_does_not_know_is_refused(
    db: None, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    state = parameters_of(start(browser))["state"]
    assert browser.get(f"{CALLBACK}?code=unknown&state={state}").status_code == 400
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: the provider answered 400 invalid_grant."
    ]


def test_who_goes_back_at_the_provider_reads_it(
    db: None, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    asked = parameters_of(start(browser))
    page = browser.get(f"{CALLBACK}?error=access_denied&state={asked['state']}")
    assert page.status_code == 403
    assert "You went back" in page.content.decode()
    assert "Back to the login" in page.content.decode()
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: the provider answered access_denied."
    ]


def test_an_error_of_the_provider_is_in_the_log_in_one_plain_line(
    db: None, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    asked = parameters_of(start(browser))
    page = browser.get(
        f"{CALLBACK}?error=bad%1b%5b2J%0aforged&error_description=%3Cb%3E&state={asked['state']}"
    )
    assert page.status_code == 400
    assert refusals(caplog) == ["Refused a single sign-on from 127.0.0.1: the provider answered bad2Jforged."]


def test_a_prefetch_uses_nothing_up(db: None, provider: Provider) -> None:
    browser = browser_at_public_url()
    answer = provider.decide(start(browser), "s-1")
    assert browser.get(answer, headers={"sec-purpose": "prefetch"}).status_code == 425
    assert browser.head(answer).status_code == 405
    assert browser.get(answer).status_code == 302


def test_the_address_of_an_answer_is_named_to_nobody(db: None, provider: Provider) -> None:
    for response in (Client().get(f"{CALLBACK}?code=x&state=y"), Client().get(CALLBACK)):
        assert response["Referrer-Policy"] == "strict-origin"
        assert "no-store" in response["Cache-Control"]


def test_a_provider_that_is_down_is_said_and_not_asked_again_at_once(
    db: None, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    use(settings, f"http://127.0.0.1:{free_port()}")
    page = browser_at_public_url().post(START)
    assert page.status_code == 503
    assert page["Retry-After"] == "10"
    assert "does not answer" in page.content.decode()
    browser_at_public_url().post(START)
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: the provider does not answer (ConnectionError).",
        "Refused a single sign-on from 127.0.0.1: the provider did not answer some seconds ago.",
    ]
    assert "Traceback" not in caplog.text


DISCOVERY_DOCUMENTS: list[Any] = [
    b"",
    b"<html>Maintenance</html>",
    b"[]",
    b"null",
    DEEP,
    b'{"issuer": NaN}',
    b"x" * 1_100_000,
    {},
    {"issuer": "https://another.example"},
    {"issuer": 5},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"authorization_endpoint": "//evil.example"},
    {"token_endpoint": None},
    {"token_endpoint": "https://[broken"},
    {"userinfo_endpoint": "file:///etc/passwd"},
    {"jwks_uri": ["https://a.example"]},
    {"token_endpoint_auth_methods_supported": 5},
]


@pytest.mark.parametrize("document", DISCOVERY_DOCUMENTS, ids=lambda document: repr(document)[:40])
def test_a_broken_discovery_document_sends_nobody_anywhere(
    db: None, scripted: ScriptedProvider, document: Any, caplog: pytest.LogCaptureFixture
) -> None:
    whole = scripted.document(**document) if document and isinstance(document, dict) else document
    scripted.say(DISCOVERY, whole)
    page = browser_at_public_url().post(START)
    assert page.status_code == 502
    assert "http-equiv" not in page.content.decode()
    assert len(refusals(caplog)) == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(("status", "body"), [(500, b"oops"), (404, b""), (302, b"http://127.0.0.1:1/")])
def test_a_discovery_document_that_is_not_there_is_said(
    db: None, scripted: ScriptedProvider, status: int, body: bytes
) -> None:
    scripted.say(DISCOVERY, body, status)
    assert browser_at_public_url().post(START).status_code == 502
    assert [path for path, _ in scripted.calls] == [DISCOVERY], "a redirect is not followed"


def test_the_discovery_document_is_read_once_for_many_sign_ins(db: None, scripted: ScriptedProvider) -> None:
    for _ in range(3):
        start(browser_at_public_url())
    assert len(scripted.calls) == 1


def test_the_scripted_provider_signs_in_a_person(db: None, scripted: ScriptedProvider) -> None:
    browser = browser_at_public_url()
    assert answer_with(scripted, browser).status_code == 302
    person = person_at(browser)
    assert person is not None
    assert person.username == "nina"
    sent = dict(scripted.calls)["/token"]
    assert "code_verifier=" in sent
    assert SECRET in sent


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": "of another sign-in"},
        {"nonce": "left out"},
        {"nonce": ["\ud800"]},
        {"iss": "https://another.example"},
        {"aud": "another client"},
        {"azp": "another client"},
        {"exp": 1_700_000_000},
        {"exp": "soon"},
        {"exp": [1]},
        {"exp": float("inf")},
        {"aud": {"a": 1}},
        {"sub": ""},
        {"sub": "left out"},
        {"sub": "a\0b"},
        {"sub": "x" * 192},
        {"info": {"sub": "somebody else"}},
        {"info": [1]},
        {"token": {"access_token": "a", "id_token": "not.a.token"}},
        {"token": {"access_token": "a", "id_token": 5}},
        {"token": {"access_token": "a"}},
        {"token": {"access_token": ["a"], "id_token": "x"}},
        {"token": {"access_token": "a\n\u20ac", "id_token": "x"}},
        {"token": {"id_token": "x"}},
        {"token": b"access_token=a"},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_answer_of_the_provider_that_does_not_hold_signs_nobody_in(
    db: None, scripted: ScriptedProvider, changes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    page = answer_with(scripted, browser, **changes)
    assert page.status_code == 502
    assert person_at(browser) is None
    assert not User.objects.exists()
    assert len(refusals(caplog)) == 1
    assert "Traceback" not in caplog.text
    assert "an-access-token" not in caplog.text


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "x\0y\ud800" * 100, "name": "<b>\r\n\u202ename", "email": "no address"},
        {"preferred_username": ["a"], "name": {"a": 1}, "email": 5, "given_name": 1.5, "family_name": None},
        {"preferred_username": "a b/c", "email": "a" * 300 + "@example.com"},
    ],
    ids=["control characters", "other types", "too long"],
)
def test_strange_claims_give_a_plain_person(
    db: None, scripted: ScriptedProvider, claims: dict[str, object]
) -> None:
    browser = browser_at_public_url()
    assert answer_with(scripted, browser, info={"sub": "s-1", **claims}).status_code == 302
    person = person_at(browser)
    assert person is not None
    assert person.username.isprintable()
    assert person.first_name.isprintable()
    assert person.email == ""


def test_a_claim_of_another_form_is_left_out(db: None, scripted: ScriptedProvider) -> None:
    browser = browser_at_public_url()
    info = {"sub": "s-1", "email": "nina@example.com", "email_verified": ["x"], "userinfo": 1, "id_token": 2}
    assert answer_with(scripted, browser, info=info).status_code == 302
    assert User.objects.get().email == "nina@example.com"


def test_a_provider_that_refuses_this_console_is_named_in_the_log(
    db: None, scripted: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    browser = browser_at_public_url()
    asked = parameters_of(start(browser))
    scripted.say("/token", {"error": "invalid_client"}, 401)
    assert browser.get(f"{CALLBACK}?code=a-code&state={asked['state']}").status_code == 502
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: the provider answered 401 invalid_client."
    ]
    assert SECRET not in caplog.text
