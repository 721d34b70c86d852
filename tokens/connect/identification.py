"""Asking again which Amazon login a connection is, when Amazon gave no answer at the consent.

The answer may show that the login is connected already. Then both connections become one.
"""

import logging
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.dispatch import receiver
from procrastinate import JobContext
from procrastinate.contrib.django import app

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.errors import AmazonError, PostponedError
from amazon_accounts.amazon_ads.lwa import Grant
from amazon_accounts.postgresql.threads import in_thread
from tokens.connect.identity import Identity, ask_identity
from tokens.connect.merging import merge_connections
from tokens.models import Connection
from tokens.queues import TOKENS, amazon_of, defer_once
from tokens.refresh.access_tokens import get_access_token
from tokens.signals import login_unidentified

logger = logging.getLogger(__name__)


@app.task(queue=TOKENS, name="tokens.identify_login", pass_context=True)
async def identify_login(context: JobContext, connection_id: str) -> None:
    await identify_connection(UUID(connection_id), amazon_of(context))


def queue_identification(connection_id: UUID) -> None:
    defer_once(identify_login, f"identify:{connection_id}", connection_id=str(connection_id))


@receiver(login_unidentified, dispatch_uid="tokens.connect")
def on_login_unidentified(connection_id: UUID, **_: Any) -> None:
    queue_identification(connection_id)


async def identify_connection(connection_id: UUID, amazon: AmazonClient) -> bool:
    """Ask Amazon which login the connection is; return whether the answer was recorded.

    Without an answer nothing changes, and the next refresh of the connection asks again.
    """
    # Read before the token: a token of a newer grant is never recorded for this one.
    grant_version = await in_thread(_read_pending_grant)(connection_id)
    if grant_version is None:
        return False
    try:
        access_token = await get_access_token(connection_id, amazon=amazon)
    except (AmazonError, PostponedError) as error:
        logger.info("Connection %s cannot be identified now: %s", connection_id, error)
        return False
    grant = Grant(access_token, refresh_token=None, expires_in=0, request_id="")
    identity = await ask_identity(grant, amazon)
    if identity.is_pending:
        return False
    return await in_thread(record_identity)(connection_id, grant_version, identity)


def _read_pending_grant(connection_id: UUID) -> int | None:
    pending = Connection.objects.live().filter(pk=connection_id, is_identity_pending=True)
    return pending.values_list("grant_version", flat=True).first()


def record_identity(connection_id: UUID, grant_version: int, identity: Identity) -> bool:
    """Store which login the connection is, if its grant is still this one and no refresh of it is under way.

    When another connection of the team has the login, both become one.
    """
    try:
        return _record(connection_id, grant_version, identity)
    except IntegrityError:
        # Another process connected the same login at the same moment. Now the login is found.
        return _record(connection_id, grant_version, identity)


@transaction.atomic
def _record(connection_id: UUID, grant_version: int, identity: Identity) -> bool:
    asked, known = _lock(connection_id, identity)
    if known is not None and known.team_id != asked.team_id:
        # One of them has moved to another team just now. The next refresh asks again.
        return False
    if not asked.is_identity_pending or asked.grant_version != grant_version:
        return False
    if asked.state != Connection.State.ACTIVE:
        return False
    if known is not None:
        # A refresh under way may bring a new refresh token. Its end asks again.
        return not _is_leased(asked) and merge_connections(asked, known, identity)
    asked.is_identity_pending = False
    fields = ["is_identity_pending"]
    if identity.user_id is not None:
        asked.set_login(identity.user_id, identity.name, identity.email)
        fields += ["amazon_user_id", "amazon_user_name", "amazon_user_email"]
    asked.save(update_fields=fields)
    return True


def _lock(connection_id: UUID, identity: Identity) -> tuple[Connection, Connection | None]:
    """Lock the connection, and the other connection of the same team and application that has the login."""
    chosen = Q(pk=connection_id)
    if identity.user_id is not None:
        asked = Connection.objects.only("team_id", "client_id").get(pk=connection_id)
        same_login = Q(team=asked.team_id, client_id=asked.client_id, amazon_user_id=identity.user_id) & ~Q(
            state=Connection.State.DISCONNECTED
        )
        chosen |= same_login
    # In the order of ids, as every statement does that locks several.
    locked = list(Connection.objects.filter(chosen).order_by("pk").select_for_update(no_key=True))
    asked = next(each for each in locked if each.pk == connection_id)
    return asked, next((each for each in locked if each.pk != connection_id), None)


def _is_leased(connection: Connection) -> bool:
    leased = Connection.objects.filter(pk=connection.pk, lease_id__isnull=False, next_refresh_at__gt=Now())
    return leased.exists()
