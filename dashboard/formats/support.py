"""Technical texts, as support needs them: Amazon's words, each request id once, times in the viewer's zone."""

import re
from datetime import UTC, datetime
from typing import Final

from dashboard.formats.times import format_moment

MAX_REQUEST_IDS: Final = 3
# As amazon_accounts.amazon_ads.errors writes them.
_REQUEST_ID: Final = re.compile(r" ?\(Amazon's request id: ([^)]*)\)")
_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d)(?::\d\d)? UTC")


def write_for_support(text: str, code: str = "", request_id: str = "") -> str:
    ids = list(dict.fromkeys([*_REQUEST_ID.findall(text), *filter(None, [request_id])]))
    parts = [_MOMENT.sub(_localise, _REQUEST_ID.sub("", text)), code if code and code not in text else ""]
    if ids:
        more = f" and {len(ids) - MAX_REQUEST_IDS:,} more" if len(ids) > MAX_REQUEST_IDS else ""
        parts.append(f"request {', '.join(ids[:MAX_REQUEST_IDS])}{more}")
    return " · ".join(filter(None, parts))


def _localise(found: re.Match[str]) -> str:
    try:
        return format_moment(datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC))
    except ValueError:
        return found[0]
