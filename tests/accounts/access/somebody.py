"""One of the people who ask for every address, and the objects that the addresses name."""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import F

from accounts.batch import start_batch, start_batch_of
from accounts.batch.rows import CONNECTIONS
from accounts.models import Account, BatchOperation, Note
from tests.accounts.conftest import AccountFactory, person
from tests.api_keys import new_key
from tests.pictures import make_png
from tests.public_url import browser_at_public_url
from tests.sign_ins import sign_in
from tests.teams import join
from tokens.connect.links import make_connect_link
from tokens.models import (
    AlertAddress,
    ApiKey,
    ConnectLink,
    Invitation,
    Membership,
    SavedView,
    Team,
    Webhook,
    WebhookDelivery,
)
from tokens.people.invitations import MIN_PAUSE, invite
from tokens.people.roles import Role
from tokens.permissions import SYSTEM
from tokens.webhooks.manage import make_webhook, send_test

# A method, an address, and the answer to each of the people.
Row = tuple[str, str, dict[str, str]]
ROLES = ("Viewer", "Operator", "Administrator")
WEBHOOK_URL = "https://hooks.example.com/amazon"
BODIES: dict[str, Any] = {
    "POST api/v1/accounts/batch/": {"operation": "sync", "filter": {}},
    "POST api/v1/connections/batch/": {"operation": "sync", "filter": {}},
    "PATCH api/v1/accounts/<uuid:account_id>/": {"sync_enabled": False},
    "PATCH api/v1/connections/<uuid:connection_id>/": {"label": "Garden shop"},
    "POST api/v1/connections/access-tokens/": {"connection_ids": ["0193c8a0-0000-7000-8000-000000000001"]},
    "POST views/": {"name": "Peak season", "query": "status=active"},
    "POST api/v1/connect-links/": {"label": "Copperleaf"},
    "POST keys/": {"name": "Report", "days": 30, "owner": "me"},
    "POST api/v1/teams/": {"name": "North"},
    "PATCH api/v1/webhooks/<uuid:webhook_id>/": {"events": ["sync.ended"]},
    "PATCH api/v1/teams/<uuid:team_id>/": {"name": "North"},
    "PUT api/v1/teams/<uuid:team_id>/members/<str:user_name>/": {"role": "operator"},
    "POST connections/<uuid:connection_id>/update/": {"label": "Garden shop", "regions": ["EU"]},
    "POST connect/amazon/": {"regions": ["EU"]},
    "POST teams/make/": {"name": "North"},
    "POST teams/<uuid:team_id>/rename/": {"name": "North"},
    "POST teams/<uuid:team_id>/alerts/": {
        "name": "Channel",
        "address": "slack://T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx",
    },
    "POST teams/<uuid:team_id>/invitations/": {"email": "new@example.com", "role": "operator"},
    "POST accounts/<uuid:account_id>/labels/": {"label": "team: north"},
    "POST accounts/<uuid:account_id>/notes/": {"text": "Ask Ana."},
    "POST connections/<uuid:connection_id>/labels/": {"label": "team: north"},
    "POST connections/<uuid:connection_id>/notes/": {"text": "Ask Ana."},
    "POST operations/": {"operation": "sync", "all": "1", "query": ""},
}


def make_person(who: str) -> User:
    if who == "stranger":
        return User.objects.create_user(who)
    return User.objects.create_superuser(who) if who == "superuser" else person(who, who)


