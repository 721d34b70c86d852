"""Why something with Amazon failed, in the words of people: what it is called, what happened, and what helps.

What Amazon answered stays in the text of the error. A cause is stored beside it, so that failures can be counted by it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

# `reconnect`: a person signs in at Amazon. `try_again`: the same once more may work. `wait`: it goes on by itself.
Cure = Literal["reconnect", "try_again", "wait", "none"]


class Cause(StrEnum):
    """The worst comes first."""

    LOGIN_REFUSED = "login_refused"
    DISCONNECTED = "disconnected"
    APPLICATION_REFUSED = "application_refused"
    OTHER_APPLICATION = "other_application"
    REQUEST_REFUSED = "request_refused"
    NO_RIGHT = "no_right"
    NO_ANSWER = "no_answer"
    AMAZON_BUSY = "amazon_busy"
    UNCONFIRMED = "unconfirmed"
    INTERRUPTED = "interrupted"
    PAUSED = "paused"
    # Who asked may not do it any more.
    NOT_ALLOWED = "not_allowed"
    # Also what was stored before there were causes.
    OTHER = ""


@dataclass(frozen=True)
class Explanation:
    word: str
    sentence: str
    cure: Cure


EXPLANATIONS: Final[dict[Cause, Explanation]] = {
    Cause.LOGIN_REFUSED: Explanation(
        "Login refused",
        "Amazon refuses the login. Trying again cannot help: it must be reconnected.",
        "reconnect",
    ),
    Cause.DISCONNECTED: Explanation(
        "Disconnected", "The connection was disconnected here. Trying again cannot help.", "none"
    ),
    Cause.APPLICATION_REFUSED: Explanation(
        "Application refused",
        "Amazon refuses our application; no login is at fault. An administrator checks client id and secret.",
        "none",
    ),
    Cause.OTHER_APPLICATION: Explanation(
        "Other application",
        "The connection belongs to another Login with Amazon application than this console's.",
        "none",
    ),
    Cause.REQUEST_REFUSED: Explanation(
        "Request refused",
        "Amazon refuses what it was asked, and would refuse it again. A newer version of this console may help.",
        "none",
    ),
    Cause.NO_RIGHT: Explanation(
        "No right", "The login may not see this. Ask the client for that right at Amazon.", "none"
    ),
    Cause.NO_ANSWER: Explanation(
        "No answer", "Amazon did not answer. The next sync tries again by itself.", "try_again"
    ),
    Cause.AMAZON_BUSY: Explanation("Amazon busy", "Amazon asked us to wait. We go on by ourselves.", "wait"),
    Cause.UNCONFIRMED: Explanation(
        "To be confirmed",
        "Amazon's list missed accounts. Nothing is removed until another sync confirms it.",
        "wait",
    ),
    Cause.INTERRUPTED: Explanation(
        "Interrupted", "The sync was interrupted here before its end. Nothing is lost.", "try_again"
    ),
    Cause.PAUSED: Explanation("Paused", "The connection was paused. Resume it first.", "none"),
    Cause.NOT_ALLOWED: Explanation("Not allowed", "Who asked for it may not do it any more.", "none"),
    Cause.OTHER: Explanation("Failed", "It could not be done.", "try_again"),
}

# By the kinds of `amazon_accounts.amazon_ads.errors`.
_KINDS: Final[dict[str, Cause]] = {
    "transient": Cause.NO_ANSWER,
    "throttled": Cause.AMAZON_BUSY,
    "postponed": Cause.AMAZON_BUSY,
    "reauthorise": Cause.LOGIN_REFUSED,
    "forbidden": Cause.NO_RIGHT,
    "config": Cause.APPLICATION_REFUSED,
    "permanent": Cause.REQUEST_REFUSED,
    "unconfirmed": Cause.UNCONFIRMED,
    # Of a refresh whose process died.
    "lost": Cause.INTERRUPTED,
}


def find_cause_of(kind: str | None) -> Cause:
    """Return the cause of an error of this kind."""
    return _KINDS.get(kind or "", Cause.OTHER)


def explain(cause: str) -> Explanation:
    """Return what a stored cause means. A cause of a newer version is like any other failure."""
    return EXPLANATIONS.get(Cause(cause) if cause in set(Cause) else Cause.OTHER) or EXPLANATIONS[Cause.OTHER]
