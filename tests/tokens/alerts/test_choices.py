"""A person's choice of the kinds of alerts about which they get mail."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from tokens.alerts.choices import choose_alerts, list_chosen_kinds, list_kinds
from tokens.models import Alert, AuditEntry, MutedAlertKind

pytestmark = pytest.mark.django_db

BROKEN, HEALED = Alert.Kind.CONNECTION_BROKEN, Alert.Kind.CONNECTION_HEALED


def test_everything_is_on_at_first(alice: User) -> None:
    assert list_chosen_kinds(alice) == list_kinds(alice)


def test_superusers_alone_choose_about_the_installation(alice: User) -> None:
    assert set(list_kinds(User(is_superuser=True))) == set(Alert.Kind)
    assert Alert.Kind.APPLICATION_REFUSED not in list_kinds(alice)
    with pytest.raises(ValidationError):
        choose_alerts(alice, [Alert.Kind.APPLICATION_REFUSED])


def test_a_choice_is_stored_and_audited(alice: User) -> None:
    bob = User.objects.create_user("bob")
    assert choose_alerts(alice, [BROKEN, HEALED])
    assert choose_alerts(alice, [HEALED])
    assert list_chosen_kinds(alice) == [HEALED]
    assert list_chosen_kinds(bob) == list_kinds(bob)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.object_id, entry.team_id) == ("alerts.choose", str(alice.pk), None)
    assert (entry.before, entry.after) == ({"kinds": [BROKEN, HEALED]}, {"kinds": [HEALED]})
    assert choose_alerts(alice, list_kinds(alice))
    assert not MutedAlertKind.objects.exists()


def test_a_superuser_has_a_choice_of_their_own(alice: User) -> None:
    root = User.objects.create_superuser("root")
    choose_alerts(alice, [])
    assert list_chosen_kinds(root) == list_kinds(root)
    choose_alerts(root, [BROKEN])
    assert list_chosen_kinds(alice) == []


def test_the_same_choice_again_changes_nothing(alice: User) -> None:
    assert not choose_alerts(alice, list_kinds(alice))
    assert not AuditEntry.objects.exists()


def test_a_kind_that_is_no_longer_offered_stays_as_it_is(alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    root = User.objects.get(pk=alice.pk)
    choose_alerts(root, [BROKEN])
    choose_alerts(alice, list_kinds(alice))
    assert set(MutedAlertKind.objects.values_list("kind", flat=True)) == {
        Alert.Kind.APPLICATION_REFUSED,
        Alert.Kind.APPLICATION_ACCEPTED,
        Alert.Kind.SERVICE_FAILING,
        Alert.Kind.SERVICE_WORKING,
    }
