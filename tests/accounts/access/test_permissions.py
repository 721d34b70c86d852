"""What each role allows, and the backend that answers for a person or a key."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, Permission, User
from django.test import RequestFactory
from django.utils.functional import SimpleLazyObject
from pytest_django import DjangoAssertNumQueries

from accounts.models import Account
from tests.accounts.conftest import AccountFactory
from tests.teams import join, team_of
from tokens.models import Connection, Team
from tokens.people.backend import RoleBackend
from tokens.people.roles import PERMISSIONS, TOKENS, Role, includes
from tokens.permissions import KeyLimits, attach_limits, may, may_everything

SYNC, VIEW, HAND_OUT = "accounts.sync_account", "accounts.view_account", "tokens.use_access_token"


def again(user: User, limits: KeyLimits | None = None) -> User:
    """Read the person as a request does, perhaps by a key."""
    fresh = User.objects.get(pk=user.pk)
    if limits is not None:
        attach_limits(fresh, limits)
    return fresh


class TestRoles:
    def test_each_role_allows_what_the_role_before_it_allows(self) -> None:
        assert PERMISSIONS.keys() == {*Role.values, TOKENS}
        for lower, higher in zip(Role.values, Role.values[1:], strict=False):
            assert includes(higher, lower)
            assert not includes(lower, higher)

    def test_a_role_may_view_every_model_of_its_team_that_the_table_offers(self) -> None:
        assert {name for name in PERMISSIONS[Role.VIEWER] if ".view_" not in name} == set()

    def test_a_key_for_tokens_does_nothing_else(self) -> None:
        assert PERMISSIONS[TOKENS] == {HAND_OUT}


class TestBackend:
    def test_it_answers_from_the_role_in_the_team_of_the_object(
        self, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)
        join(alice, his.team.name, Role.VIEWER)
        alice = again(alice)
        assert alice.has_perm(SYNC, hers)
        assert alice.has_perm(SYNC, hers.connection)
        assert alice.has_perm(SYNC, hers.team)
        assert not alice.has_perm(SYNC, his)
        assert alice.has_perm(VIEW, his)

    def test_without_an_object_any_team_is_enough(self, alice: User) -> None:
        assert alice.has_perm(SYNC)
        assert not alice.has_perm(HAND_OUT)
        assert alice.has_module_perms("tokens")
        assert not alice.has_module_perms("auth")
        assert alice.get_all_permissions() == PERMISSIONS[Role.OPERATOR]

    def test_what_has_no_team_is_for_superusers(self, admin: User) -> None:
        assert not admin.has_perm("auth.view_user", admin)
        assert not admin.has_perm("auth.view_user")
        assert not admin.has_perm(VIEW, admin)

    def test_permissions_of_django_mean_nothing(self, bob: User) -> None:
        bob.user_permissions.set(Permission.objects.all())
        assert again(bob).get_all_permissions() == PERMISSIONS[Role.OPERATOR]
        assert not again(bob).has_perm("auth.change_user")

    @pytest.mark.parametrize("user", [AnonymousUser(), User(is_active=False, is_superuser=True)])
    def test_who_is_not_signed_in_or_inactive_may_nothing(self, db: None, user: Any) -> None:
        assert not user.has_perm(VIEW)
        assert RoleBackend().get_all_permissions(user) == set()
        assert not Account.objects.visible_to(user).exists()

    def test_the_roles_of_a_request_are_read_once(
        self, alice: User, new_account: AccountFactory, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        account = new_account(alice)
        request = RequestFactory().get("/")
        # The user of a request is a lazy wrapper.
        request.user = SimpleLazyObject(lambda: User.objects.get(pk=alice.pk))  # type: ignore[assignment]
        with django_assert_num_queries(3):
            assert request.user.has_perm(SYNC)
            assert may(request.user, SYNC, account)
            assert list(Account.objects.visible_to(request.user)) == [account]
            assert request.user.has_perm(VIEW)


class TestKeys:
    """A key never allows more than its owner may at that moment."""

    def test_a_key_without_limits_may_what_its_owner_may(
        self, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        key = again(alice, KeyLimits())
        assert may(key, SYNC, account)
        assert Account.objects.visible_to(key).get() == account

    def test_a_key_of_a_team_sees_this_team_only(
        self, admin: User, alice: User, bob: User, new_account: AccountFactory
    ) -> None:
        hers, his = new_account(alice), new_account(bob)
        key = again(admin, KeyLimits(team_id=hers.team_id))
        assert Account.objects.visible_to(key).get() == hers
        assert Account.objects.allowing(key, SYNC).get() == hers
        assert Team.objects.visible_to(key).get() == hers.team
        assert not may(key, SYNC, his)
        assert may(key, HAND_OUT, hers.connection)

    def test_a_key_with_a_role_may_no_more_than_the_role(
        self, admin: User, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        key = again(admin, KeyLimits(role="viewer"))
        assert may(key, VIEW, account)
        assert not may(key, SYNC, account)
        assert not Account.objects.allowing(key, SYNC).exists()
        assert not key.has_perm(SYNC)
        assert key.get_all_permissions() == PERMISSIONS[Role.VIEWER]

    def test_a_role_gives_its_owner_nothing_new(self, alice: User, new_account: AccountFactory) -> None:
        account = new_account(alice)
        for role in ("administrator", TOKENS):
            assert not may(again(alice, KeyLimits(role=role)), HAND_OUT, account.connection)
        key = again(alice, KeyLimits(team_id=uuid4()))
        assert not may(key, VIEW)
        assert not Account.objects.visible_to(key).exists()

    def test_a_key_for_tokens_sees_nothing(
        self, admin: User, alice: User, new_account: AccountFactory
    ) -> None:
        account = new_account(alice)
        key = again(admin, KeyLimits(team_id=account.team_id, role=TOKENS))
        assert Connection.objects.allowing(key, HAND_OUT).get() == account.connection
        assert not Connection.objects.visible_to(key).exists()
        assert not may(key, VIEW)

    @pytest.mark.parametrize("limits", [KeyLimits(role="viewer"), KeyLimits(team_id=uuid4())])
    def test_a_key_of_a_superuser_has_limits_too(
        self, alice: User, new_account: AccountFactory, limits: KeyLimits
    ) -> None:
        account = new_account(alice)
        root = User.objects.create_superuser("root")
        assert may_everything(root)
        assert may(root, SYNC, account)
        key = again(root, limits)
        assert not may_everything(key)
        assert not may(key, SYNC, account)
        assert not Account.objects.allowing(key, SYNC).exists()

    def test_a_membership_that_ends_ends_what_the_key_may(self, admin: User, alice: User) -> None:
        team = team_of(alice)
        assert may(again(admin, KeyLimits(team_id=team.pk)), SYNC)
        admin.memberships.filter(team=team).delete()
        assert not may(again(admin, KeyLimits(team_id=team.pk)), SYNC)
