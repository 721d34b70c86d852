"""Error pages."""

import logging
import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.dashboard.conftest import LogIn, staff


def test_a_missing_page_has_the_frame_for_staff_and_none_for_others(
    client: Client, log_in: LogIn, alice: User
) -> None:
    inside, outside = log_in(alice).get("/nowhere/"), client.get("/nowhere/")
    assert inside.status_code == outside.status_code == 404
    assert "nav-sidebar" in inside.content.decode()
    assert "nav-sidebar" not in outside.content.decode()
    for page in (inside, outside):
        assert "Page not found" in page.content.decode()


def test_a_form_without_its_token_is_explained(alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    response = client.post("/operations/", {"operation": "sync"})
    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()


@pytest.mark.urls("tests.dashboard.failing_urls")
def test_a_refusal_is_one_line_of_the_log_and_a_failure_comes_with_its_traceback(
    log_in: LogIn, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    log_in(staff("newcomer")).get("/accounts/")
    (refusal,) = [record for record in caplog.records if record.name == "django.request"]
    assert "Forbidden (Permission denied): /accounts/" in refusal.getMessage()
    assert refusal.exc_info is None

    caplog.clear()
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    client.get("/failing/")
    (failure,) = [record for record in caplog.records if record.name == "django.request"]
    assert failure.exc_info is not None


@pytest.mark.urls("tests.dashboard.failing_urls")
def test_the_reference_of_a_failure_is_also_in_the_log(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    with caplog.at_level(logging.ERROR):
        response = client.get("/failing/")
    page = response.content.decode()
    assert response.status_code == 500
    assert "secret detail" not in page
    found = re.search(r"<code>(\w+)</code>", page)
    assert found
    assert found[1] in caplog.text
