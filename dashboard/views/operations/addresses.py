"""Links of the operations' pages."""

from dataclasses import dataclass
from urllib.parse import urlencode

from dashboard.status import Status


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One choice of a filter, as a link that turns it on or off."""

    word: str
    address: str
    current: bool
    status: Status | None = None


def make_address(parameters: dict[str, str], **changes: str) -> str:
    return f"?{urlencode({name: value for name, value in {**parameters, **changes}.items() if value})}"
