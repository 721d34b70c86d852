"""Connecting an Amazon login by a refresh token that a person already has."""

import re
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from uuid_utils.compat import uuid7

from amazon_accounts.amazon_ads.client import AmazonClient
from amazon_accounts.amazon_ads.pacing.pace import MAX_WAIT_SECONDS
from amazon_accounts.amazon_ads.pacing.slots import CallStats
from amazon_accounts.postgresql.threads import in_thread
from tokens.connect import grants
from tokens.connect.grants import AuthorizationError, Connected, Consent, Proof, record_connected
from tokens.connect.identity import ask_identity
from tokens.models import Team
from tokens.permissions import System, require

# Printable, without spaces. The prefix is part of the token. Amazon's tokens have at most 2048 characters.
REFRESH_TOKEN: Final = re.compile(r"Atzr\|[\x21-\x7e]{1,2043}")


class NotARefreshTokenError(AuthorizationError):
    """This is no refresh token: it must be one line of plain characters, `Atzr|...`."""


def looks_like_refresh_token(text: str) -> bool:
    return REFRESH_TOKEN.fullmatch(text) is not None


async def connect_with_refresh_token(
    user: User | System,
    team: Team,
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

    Raises PermissionDenied, NotARefreshTokenError, AmazonError, PostponedError or AlreadyConnectedError.
    """
    await in_thread(require)(user, "tokens.connect_amazon", team)
    if not looks_like_refresh_token(refresh_token):
        # It may be a secret of another kind, or a name. It is sent nowhere.
        raise NotARefreshTokenError
    began_at = time.monotonic()
    calls = CallStats()
    grant = await amazon.lwa.refresh(refresh_token, subject=str(uuid7()), max_wait=max_wait, stats=calls)
    received_at = time.monotonic()
    identity = await ask_identity(grant, amazon)
    if grant.refresh_token is None:
        grant = replace(grant, refresh_token=refresh_token)
    consent = Consent(
        team=team,
        owner=owner,
        grant=grant,
        identity=identity,
        received_at=received_at,
        consented_at=consented_at,
        label=label,
        regions=regions,
        proof=Proof(began_at, tries=calls.requests),
    )
    return await in_thread(_store)(user, consent)


@transaction.atomic
def _store(user: User | System, consent: Consent) -> Connected:
    connected = grants.connect(consent)
    record_connected(user, connected, "refresh token")
    return connected
