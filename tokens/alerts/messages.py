"""What the messages say. A message is about alerts of one kind."""

from collections.abc import Sequence
from typing import Final

from amazon_accounts.web.links import build_link
from tokens.models import Alert

MAX_LINES: Final = 10

TITLES: Final = {
    Alert.Kind.CONNECTION_BROKEN: ("Amazon refuses a login", "Amazon refuses {count} logins"),
    Alert.Kind.CONNECTION_HEALED: ("A login is connected again", "{count} logins are connected again"),
    Alert.Kind.APPLICATION_REFUSED: ("Amazon refuses our application",) * 2,
    Alert.Kind.APPLICATION_ACCEPTED: ("Amazon accepts our application again",) * 2,
    Alert.Kind.CONSENT_ENDING: ("A consent ends soon", "{count} consents end soon"),
    Alert.Kind.ACCOUNT_SUSPENDED: (
        "Amazon has suspended an account",
        "Amazon has suspended {count} accounts",
    ),
    Alert.Kind.ACCOUNT_RESTORED: (
        "An account can advertise again",
        "{count} accounts can advertise again",
    ),
    Alert.Kind.SUSPENSION_ANNOUNCED: (
        "Amazon will suspend an account",
        "Amazon will suspend {count} accounts",
    ),
    Alert.Kind.PAYMENT_METHOD_ENDING: (
        "A payment method ends soon",
        "Payment methods of {count} accounts end soon",
    ),
    Alert.Kind.WEBHOOK_SWITCHED_OFF: ("A webhook was switched off", "{count} webhooks were switched off"),
    Alert.Kind.API_KEY_ENDING: ("An API key ends soon", "{count} API keys end soon"),
    Alert.Kind.CONNECTION_FAILING: (
        "A login has failed for a while",
        "{count} logins have failed for a while",
    ),
    Alert.Kind.CONNECTION_WORKING: ("A login works again", "{count} logins work again"),
    Alert.Kind.MANY_FAILING: ("Many logins fail at once",) * 2,
    Alert.Kind.MANY_WORKING: ("Many logins work again",) * 2,
    Alert.Kind.SERVICE_FAILING: ("A part of the console does not work",) * 2,
    Alert.Kind.SERVICE_WORKING: ("A part of the console works again",) * 2,
}
# Where a message leads that names only some of many.
PAGES: Final = {
    Alert.Kind.ACCOUNT_SUSPENDED: "/accounts/?status=suspended",
    Alert.Kind.SUSPENSION_ANNOUNCED: "/accounts/?standing=at_risk",
    Alert.Kind.PAYMENT_METHOD_ENDING: "/accounts/?standing=at_risk",
    Alert.Kind.API_KEY_ENDING: "/keys/",
    Alert.Kind.CONNECTION_FAILING: "/connections/",
    Alert.Kind.MANY_FAILING: "/connections/",
    Alert.Kind.WEBHOOK_SWITCHED_OFF: "/webhooks/",
}


def compose(alerts: Sequence[Alert]) -> tuple[str, str]:
    """Return title and text of one message for alerts of one kind."""
    kind = Alert.Kind(alerts[0].kind)
    one, many = TITLES[kind]
    title = one if len(alerts) == 1 else many.format(count=len(alerts))
    lines = [alert.text for alert in alerts[:MAX_LINES]]
    if len(alerts) > MAX_LINES:
        lines.append(f"And {len(alerts) - MAX_LINES} more.")
    return title, "\n\n".join([*lines, build_link(PAGES.get(kind, "/"))])
