"""A provider that takes its time: all its answers to one page have one deadline."""

import pytest
from pytest_django import Settings

from tests.dashboard.sign_in.oidc.conftest import START, answer_with, person_at
from tests.dashboard.sign_in.oidc.scripted_provider import DISCOVERY, ScriptedProvider
from tests.dashboard.sign_in.oidc.test_answers import refusals
from tests.processes import eventually
from tests.public_url import browser_at_public_url


@pytest.mark.parametrize("part", ["slow_heads", "slow_bodies"])
def test_a_provider_that_answers_byte_by_byte_is_left_at_the_deadline(
    db: None, scripted: ScriptedProvider, settings: Settings, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 1
    getattr(scripted, part)[DISCOVERY] = 0.5
    page = browser_at_public_url().post(START)
    assert page.status_code == 503
    assert "does not answer" in page.content.decode()
    assert refusals(caplog) == [
        "Refused a single sign-on from 127.0.0.1: the provider does not answer (TimeoutError)."
    ]
    # No thread goes on to read.
    eventually(lambda: scripted.left == [DISCOVERY], 60)


def test_the_answers_to_one_page_share_the_time(
    db: None, scripted: ScriptedProvider, settings: Settings
) -> None:
    browser = browser_at_public_url()
    # Each of the two answers is in time for a deadline of its own.
    seconds = 6
    scripted.slow_heads |= {"/token": 1.5 / 60, "/userinfo": 5 / 60}
    settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = seconds
    assert answer_with(scripted, browser).status_code == 503
    assert [path for path, _ in scripted.calls] == [DISCOVERY, "/token", "/userinfo"]
    assert person_at(browser) is None
    eventually(lambda: scripted.left == ["/userinfo"], 60)


def test_a_slow_answer_within_the_deadline_signs_in(db: None, scripted: ScriptedProvider) -> None:
    scripted.slow_bodies["/userinfo"] = 0.01
    browser = browser_at_public_url()
    assert answer_with(scripted, browser).status_code == 302
    assert person_at(browser) is not None
    assert scripted.left == []
