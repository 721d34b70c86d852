"""What Amazon's refusals have shown about the form of requests about billing. All processes share it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from amazon_accounts.amazon_ads.billing.endpoints import MAX_PAIRS
from amazon_accounts.amazon_ads.errors import PaceUnavailableError
from amazon_accounts.amazon_ads.models import BillingRequestForm
from amazon_accounts.amazon_ads.pacing.database import PacingDatabase
from amazon_accounts.postgresql.clock import approximate_now

# After this time the form of the specification is tried again. That costs a few requests, and a passing fault of
# Amazon's does not change the form for good.
FORM_LASTS = timedelta(days=1)


@dataclass(frozen=True)
class Form:
    """The default is that of Amazon's specification."""

    max_pairs: int = MAX_PAIRS
    # Notifications are asked for with the header of one ads account.
    needs_account: bool = False


class FormMemory:
    """Reads the form once, and tells all questions of its owner what one of them learns."""

    def __init__(self, database: PacingDatabase, client_id: str) -> None:
        self._database = database
        self._client_id = client_id
        self._form: Form | None = None

    async def load(self) -> Form:
        if self._form is None:
            try:
                self._form = await self._database.run(_load, self._client_id)
            except PaceUnavailableError:
                # The requests will name this outage.
                return Form()
        return self._form

    async def remember_limit(self, max_pairs: int) -> None:
        self._form = replace(self._form or Form(), max_pairs=max_pairs)
        await self._database.try_to_record(
            _save, self._client_id, {"max_pairs": max_pairs, "limited_at": approximate_now()}
        )

    async def remember_account_header(self) -> None:
        self._form = replace(self._form or Form(), needs_account=True)
        await self._database.try_to_record(_save, self._client_id, {"account_wanted_at": approximate_now()})


def _load(client_id: str) -> Form:
    row = BillingRequestForm.objects.filter(client_id=client_id).first()
    if row is None:
        return Form()
    return Form(
        max_pairs=row.max_pairs if _is_fresh(row.limited_at) else MAX_PAIRS,
        needs_account=_is_fresh(row.account_wanted_at),
    )


def _is_fresh(learned_at: datetime | None) -> bool:
    return learned_at is not None and learned_at > approximate_now() - FORM_LASTS


def _save(client_id: str, learned: dict[str, int | datetime]) -> None:
    BillingRequestForm.objects.update_or_create(client_id=client_id, defaults=learned)
