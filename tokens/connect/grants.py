"""Storing a grant: as a new connection, or in a connection that exists already."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.clock import database_now
from tokens.alerts import create as alerts
from tokens.connect.identification import queue_identification
from tokens.connect.identity import Identity
from tokens.connect.scopes import tells_identity
from tokens.encryption import DecryptionError
from tokens.models import Connection, Team, TokenRefresh, all_regions
from tokens.people.audit import Action, record_audit
from tokens.permissions import System
from tokens.refresh.delays import choose_refresh_delay
from tokens.request_order import order_request
from tokens.signals import connection_changed


class AuthorizationError(Exception):
    """The login could not be connected."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or self.__doc__)


class WrongLoginError(AuthorizationError):
    """The person signed in at Amazon with another login than the connection belongs to."""

    def __init__(self, message: str, connection: Connection) -> None:
        super().__init__(message)
        self.connection = connection


class AlreadyConnectedError(AuthorizationError):
    """This Amazon login is connected already, as another connection."""


@dataclass(frozen=True)
class Connected:
    """The connection that has the grant now, and whether it is new.

    `is_repeat` says that the grant was stored before and nothing was done now.
    """

    connection: Connection
    is_new: bool
    is_repeat: bool = False


@dataclass(frozen=True)
class Consent:
    """A grant that is not stored yet, and everything that came with it.

    `team`, `owner`, `label` and `regions` are for a new connection.
    """

    team: Team
    owner: User
    grant: Grant
    identity: Identity
    received_at: float = field(default_factory=time.monotonic)
    consented_at: datetime | None = None
    label: str = ""
    regions: Collection[str] = ()
    proof: "Proof | None" = None


@dataclass(frozen=True)
class Proof:
    """The refresh that proved a refresh token. `began_at` is a reading of the monotonic clock."""

    began_at: float
    tries: int


def connect(consent: Consent) -> Connected:
    """Store the grant in the connection that this login has already, or in a new connection."""
    try:
        with transaction.atomic():
            known = _connection_of_login(consent)
            if known is not None:
                return Connected(_renew(known, consent), is_new=False)
            return Connected(_create(consent), is_new=True)
    except IntegrityError:
        # Another process connected the same login at the same moment.
        with transaction.atomic():
            known = _connection_of_login(consent)
            if known is None:
                raise
            return Connected(_renew(known, consent), is_new=False)


def _connection_of_login(consent: Consent) -> Connection | None:
    # Without an identity, a login is recognized by its refresh token.
    of_team = Connection.objects.filter(team=consent.team, client_id=settings.AMAZON_CLIENT_ID)
    candidates = of_team.exclude(state=Connection.State.DISCONNECTED)
    if consent.identity.user_id is not None:
        candidates = candidates.filter(amazon_user_id=consent.identity.user_id)
    else:
        candidates = candidates.filter(
            pk__in=[each.pk for each in candidates if _has_token_of(each, consent)]
        )
    return candidates.select_for_update().first()


def _has_token_of(connection: Connection, consent: Consent) -> bool:
    # A stored token that cannot be decrypted counts as another one.
    stored = connection.refresh_token
    try:
        return stored is not None and stored.reveal() == consent.grant.refresh_token
    except DecryptionError:
        return False


def _create(consent: Consent) -> Connection:
    connection = Connection(
        team=consent.team,
        owner=consent.owner,
        label=consent.label or consent.identity.title or f"Amazon login of {database_now():%Y-%m-%d %H:%M}",
        regions=list(consent.regions) or all_regions(),
        grant_version=0,
    )
    _set_grant(connection, consent)
    connection.save(force_insert=True)
    _record_proof(connection, consent)
    _ask_again_if_pending(connection)
    connection_changed.send(sender=Connection, connection=connection, change="connected")
    return connection


def record_connected(
    user: User | System | None, connected: Connected, given_by: str, link: UUID | None = None
) -> None:
    """Record who connected or reconnected the login: a person, or somebody with a client link.

    The caller has stored the grant in the same transaction.
    """
    connection = connected.connection
    record_audit(
        user,
        Action.CONNECTION_CONNECT if connected.is_new else Action.CONNECTION_RECONNECT,
        connection,
        after={
            "owner": connection.owner_id,
            "regions": connection.regions,
            "grant_version": connection.grant_version,
            "given_by": given_by,
            **({"link": str(link)} if link else {}),
        },
    )