class Somebody:
    """One of the people, the objects that the addresses name, and the requests of this person.

    A role names a member of the team that has the objects.
    """

    def __init__(self, who: str, new_account: AccountFactory) -> None:
        self.user = None
        if who != "nobody":
            self.user = make_person(who)
        owner = self.user if who in ROLES else person("owner", "Administrator")
        assert owner is not None
        self.account: Account = new_account(owner)
        self.colleague = User.objects.create_user(f"colleague-of-{owner}")
        join(self.colleague, self.account.team.name, Role.VIEWER)
        new_key(owner)
        self.key = ApiKey.objects.filter(user=owner).latest("created_at")
        # The key by which the person asks the API, if it is not one without limits.
        self.asks_with = ""
        # Whose objects the addresses name.
        self.owner_of_objects = self

    # What few addresses name is made when an address names it.

    @cached_property
    def batch(self) -> BatchOperation:
        batch = start_batch(SYSTEM, "sync", filters={"connection": str(self.account.connection_id)})
        BatchOperation.objects.filter(pk=batch.pk).update(user=self.key.user)
        return batch

    @cached_property
    def connection_batch(self) -> BatchOperation:
        batch = start_batch_of(CONNECTIONS, SYSTEM, "sync", ids=[self.account.connection_id])
        BatchOperation.objects.filter(pk=batch.pk).update(user=self.key.user)
        return batch

    @cached_property
    def address(self) -> AlertAddress:
        return AlertAddress.objects.create(
            team=self.account.team, name="Channel of before", service="Slack", address="x"
        )

    @cached_property
    def invitation(self) -> Invitation:
        made = invite(SYSTEM, self.account.team, "invited@example.com", "viewer")
        # Its mail may be sent again.
        Invitation.objects.update(ends_at=F("ends_at") - MIN_PAUSE)
        return made

    @cached_property
    def link(self) -> ConnectLink:
        owner = self.account.user
        return make_connect_link(SYSTEM, self.account.team, label="Copperleaf", owner=owner)[0]

    @cached_property
    def note(self) -> Note:
        return Note.objects.create(account=self.account, author=self.account.user, text="Ask Ana.")

    @cached_property
    def view(self) -> SavedView:
        return SavedView.objects.create(team=self.account.team, name="Peak")

    @cached_property
    def webhook(self) -> Webhook:
        return make_webhook(SYSTEM, self.account.team, url=WEBHOOK_URL, events=["*"])[0]

    @cached_property
    def delivery(self) -> WebhookDelivery:
        delivery = send_test(SYSTEM, self.webhook)
        WebhookDelivery.objects.update(state="delivered", next_try_at=None)
        return delivery

    def make_path(self, address: str) -> str:
        """Return the path with the ids of the objects that the address names."""
        of = self.owner_of_objects
        names: dict[str, Callable[[], object]] = {
            "account": lambda: of.account.pk,
            "connection": lambda: of.account.connection_id,
            "batch": lambda: (of.connection_batch if "connections/batch/" in address else of.batch).pk,
            "key": lambda: of.key.pk,
            "team": lambda: of.account.team_id,
            "invitation": lambda: of.invitation.pk,
            "link": lambda: of.link.pk,
            "view": lambda: of.view.pk,
            "webhook": lambda: of.webhook.pk,
            "delivery": lambda: of.delivery.pk,
            "address": lambda: of.address.pk,
            "note": lambda: of.note.pk,
        }
        path = "/" + re.sub(r"<uuid:(\w+)_id>", lambda match: str(names[match[1]]()), address)
        return (
            path.replace("<int:person_id>", str(of.colleague.pk))
            .replace("<slug:code>", "not-found")
            .replace("<slug:token>", "no-such-token")
            .replace("<str:user_name>", of.colleague.username)
        )

    def _join_other_team(self) -> Team:
        member = self.user or self.colleague
        role = Membership.objects.filter(user=member).values_list("role", flat=True).first()
        return join(member, "Other", Role(role or "viewer"))

    def _make_body(self, request: str) -> dict[str, Any]:
        account = self.owner_of_objects.account
        bodies: dict[str, Callable[[], dict[str, Any]]] = {
            "POST teams/<uuid:team_id>/members/": lambda: {
                "user": self.owner_of_objects.colleague.username,
                "role": "operator",
            },
            "POST links/": lambda: {
                "label": "Copperleaf",
                "language": "de",
                "days": 7,
                "regions": ["EU"],
                "team": str(account.team_id),
            },
            "POST teams/<uuid:team_id>/logo/": lambda: {
                "picture": SimpleUploadedFile("logo.png", make_png())
            },
            "POST renewals/dates/": lambda: {
                "file": SimpleUploadedFile(
                    "dates.csv", f"id,consented_on\n{account.connection_id},2026-08-01\n".encode()
                )
            },
            "POST renewals/links.csv": lambda: {"connection_ids": str(account.connection_id)},
            "POST webhooks/": lambda: {"url": WEBHOOK_URL, "events": ["*"], "team": str(account.team_id)},
            "POST api/v1/webhooks/": lambda: {"url": WEBHOOK_URL, "events": ["*"]},
            "POST api/v1/views/": lambda: {"name": "Peak season", "team": str(account.team_id)},
            "POST api/v1/notes/": lambda: {"account": str(account.pk), "text": "Ask Ana."},
        }
        if request.endswith("/move/"):
            return {"team": str(self._join_other_team().pk)}
        return bodies[request]() if request in bodies else BODIES.get(request, {})

    def ask(self, method: str, address: str) -> str:
        """Return the status of the answer, or `>` if it sends to the login."""
        client = browser_at_public_url()
        headers = {}
        if self.user is not None and address.startswith("api/"):
            headers["Authorization"] = f"Token {self.asks_with or new_key(self.user)}"
        elif self.user is not None:
            sign_in(client, self.user)
        path = self.make_path(address)
        body = self._make_body(f"{method} {address}")
        media_type = {"content_type": "application/json"} if address.startswith("api/") else {}
        if method == "GET":
            response = client.get(path, headers=headers)
        else:
            response = getattr(client, method.lower())(path, body, headers=headers, **media_type)
        if response.status_code == HTTPStatus.FOUND and response["Location"].startswith("/auth/login/"):
            return ">"
        return str(response.status_code)

    def ask_each(self, requests: Iterable[Row]) -> dict[str, str]:
        """Ask as `ask` does, and undo what each request changed before the next. Return the answers by request."""
        return {f"{method} {address}": self._ask_and_undo(method, address) for method, address, _ in requests}

    def _ask_and_undo(self, method: str, address: str) -> str:
        before = [(each, set(vars(each))) for each in {self, self.owner_of_objects}]
        with transaction.atomic():
            answer = self.ask(method, address)
            transaction.set_rollback(True)
        # The objects that the address named are undone too.
        for each, kept in before:
            for name in vars(each).keys() - kept:
                delattr(each, name)
        return answer
