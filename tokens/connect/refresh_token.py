"""Connecting an Amazon login by a refresh token that a person already has."""

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from django.contrib.auth.models import User
from django.utils import timezone
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.postgresql.threads import in_thread
from tokens.connect import grants
from tokens.connect.grants import Connected, Consent, Proof
from tokens.connect.identity import ask_identity
from tokens.permissions import System, require


async def connect_with_refresh_token(
    user: User | System,
    owner: User,
    label: str,
    refresh_token: str,
    *,
    regions: Collection[str],
    consented_at: datetime | None,
    amazon: AmazonClient,
    max_wait: float = MAX_WAIT_SECONDS,
) -> Connected:
    """Connect the login of a refresh token. A refresh proves the token before anything is stored.

    Raises PermissionDenied, AmazonError, PostponedError or
    AlreadyConnectedError.
    """
    await in_thread(require)(user, "tokens.connect_amazon")
    started_at = timezone.now()
    calls = CallStats()
    grant = await amazon.lwa.refresh(refresh_token, subject=str(uuid7()), max_wait=max_wait, stats=calls)
    received_at = time.monotonic()
    identity = await ask_identity(grant, amazon)
    if grant.refresh_token is None:
        grant = replace(grant, refresh_token=refresh_token)
    consent = Consent(
        owner=owner,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=consented_at,
        label=label,
        regions=regions,
        proof=Proof(started_at, tries=calls.requests),
    )
    return await in_thread(grants.connect)(consent)
