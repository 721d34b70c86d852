"""One line of "Needs attention"."""

from dataclasses import dataclass
from uuid import UUID

from dashboard.status import Tone


@dataclass(frozen=True, kw_only=True)
class Problem:
    tone: Tone
    word: str
    name: str
    cause: str
    # For support.
    details: str = ""
    action: str = ""
    address: str = ""
    # The button of the page that is filled.
    is_main: bool = False
    # The connection that the button sends back to Amazon, by a form and not by a link.
    reconnect: UUID | None = None
    # The filters of the connections whose contacts can be sent renewal links; "" if none can.
    links_query: str = ""
