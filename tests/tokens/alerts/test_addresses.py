"""Addresses of a team for alerts: which are taken, and that their secrets stay secret."""

import logging
from http import HTTPStatus

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import connection

from tests.teams import join, team_of
from tests.tokens.alerts.test_alerts import Address, addresses, let_claims_run_out
from tests.tokens.conftest import ConnectionFactory
from tokens.alerts import create as alerts
from tokens.alerts import delivery
from tokens.alerts.addresses import (
    MAX_ADDRESSES,
    add_alert_address,
    find_service,
    remove_alert_address,
    rotate_alert_addresses,
)
from tokens.encryption import DecryptionError
from tokens.key_rotation import rotate
from tokens.models import Alert, AlertAddress, ApiKey, AuditEntry, Team
from tokens.people.keys import make_team_key
from tokens.people.roles import Role
from tokens.permissions import SYSTEM

__all__ = ["addresses"]

pytestmark = pytest.mark.django_db(transaction=True)

SLACK = "slack://T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx"
POWER_PLATFORM = "https://default01.45.environment.api.powerplatform.com:443"
FLOW = "/triggers/manual/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=abc-DEF_123"


@pytest.mark.parametrize(
    ("address", "service"),
    [
        (SLACK, "Slack"),
        (f"  {SLACK}/#general\n", "Slack"),
        ("https://hooks.slack.com/services/T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx", "Slack"),
        ("https://discord.com/api/webhooks/1234567890/abcdefghijklmn", "Discord"),
        ("https://chat.googleapis.com/v1/spaces/AAAA/messages?key=abc&token=def", "Google Chat"),
        (f"https://prod-12.westeurope.logic.azure.com:443/workflows/0123abc{FLOW}", "Microsoft Teams"),
        (f"{POWER_PLATFORM}/powerautomate/automations/direct/workflows/0123abc{FLOW}", "Microsoft Teams"),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12345", "Telegram"),
        ("opsgenie://01234567-0123-0123-0123-0123456789ab?region=eu", "Opsgenie"),
        ("pagerduty://A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6@ApiKey12345678901234", "PagerDuty"),
    ],
)
def test_webhooks_of_known_services_are_taken(address: str, service: str) -> None:
    assert find_service(address) == service


