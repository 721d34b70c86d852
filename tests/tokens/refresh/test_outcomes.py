"""What a refresh leaves behind, by outcome and by error."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from amazon_accounts.amazon_ads.errors import (
    AmazonError,
    ApplicationRefusedError,
    ForbiddenError,
    GrantRevokedError,
    NotFoundError,
    PaceUnavailableError,
    PermanentError,
    PostponedError,
    ThrottledError,
    TransientError,
    UnauthorizedError,
    UnreachableError,
    UnreadableAnswerError,
)
from amazon_accounts.amazon_ads.lwa import Grant
from tests.tokens.conftest import ConnectionFactory
from tests.tokens.factories import make_due, store_tokens
from tokens.connect.disconnect import disconnect_connection
from tokens.errors import UnreadableTokenError
from tokens.models import Alert, Connection, TokenRefresh
from tokens.permissions import SYSTEM
from tokens.refresh import outcomes
from tokens.refresh.lease import Lease, take_lease
from tokens.refresh.revoked import mark_revoked

pytestmark = pytest.mark.django_db

Outcome = TokenRefresh.Outcome
LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def connection(connect: ConnectionFactory) -> Connection:
    return connect("bob")


@pytest.fixture
def taken(connection: Connection) -> Lease:
    lease = take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
    assert lease is not None
    return lease


def new_grant(*, refresh_token: str | None = None, expires_in: int = 3600) -> Grant:
    return Grant("Atza|new", refresh_token, expires_in, "r-1")


def let_another_process_take(lease: Lease) -> None:
    connection = Connection.objects.get(pk=lease.connection_id)
    make_due(connection)
    assert take_lease(connection.pk, TokenRefresh.Trigger.MANUAL) is not None


def refresh_of(lease: Lease) -> TokenRefresh:
    return TokenRefresh.objects.get(pk=lease.refresh_id)


def what_is_stored() -> tuple[object, ...]:
    stored = Connection.objects.get()
    assert stored.refresh_token is not None
    assert stored.access_token is not None
    tokens = stored.refresh_token.reveal(), stored.access_token.reveal()
    return *tokens, stored.state, stored.grant_version, stored.next_refresh_at, stored.refresh_count


class TestFailure:
    @pytest.mark.parametrize(
        ("error", "outcome"),
        [
            (TransientError("Down."), Outcome.TRANSIENT),
            (UnreachableError("No answer."), Outcome.TRANSIENT),
            (UnreadableAnswerError("Not JSON."), Outcome.TRANSIENT),
            (PaceUnavailableError("No database."), Outcome.TRANSIENT),
            (ThrottledError("Slow down."), Outcome.THROTTLED),
            (ApplicationRefusedError("No."), Outcome.CONFIG),
            (PermanentError("Wrong."), Outcome.PERMANENT),
            (NotFoundError("Nothing."), Outcome.PERMANENT),
            (ForbiddenError("No right."), Outcome.PERMANENT),
            (UnauthorizedError("No right."), Outcome.PERMANENT),
            (UnreadableTokenError(), Outcome.PERMANENT),
            (PostponedError(LATER), Outcome.POSTPONED),
        ],
        ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
    )
    def test_every_error_has_an_outcome(
        self, taken: Lease, error: AmazonError | PostponedError, outcome: Outcome
    ) -> None:
        assert outcomes.record_failure(taken, error, tries=2) == outcome
        refresh = refresh_of(taken)
        assert (refresh.outcome, refresh.error, refresh.tries) == (outcome, str(error), 2)
        assert refresh.finished_at is not None

    @pytest.mark.parametrize(
        "error", [TransientError("Down."), PermanentError("Wrong."), ForbiddenError("No.")]
    )
    def test_an_error_of_this_connection_is_shown_on_it(
        self, connection: Connection, taken: Lease, error: AmazonError
    ) -> None:
        outcomes.record_failure(taken, error, tries=1)
        connection.refresh_from_db()
        assert connection.last_error == str(error)
        assert connection.last_error_at is not None

    @pytest.mark.parametrize(
        "error", [ThrottledError("Slow down."), ApplicationRefusedError("No."), PostponedError(LATER)]
    )
    def test_an_error_that_concerns_every_connection_is_not_shown_on_this_one(
        self, connection: Connection, taken: Lease, error: AmazonError | PostponedError
    ) -> None:
        outcomes.record_failure(taken, error, tries=1)
        connection.refresh_from_db()
        assert connection.last_error == ""
        assert connection.last_error_at is None

    def test_the_connection_is_tried_again_soon(self, connection: Connection, taken: Lease) -> None:
        outcomes.record_failure(taken, TransientError("Down."), tries=1)
        connection.refresh_from_db()
        assert connection.state == Connection.State.ACTIVE
        assert connection.lease_id is None
        assert connection.next_refresh_at is not None
        assert timedelta(0) < connection.next_refresh_at - timezone.now() <= timedelta(seconds=30)

    def test_amazons_words_are_kept_for_its_support(self, taken: Lease) -> None:
        error = TransientError("Down.", code="ServerError", request_id="r-9")
        outcomes.record_failure(taken, error, tries=1)
        refresh = refresh_of(taken)
        assert (refresh.error_code, refresh.request_id) == ("ServerError", "r-9")

    @pytest.mark.parametrize(
        ("minutes", "token", "is_valid"),
        [(5, "Atza|old", True), (-5, "Atza|old", False), (5, None, False)],
    )
    def test_the_history_says_whether_a_token_was_left(
        self, connect: ConnectionFactory, minutes: int, token: str | None, is_valid: bool
    ) -> None:
        connection = connect(access_token=token, expires_at=timezone.now() + timedelta(minutes=minutes))
        lease = take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
        assert lease is not None
        outcomes.record_failure(lease, TransientError("Down."), tries=1)
        assert refresh_of(lease).token_valid_after is is_valid

    def test_after_the_lease_was_lost_the_connection_stays_as_it_is(
        self, connection: Connection, taken: Lease
    ) -> None:
        let_another_process_take(taken)
        before = Connection.objects.values("lease_id", "next_refresh_at", "last_error").get()
        assert outcomes.record_failure(taken, TransientError("Down."), tries=1) == Outcome.SUPERSEDED
        assert Connection.objects.values("lease_id", "next_refresh_at", "last_error").get() == before
        # The process that took the lease has closed the refresh as lost.
        assert refresh_of(taken).outcome == Outcome.LOST


class TestSuccess:
    def test_the_new_token_is_stored(self, connection: Connection, taken: Lease) -> None:
        outcome = outcomes.record_success(taken, new_grant(), sent_at=time.monotonic(), tries=1)
        assert outcome == Outcome.SUCCEEDED
        connection.refresh_from_db()
        assert connection.access_token is not None
        assert connection.access_token.reveal() == "Atza|new"
        assert connection.refresh_count == 1
        assert connection.lease_id is None
        assert refresh_of(taken).new_expires_at == connection.expires_at

    def test_the_life_of_a_token_counts_from_the_call(self, connection: Connection, taken: Lease) -> None:
        outcomes.record_success(taken, new_grant(), sent_at=time.monotonic() - 600, tries=1)
        connection.refresh_from_db()
        assert connection.expires_at is not None
        assert abs((connection.expires_at - timezone.now()).total_seconds() - 3000) < 5

    def test_a_token_that_came_too_late_is_due_at_once(self, connection: Connection, taken: Lease) -> None:
        outcomes.record_success(taken, new_grant(expires_in=60), sent_at=time.monotonic() - 600, tries=1)
        connection.refresh_from_db()
        assert connection.next_refresh_at is not None
        assert (connection.next_refresh_at - timezone.now()).total_seconds() <= 1

    def test_a_success_clears_the_errors_before_it(self, connect: ConnectionFactory) -> None:
        connection = connect(last_error="Down.", last_error_at=timezone.now(), grant_refusals=1)
        lease = take_lease(connection.pk, TokenRefresh.Trigger.MANUAL)
        assert lease is not None
        outcomes.record_success(lease, new_grant(), sent_at=time.monotonic(), tries=1)
        connection.refresh_from_db()
        assert (connection.last_error, connection.last_error_at, connection.grant_refusals) == ("", None, 0)

    def test_after_the_lease_was_lost_no_token_is_stored(self, connection: Connection, taken: Lease) -> None:
        let_another_process_take(taken)
        outcome = outcomes.record_success(taken, new_grant(), sent_at=time.monotonic(), tries=1)
        assert outcome == Outcome.SUPERSEDED
        connection.refresh_from_db()
        assert connection.access_token is not None
        assert connection.access_token.reveal() == "Atza|old"
        assert connection.refresh_count == 0

    def test_a_rotated_refresh_token_is_kept_though_the_lease_was_lost(
        self, connection: Connection, taken: Lease
    ) -> None:
        let_another_process_take(taken)
        grant = new_grant(refresh_token="Atzr|rotated")
        outcomes.record_success(taken, grant, sent_at=time.monotonic(), tries=1)
        connection.refresh_from_db()
        assert connection.refresh_token is not None
        assert connection.refresh_token.reveal() == "Atzr|rotated"

    def test_a_rotated_refresh_token_does_not_replace_a_newer_one(
        self, connection: Connection, taken: Lease
    ) -> None:
        let_another_process_take(taken)
        store_tokens(connection, refresh_token="Atzr|newer")
        grant = new_grant(refresh_token="Atzr|rotated")
        outcomes.record_success(taken, grant, sent_at=time.monotonic(), tries=1)
        connection.refresh_from_db()
        assert connection.refresh_token is not None
        assert connection.refresh_token.reveal() == "Atzr|newer"

    def test_a_disconnected_connection_gets_no_token_back(self, connection: Connection, taken: Lease) -> None:
        disconnect_connection(SYSTEM, connection)
        grant = new_grant(refresh_token="Atzr|rotated")
        outcome = outcomes.record_success(taken, grant, sent_at=time.monotonic(), tries=1)
        assert outcome == Outcome.SUPERSEDED
        connection.refresh_from_db()
        assert connection.access_token is None
        assert connection.refresh_token is None


class TestFrozen:
    """Another process was refused meanwhile, because this one had got the token that replaced the stored one."""

    GRANT = new_grant(refresh_token="Atzr|rotated")

    def record(self, taken: Lease) -> Outcome:
        return outcomes.record_success(taken, self.GRANT, sent_at=time.monotonic(), tries=1)

    def test_the_only_good_token_heals_the_connection(self, connection: Connection, taken: Lease) -> None:
        assert mark_revoked(connection, "Refused.")
        assert self.record(taken) == Outcome.SUPERSEDED
        connection.refresh_from_db()
        assert connection.state == Connection.State.ACTIVE
        assert connection.refresh_token is not None
        assert connection.refresh_token.reveal() == "Atzr|rotated"
        assert connection.access_token is not None
        assert connection.access_token.reveal() == "Atza|new"
        assert connection.expires_at is not None
        assert connection.expires_at > timezone.now() + timedelta(minutes=59)
        assert (connection.last_error, connection.last_error_at, connection.grant_refusals) == ("", None, 0)
        assert connection.refresh_count == 1
        assert connection.grant_version == 2
        # Due at once: Amazon says soon whether it accepts the token.
        assert connection.next_refresh_at is not None
        assert connection.next_refresh_at <= timezone.now()
        kinds = {Alert.Kind.CONNECTION_BROKEN, Alert.Kind.CONNECTION_HEALED}
        assert set(Alert.objects.values_list("kind", flat=True)) == kinds
        assert connection.sync_runs.filter(state="waiting", trigger="connect").count() == 1

    def test_a_connection_that_breaks_again_is_told_again(self, connection: Connection, taken: Lease) -> None:
        mark_revoked(connection, "Refused.")
        self.record(taken)
        connection.refresh_from_db()
        assert mark_revoked(connection, "Refused.")
        assert Alert.objects.filter(kind=Alert.Kind.CONNECTION_BROKEN).count() == 2

    @pytest.mark.parametrize(
        "meanwhile",
        [
            {"refresh_token": "Atzr|newer"},
            {"grant_version": 2},
            {"grant_version": 2, "state": Connection.State.ACTIVE},
        ],
    )
    def test_a_newer_grant_stays(
        self, connection: Connection, taken: Lease, meanwhile: dict[str, object]
    ) -> None:
        mark_revoked(connection, "Refused.")
        stored = Connection.objects.get()
        for name, value in meanwhile.items():
            setattr(stored, name, value)
        stored.save()
        before = what_is_stored()
        assert self.record(taken) == Outcome.SUPERSEDED
        assert what_is_stored() == before

    def test_the_token_that_is_stored_already_heals_nothing(
        self, connection: Connection, taken: Lease
    ) -> None:
        mark_revoked(connection, "Refused.")
        grant = new_grant(refresh_token=taken.refresh_token.reveal())
        outcomes.record_success(taken, grant, sent_at=time.monotonic(), tries=1)
        assert Connection.objects.get().is_broken


class TestRevoked:
    ERROR = GrantRevokedError("Amazon answered 400 (invalid_grant).", code="invalid_grant")

    def test_the_connection_waits_for_a_person(self, connection: Connection, taken: Lease) -> None:
        assert outcomes.record_revoked(taken, self.ERROR, tries=2) == Outcome.REAUTHORIZATION_REQUIRED
        connection.refresh_from_db()
        assert connection.state == Connection.State.REAUTHORIZATION_REQUIRED
        assert connection.next_refresh_at is None
        assert connection.lease_id is None
        assert connection.last_error == str(self.ERROR)
        assert Alert.objects.get().kind == Alert.Kind.CONNECTION_BROKEN

    def test_a_grant_that_was_replaced_is_not_marked(self, connection: Connection, taken: Lease) -> None:
        Connection.objects.update(grant_version=2)
        assert outcomes.record_revoked(taken, self.ERROR, tries=2) == Outcome.SUPERSEDED
        connection.refresh_from_db()
        assert connection.state == Connection.State.ACTIVE
        assert not Alert.objects.exists()

    def test_a_sync_may_mark_a_connection_too(self, connection: Connection) -> None:
        assert mark_revoked(connection, "Refused.")
        connection.refresh_from_db()
        assert connection.is_broken
        # The second sync finds it marked.
        assert not mark_revoked(connection, "Refused.")
        assert Alert.objects.count() == 1

    def test_a_sync_does_not_mark_a_connection_that_was_reconnected(self, connection: Connection) -> None:
        Connection.objects.update(grant_version=2)
        assert not mark_revoked(connection, "Refused.")
        assert Connection.objects.get().state == Connection.State.ACTIVE


class TestSuperseded:
    def test_an_open_refresh_is_closed(self, taken: Lease) -> None:
        assert outcomes.close_as_superseded(taken, tries=3) == Outcome.SUPERSEDED
        refresh = refresh_of(taken)
        assert (refresh.outcome, refresh.tries) == (Outcome.SUPERSEDED, 3)
        assert refresh.token_valid_after is None

    def test_a_closed_refresh_keeps_its_outcome(self, taken: Lease) -> None:
        let_another_process_take(taken)
        outcomes.close_as_superseded(taken, tries=3)
        assert refresh_of(taken).outcome == Outcome.LOST