def reconnect(connection_id: UUID, consent: Consent) -> Connected:
    """Store the grant in this connection.

    A grant whose login Amazon has not told yet is stored in a new connection when the login of this connection is
    known. The two become one when Amazon tells the same login. Raises WrongLoginError for the grant of another
    login, and AlreadyConnectedError.
    """
    with transaction.atomic():
        connection = Connection.objects.select_for_update().get(pk=connection_id)
        if consent.identity.is_pending and connection.amazon_user_id is not None:
            # Of the same team and owner, even if another person gave the consent: only then the two can become one.
            return connect(
                replace(consent, team=connection.team, owner=connection.owner, regions=connection.regions)
            )
        _require_same_login(connection, consent.identity)
        try:
            with transaction.atomic():
                return Connected(_renew(connection, consent), is_new=False)
        except IntegrityError as error:
            raise AlreadyConnectedError(
                f"You signed in to Amazon as {consent.identity.title}, which is connected already. "
                "Nothing was changed."
            ) from error


def _require_same_login(connection: Connection, came_back: Identity) -> None:
    if connection.is_forgotten:
        raise WrongLoginError(
            "This login was forgotten and cannot be reconnected. Connect it as a new connection.", connection
        )
    if connection.amazon_user_id is None:
        return
    if came_back.user_id is None:
        if tells_identity(settings.AMAZON_SCOPES):
            raise WrongLoginError(
                "Amazon did not tell which login you signed in with, so this connection was left as it is. "
                "Start again and allow access to the profile.",
                connection,
            )
        return
    if connection.amazon_user_id != came_back.user_id:
        raise WrongLoginError(
            f"You signed in to Amazon as {came_back.title}, but this connection belongs to "
            f"{connection.amazon_user}. Nothing was changed.",
            connection,
        )


def _renew(connection: Connection, consent: Consent) -> Connection:
    # The label and the regions stay: only `update_connection` changes them.
    was_broken = connection.state == Connection.State.REAUTHORIZATION_REQUIRED
    known_since = connection.consented_at if _has_token_of(connection, consent) else None
    _set_grant(connection, consent)
    connection.consented_at = consent.consented_at or known_since
    connection.save()
    _record_proof(connection, consent)
    _ask_again_if_pending(connection)
    if was_broken:
        alerts.alert_connection_healed(connection)
    connection_changed.send(sender=Connection, connection=connection, change="healed")
    return connection


def _ask_again_if_pending(connection: Connection) -> None:
    # A worker asks at once, and every refresh asks until Amazon answers.
    if connection.is_identity_pending:
        queue_identification(connection.pk)


def _set_grant(connection: Connection, consent: Consent) -> None:
    # Without its lease, a refresh of the old grant that still runs can change nothing.
    now = database_now()
    age = time.monotonic() - consent.received_at
    life = max(consent.grant.expires_in - age, 0.0)
    identity = consent.identity
    connection.client_id = settings.AMAZON_CLIENT_ID
    connection.state = Connection.State.ACTIVE
    if identity.user_id is not None:
        connection.set_login(identity.user_id, identity.name, identity.email)
    connection.is_identity_pending = identity.is_pending and connection.amazon_user_id is None
    connection.access_token = consent.grant.access_token
    connection.refresh_token = consent.grant.refresh_token
    connection.expires_at = now + timedelta(seconds=life)
    connection.next_refresh_at = now + choose_refresh_delay(life)
    connection.lease_id = None
    connection.last_refreshed_at = now
    connection.consented_at = consent.consented_at
    connection.grant_version += 1
    connection.grant_refusals = 0
    connection.last_error = ""
    connection.last_error_at = None
    connection.disconnected_at = None
    connection.disconnected_by = None
    # An older request to disconnect the login has no effect any more.
    connection.request_numbers = order_request(connection.request_numbers, ["connected"], None).numbers


def _record_proof(connection: Connection, consent: Consent) -> None:
    if consent.proof is None:
        return
    TokenRefresh.objects.create(
        connection=connection,
        grant_version=connection.grant_version,
        trigger=TokenRefresh.Trigger.CONNECT,
        tries=consent.proof.tries,
        started_at=Now() - timedelta(seconds=time.monotonic() - consent.proof.began_at),
        finished_at=Now(),
        outcome=TokenRefresh.Outcome.SUCCEEDED,
        request_id=consent.grant.request_id,
        new_expires_at=connection.expires_at,
        token_valid_after=True,
    )
