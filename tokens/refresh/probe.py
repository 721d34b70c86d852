"""While Amazon refuses our application, a single refresh finds out whether Amazon accepts it again."""

from django.conf import settings

from amazon_accounts.amazon_ads.errors import ApplicationRefusedError, GrantRevokedError
from amazon_accounts.amazon_ads.models import ApplicationRefusal
from amazon_accounts.amazon_ads.pacing import application
from amazon_accounts.postgresql.threads import in_thread
from tokens.models import TokenRefresh
from tokens.refresh.exchange import Refreshed

Outcome = TokenRefresh.Outcome


async def read_refusal() -> ApplicationRefusal | None:
    return await in_thread(application.get_refusal)(settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET)


async def take_probe(refusal: ApplicationRefusal, *, pause: float) -> bool:
    """Return whether the caller may ask Amazon now. One caller in each `pause` (seconds) may ask."""
    return await in_thread(application.take_probe)(refusal, pause=pause)


async def require_probe(refusal: ApplicationRefusal, *, pause: float) -> None:
    if not await take_probe(refusal, pause=pause):
        raise ApplicationRefusedError(refusal.message, code=refusal.code)


async def lift_refusal_if_accepted(refreshed: Refreshed) -> bool:
    """Forget the refusal if this refresh shows that Amazon accepts the application; return whether it does."""
    is_accepted = _proves_acceptance(refreshed)
    if is_accepted:
        await in_thread(application.record_acceptance)(
            settings.AMAZON_CLIENT_ID, settings.AMAZON_CLIENT_SECRET
        )
    return is_accepted


def _proves_acceptance(refreshed: Refreshed) -> bool:
    # Amazon gives or refuses a login's token only if it accepts the application that asks.
    if refreshed.outcome in {Outcome.SUCCEEDED, Outcome.REAUTHORIZATION_REQUIRED}:
        return True
    # A superseded refresh may have ended with any error.
    return refreshed.outcome == Outcome.SUPERSEDED and (
        refreshed.error is None or isinstance(refreshed.error, GrantRevokedError)
    )