@pytest.mark.parametrize(
    "address",
    [
        "",
        None,
        7,
        "slack://",
        "nonsense",
        "https://[::1",
        "https://example.com/",
        f"{SLACK}/{'x' * 1000}",
        # Hosts that somebody chose.
        "json://127.0.0.1/",
        "jsons://10.0.0.1/",
        "xml://intranet/",
        "ntfy://10.0.0.1/topic",
        "mailto://user:password@10.0.0.1",
        "workflow://127.0.0.1/0123abc/abcSIG",
        "workflow://prod-1.logic.azure.com:8080/0123abc/abcSIG",
        "workflow://logic.azure.com.example.com/0123abc/abcSIG",
        f"https://10.0.0.1/workflows/0123abc{FLOW}",
        f"https://10.0.0.1/workflows/0123abc{FLOW}&x=.logic.azure.com",
        "https://hooks.slack.com.example.com/services/T1234ABCD/B1234ABCD/abcdefghijklmnopqrstuvwx",
        # This machine.
        "syslog://",
        "file:///etc/passwd",
        # Options that read files, follow redirects or trust every certificate.
        f"{SLACK}?template=/etc/passwd",
        f"{SLACK}/#a?template=/etc/passwd",
        f"{SLACK}?verify=no",
        # Several addresses.
        f"{SLACK},json://127.0.0.1/",
        f"{SLACK} json://127.0.0.1/",
        f"{SLACK}\njson://127.0.0.1/",
    ],
)
def test_every_other_address_is_refused_without_repeating_it(
    address: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(ValidationError) as raised:
        find_service(address)
    assert "It must be the webhook of one of these services: Discord," in str(raised.value)
    for text in (str(raised.value), caplog.text):
        assert not any(part in text for part in ("T1234ABCD", "127.0.0.1", "10.0.0.1", "passw"))


class TestOperations:
    def test_an_address_is_stored_encrypted_and_audited_without_its_secret(self, alice: User) -> None:
        team = join(alice, "North", Role.ADMINISTRATOR)
        made = add_alert_address(alice, team, name=" The  channel ", address=f" {SLACK} ")
        assert (made.name, made.service) == ("The channel", "Slack")
        stored = AlertAddress.objects.get()
        assert stored.address is not None
        assert stored.address.reveal() == SLACK
        with connection.cursor() as cursor:
            cursor.execute("SELECT address FROM tokens_alertaddress")
            assert cursor.fetchone()[0].startswith("v2.")
        assert remove_alert_address(alice, stored)
        assert not remove_alert_address(alice, stored)
        entries = AuditEntry.objects.order_by("pk")
        assert [(entry.action, entry.object_name, entry.team_id) for entry in entries] == [
            ("alert_address.add", "The channel", team.pk),
            ("alert_address.remove", "The channel", team.pk),
        ]
        assert "T1234ABCD" not in str(list(AuditEntry.objects.values()))

    @pytest.mark.parametrize("name", ["", "   ", None, "x" * 101, "a\x1bb"])
    def test_a_name_is_needed(self, name: object) -> None:
        with pytest.raises(ValidationError) as raised:
            add_alert_address(SYSTEM, Team.objects.get(), name=name, address=SLACK)
        assert "name" in raised.value.message_dict

    def test_a_name_is_taken_once_in_a_team(self) -> None:
        team, other = Team.objects.get(), Team.objects.create(name="Other")
        add_alert_address(SYSTEM, team, name="Channel", address=SLACK)
        add_alert_address(SYSTEM, other, name="Channel", address=SLACK)
        with pytest.raises(ValidationError, match="this name already"):
            add_alert_address(SYSTEM, team, name="channel", address=SLACK)

    def test_a_team_has_some_addresses_at_most(self) -> None:
        team = Team.objects.get()
        for number in range(MAX_ADDRESSES):
            add_alert_address(SYSTEM, team, name=str(number), address=SLACK)
        with pytest.raises(ValidationError, match="has 10 addresses"):
            add_alert_address(SYSTEM, team, name="one more", address=SLACK)

    def test_new_encryption_keys_read_the_addresses_after_a_rotation(self, settings: LazySettings) -> None:
        add_alert_address(SYSTEM, Team.objects.get(), name="Channel", address=SLACK)
        old, new = settings.TOKEN_ENCRYPTION_KEYS[0], Fernet.generate_key().decode()
        settings.TOKEN_ENCRYPTION_KEYS = [new, old]
        assert rotate() == {"rotated": 1, "current": 0, "unreadable": 0}
        assert rotate_alert_addresses() == {"rotated": 0, "current": 1, "unreadable": 0}
        settings.TOKEN_ENCRYPTION_KEYS = [new]
        stored = AlertAddress.objects.get().address
        assert stored is not None
        assert stored.reveal() == SLACK
        settings.TOKEN_ENCRYPTION_KEYS = [old]
        assert rotate_alert_addresses() == {"rotated": 0, "current": 0, "unreadable": 1}
        with pytest.raises(DecryptionError):
            stored.reveal()


def store(team: Team, name: str, address: Address) -> AlertAddress:
    # Past the operation, which takes no address of this machine.
    return AlertAddress.objects.create(team=team, name=name, service="Slack", address=address.url)


class TestDelivery:
    def test_an_address_gets_the_alerts_of_its_team_alone(
        self, connect: ConnectionFactory, addresses: list[Address], alice: User
    ) -> None:
        north, south = addresses
        store(team_of(alice), "North", north)
        store(Team.objects.create(name="South"), "South", south)
        for number in range(3):
            alerts.alert_connection_broken(connect(label=f"Shop {number}"))
        alerts.create_alert(Alert.Kind.APPLICATION_REFUSED, "1", "Refused.")
        delivery.send_due_alerts()
        assert (north.titles, south.titles) == (["Amazon refuses 3 logins"], [])

    def test_an_address_gets_no_alert_about_a_key(self, addresses: list[Address], alice: User) -> None:
        team = join(alice, "North", Role.ADMINISTRATOR)
        store(team, "North", addresses[0])
        make_team_key(alice, team, name="Report", role="viewer")
        alerts.create_alert(Alert.Kind.API_KEY_ENDING, "1", "It ends.", api_key=ApiKey.objects.get())
        delivery.send_due_alerts()
        assert addresses[0].titles == []

    def test_an_address_that_fails_is_tried_again_alone_and_named(
        self,
        connect: ConnectionFactory,
        addresses: list[Address],
        alice: User,
        settings: LazySettings,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        failing, good = addresses
        failing.status = HTTPStatus.INTERNAL_SERVER_ERROR
        store(team_of(alice), "Channel", failing)
        settings.ALERT_URLS = [good.url]
        alerts.alert_connection_broken(connect())
        for _ in range(2):
            delivery.send_due_alerts()
            let_claims_run_out()
        assert (len(failing.titles), len(good.titles)) == (2, 1)
        assert Alert.objects.get().error == "Apprise could not reach the address “Channel” of its team."
        assert "hunter2" not in caplog.text
        assert "hunter2" not in str(list(Alert.objects.values()))

    def test_an_address_that_cannot_be_decrypted_is_named(
        self, connect: ConnectionFactory, addresses: list[Address], alice: User, settings: LazySettings
    ) -> None:
        store(team_of(alice), "Channel", addresses[0])
        alerts.alert_connection_broken(connect())
        settings.TOKEN_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
        delivery.send_due_alerts()
        assert "The address “Channel” of its team cannot be read" in Alert.objects.get().error
        assert addresses[0].titles == []
