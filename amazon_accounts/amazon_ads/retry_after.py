"""How long Amazon asks us to wait. The header `Retry-After` is often missing, and sometimes malformed."""

import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from amazon_accounts.postgresql.clock import approximate_now

# Amazon was seen to pause one login for a day. No header pauses a login for longer.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0

_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def parse_retry_after(header: str | None, date_header: str | None = None) -> float | None:
    """Return the seconds to wait, at most a day; None if the header is absent, malformed or not in the future."""
    text = (header or "").strip()
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        until = _parse_http_date(text)
        if until is None:
            return None
        # Measured from the answer's own date, so that a wrong clock here does no harm.
        seconds = (until - (_parse_http_date(date_header or "") or approximate_now())) / timedelta(seconds=1)
    if not math.isfinite(seconds) or seconds <= 0:
        return None
    return min(seconds, MAX_RETRY_AFTER_SECONDS)


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
