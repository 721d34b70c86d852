"""About whom Amazon's billing is asked, and what is stored of its answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection as database
from django.db.backends.utils import CursorWrapper

from accounts.standing.listed_status import STATUSES
from amazon_accounts.amazon_ads.answers import AdvertiserMarketplace, BillingNotice, BillingStatus
from amazon_accounts.postgresql.statements import load

FIND_DUE_PAIRS: Final = load(__file__, "find_due_pairs")
RECORD_ANSWERS: Final = load(__file__, "record_answers")
SETTLE_ACCOUNTS: Final = load(__file__, "settle_accounts")


class DuePair(NamedTuple):
    """A pair to ask about, with the id of its ads account at Amazon ("" without one) and the ids of its profiles."""

    pair: AdvertiserMarketplace
    ads_account: str
    profiles: Sequence[int]


@dataclass
class BillingAnswer:
    """What Amazon said about one pair; None is what it did not say. `refusal` is Amazon's word for not telling."""

    status: BillingStatus | None = None
    notices: Sequence[BillingNotice] | None = None
    refusal: str | None = None


def find_due_pairs(connection_id: UUID, regions: Sequence[str]) -> dict[str, list[DuePair]]:
    """Return the pairs to ask about, by region."""
    due: dict[str, list[DuePair]] = {region: [] for region in regions}
    with database.cursor() as cursor:
        cursor.execute(
            FIND_DUE_PAIRS,
            {
                "connection": connection_id,
                "regions": list(regions),
                "interval": f"{settings.BILLING_INTERVAL_SECONDS} seconds",
            },
        )
        for region, advertiser, marketplace, kind, ads_account, profiles in cursor.fetchall():
            pair = AdvertiserMarketplace(advertiser, marketplace, kind)
            due[region].append(DuePair(pair, ads_account, tuple(profiles)))
    return due


def record_answers(
    cursor: CursorWrapper, connection_id: UUID, answers: Iterable[tuple[DuePair, BillingAnswer]]
) -> None:
    """Store the answers to one connection, and settle the accounts that they are about."""
    rows = [
        _describe_answer(profile, answer)
        for due, answer in answers
        for profile in due.profiles
        if answer != BillingAnswer()
    ]
    if not rows:
        return
    cursor.execute(RECORD_ANSWERS, {"answers": _encode(rows), "connection": connection_id})
    (accounts,) = cursor.fetchone()
    settle_accounts(cursor, accounts)


def settle_accounts(cursor: CursorWrapper, accounts: Sequence[UUID]) -> None:
    """Make standing and status of these accounts follow from their profiles."""
    _settle(cursor, accounts=list(accounts), connection=None)


def settle_accounts_of(cursor: CursorWrapper, connection_id: UUID) -> None:
    """Make standing and status of all accounts that a connection sees follow from their profiles."""
    _settle(cursor, accounts=[], connection=connection_id)


def _settle(cursor: CursorWrapper, **chosen: Any) -> None:
    cursor.execute(SETTLE_ACCOUNTS, {**chosen, "statuses": _encode(STATUSES)})


def _describe_answer(profile: int, answer: BillingAnswer) -> dict[str, Any]:
    row: dict[str, Any] = {"profile": profile}
    if answer.status is not None:
        row |= {"status": answer.status.code, "message": answer.status.message}
    if answer.notices is not None:
        row["notices"] = [_describe_notice(notice) for notice in answer.notices]
    if answer.refusal is not None:
        row["refusal"] = answer.refusal
    return row


def _describe_notice(notice: BillingNotice) -> dict[str, str | None]:
    return {
        "name": notice.name,
        "severity": notice.severity,
        "impact": notice.impact,
        "title": notice.title,
        "description": notice.description,
        "due_at": _show_moment(notice.due_at),
        "suspension_at": _show_moment(notice.suspension_at),
    }


def _show_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _encode(value: object) -> str:
    return msgspec.json.encode(value).decode()
