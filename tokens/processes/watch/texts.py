"""What the alerts about lasting failures say: what happened, since when, how many, and what to do."""

import re
from collections import Counter
from collections.abc import Collection
from datetime import datetime
from typing import Final

from amazon_accounts.amazon_ads.foreign_text import clean_text
from tokens.models import Failure
from tokens.processes.watch.logins import Cause, FailingLogin, Part

MAX_ERROR_CHARACTERS: Final = 400

_PARTS: Final = {Part.REFRESH: "Its token cannot be refreshed", Part.SYNC: "Its accounts cannot be read"}
_MANY: Final = {
    Cause.AWAY: "Amazon does not answer, or asks to wait",
    Cause.REFUSED: "Amazon refuses what it is asked",
    Cause.OTHER: "Syncs end with an error",
}
_ADVICE: Final = {
    Cause.AWAY: "All of them are tried again by themselves, and nobody has to reconnect a login.",
    Cause.REFUSED: "If the rights of these logins did not change, Amazon has changed its API: look for a newer version "
    "of Amazon Accounts.",
    Cause.OTHER: "The logs of the workers have the details.",
}
_ADVICE_FOR_ONE: Final = {
    Cause.AWAY: "It is tried again by itself. If other logins work, ask Amazon with the text of the error.",
    Cause.REFUSED: "Look at Amazon whether the login still has its rights, and reconnect it if it lost some.",
    Cause.OTHER: "It is tried again by itself. The logs of the workers have the details.",
}
# As amazon_accounts.amazon_ads.errors adds it.
_REQUEST_ID: Final = re.compile(r" \(Amazon's request id: [^)]*\)")


def name_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def describe_login(login: FailingLogin, since: datetime) -> str:
    return (
        f"“{login.label}” has failed since {name_time(since)}. {_PARTS[login.part]}: {_end_sentence(login.error)} "
        f"{_ADVICE_FOR_ONE[login.cause]}"
    )


def describe_many(
    cause: Cause, logins: Collection[FailingLogin], live: int, since: datetime, status_page: str
) -> str:
    parts = Counter(login.part for login in logins)
    # Each answer of Amazon's has an id of its own.
    (error, _), *_ = Counter(_REQUEST_ID.sub("", login.error) for login in logins).most_common(1)
    sentences = [
        f"{_MANY[cause]}: {len(logins):,} of {live:,} logins have failed since {name_time(since)}.",
        f"The refresh of {parts[Part.REFRESH]:,} and the sync of {parts[Part.SYNC]:,} failed last.",
        f"The most frequent error: {_end_sentence(error)}",
        status_page,
        _ADVICE[cause],
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def describe_end_of_many(failure: Failure, left: int) -> str:
    worked = f"Of up to {failure.logins:,} logins, {left:,} still fail and are tried again by themselves."
    text = f"The failure of many logins is over. {worked if left else f'All of up to {failure.logins:,} logins work.'}"
    return describe_end(failure, text)


def describe_end(failure: Failure, text: str) -> str:
    return f"{text} It had failed since {name_time(failure.began_at)}."


def _end_sentence(error: str) -> str:
    text = clean_text(error, MAX_ERROR_CHARACTERS)
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
