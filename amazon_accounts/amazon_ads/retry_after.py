"""How long Amazon asks us to wait. Its `Retry-After` is often missing, and not always sensible."""

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: One login may be sent away for a day (seen in practice); no header locks anybody out for longer.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def parse_retry_after(header: str | None, date_header: str | None = None) -> float | None:
    """Seconds to wait, at most a day; None where the header is absent, malformed or asks for no wait.

    A date is measured from the answer's own `Date`, if it has one, so that a wrong clock of ours does no harm.
    """
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        until = _http_date(text)
        if until is None:
            return None
        seconds = (until - (_http_date(date_header or "") or datetime.now(UTC))) / timedelta(seconds=1)
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
