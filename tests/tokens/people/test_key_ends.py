"""The warnings before an API key ends."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from tests.api_keys import new_key
from tokens.models import Alert, ApiKey
from tokens.people.erase import erase_person
from tokens.people.key_ends import warn_of_ending_keys
from tokens.people.keys import end_api_keys
from tokens.permissions import SYSTEM

pytestmark = pytest.mark.django_db


def make(user: User, *, age: int, left: float) -> ApiKey:
    """A key that was made some days ago and ends in some days."""
    beginning = new_key(user)[:12]
    keys = ApiKey.objects.filter(beginning=beginning)
    keys.update(created_at=Now() - timedelta(days=age), expires_at=Now() + timedelta(days=left))
    return keys.get()


@pytest.mark.parametrize(
    ("age", "left", "warned"),
    [(80, 13.9, 1), (80, 14.1, 0), (80, -0.1, 0), (0, 7, 0), (3, 10, 0)],
    ids=["two weeks before", "earlier", "ended", "made for a week", "made for 13 days"],
)
def test_a_key_that_lasts_is_announced_two_weeks_before_its_end(
    alice: User, age: int, left: float, warned: int
) -> None:
    make(alice, age=age, left=left)
    assert warn_of_ending_keys() == warned
    assert Alert.objects.count() == warned


def test_each_key_is_announced_once(alice: User) -> None:
    keys = [make(alice, age=80, left=13) for _ in range(2)]
    for _ in range(2):
        warn_of_ending_keys()
    assert Alert.objects.count() == 2
    for key in keys:
        alert = Alert.objects.get(key=f"api_key_ending:{key.pk}")
        assert alert.text.startswith(
            f"The API key “A test” ({key.beginning}…) ends on {key.expires_at:%Y-%m-%d}."
        )


def deactivate(person: User) -> None:
    # A trigger of the database deletes the keys.
    User.objects.filter(pk=person.pk).update(is_active=False)


@pytest.mark.parametrize("end", [lambda person: end_api_keys(person, person), deactivate])
def test_the_end_of_a_key_ends_its_alert(alice: User, end: Callable[[User], object]) -> None:
    key = make(alice, age=80, left=13)
    warn_of_ending_keys()
    assert Alert.objects.get().api_key == key
    end(alice)
    assert not ApiKey.objects.exists()
    assert not Alert.objects.exists()


def test_the_erasure_of_a_person_erases_the_names_of_the_keys(alice: User) -> None:
    make(alice, age=80, left=13)
    warn_of_ending_keys()
    erase_person(SYSTEM, alice)
    assert not Alert.objects.exists()
