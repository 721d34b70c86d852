"""The three groups, and the backend that reads the permissions of a person."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from pytest_django import DjangoAssertNumQueries

from accounts.permissions import GROUPS, OneQueryBackend, create_missing_groups


def names_of(group: str) -> set[str]:
    permissions = Group.objects.get(name=group).permissions.values_list("content_type__app_label", "codename")
    return {f"{app}.{name}" for app, name in permissions}


def read_again(user: User) -> User:
    return User.objects.get(pk=user.pk)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_its_permissions(db: None, group: str) -> None:
    assert names_of(group) == set(GROUPS[group])


def test_a_group_that_is_missing_is_created(db: None) -> None:
    Group.objects.get(name="Operator").delete()
    create_missing_groups("default")
    assert names_of("Operator") == set(GROUPS["Operator"])


def test_a_group_keeps_the_permissions_that_people_gave_it(db: None) -> None:
    Group.objects.get(name="Viewer").permissions.clear()
    create_missing_groups("default")
    assert names_of("Viewer") == set()


def test_the_permissions_of_a_person_and_of_groups_cost_one_query(
    alice: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    alice.user_permissions.add(Permission.objects.get(codename="use_access_token"))
    user = read_again(alice)
    with django_assert_num_queries(1):
        assert user.get_all_permissions() == {*GROUPS["Operator"], "tokens.use_access_token"}
        assert user.has_perm("accounts.sync_account")
        assert not user.has_perm("tokens.disconnect_connection")


def test_a_person_who_may_not_sign_in_has_no_permission(alice: User) -> None:
    User.objects.update(is_active=False)
    assert read_again(alice).get_all_permissions() == set()


def test_a_superuser_has_every_permission(alice: User) -> None:
    User.objects.update(is_superuser=True)
    assert read_again(alice).get_all_permissions() >= set(GROUPS["Administrator"])


def test_nobody_has_no_permission(db: None) -> None:
    assert OneQueryBackend().get_all_permissions(AnonymousUser()) == set()


def test_no_permission_is_for_one_object(alice: User) -> None:
    assert OneQueryBackend().get_all_permissions(alice, obj=alice) == set()
