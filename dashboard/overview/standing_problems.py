"""The problems of accounts that cannot advertise, or soon not: one line for each standing, with its causes."""

from collections.abc import Iterator

from dashboard.overview.problem import Problem
from dashboard.overview.standings import AHEAD_DAYS, Standings, Tally
from dashboard.status import Tone
from dashboard.templatetags.console import accounts as write_accounts


def _report(tone: Tone, word: str, shown: Tally, name: str, cause: str, action: str = "") -> Problem:
    return Problem(
        tone=tone,
        word=word,
        name=name,
        cause=cause,
        action=action or f"See {write_accounts(shown.number)}",
        address=shown.address,
    )


def _capitalise(text: str) -> str:
    # `str.capitalize` would make the other letters small.
    return text[:1].upper() + text[1:]


def report_suspended(standings: Standings) -> Iterator[Problem]:
    if standings.suspended.number:
        yield _report(
            "bad",
            "Suspended",
            standings.suspended,
            f"{write_accounts(standings.suspended.number)} cannot advertise",
            f"{_capitalise(standings.suspended.consists_of)}. Stopped in at least one country; the advertiser settles "
            "it with Amazon.",
        )


def report_at_risk(standings: Standings) -> Iterator[Problem]:
    ahead, undated = standings.ahead, standings.undated
    if ahead.number:
        yield _report(
            "attention",
            "At risk",
            ahead,
            f"{write_accounts(ahead.number)} will be suspended within {AHEAD_DAYS} days",
            f"{_capitalise(ahead.consists_of)}. Paying in time prevents it.",
        )
    if undated.number:
        more = "more " if ahead.number else ""
        accounts = f"{undated.number:,} {more}account{' has' if undated.number == 1 else 's have'}"
        later = f" {standings.later:,} with a later date." if standings.later else ""
        date = "" if standings.later == undated.number else " Amazon names no date."
        # No filter of the list leaves out the accounts with a date, so the button names what the list shows.
        everything = standings.at_risk.number
        yield _report(
            "attention",
            "At risk",
            undated,
            f"{accounts} a payment problem",
            f"{_capitalise(undated.consists_of)}.{later or date}",
            f"See all {everything:,} at risk" if ahead.number else "",
        )


def report_unfinished(standings: Standings) -> Iterator[Problem]:
    if number := standings.set_up.number:
        yield _report(
            "attention",
            "Set-up missing",
            standings.set_up,
            f"{write_accounts(number)} cannot start yet",
            f"{_capitalise(standings.set_up.consists_of)}. Missing in at least one country.",
        )
    if number := standings.registering.number:
        yield _report(
            "attention",
            "Set-up missing",
            standings.registering,
            f"{write_accounts(number)} {'waits' if number == 1 else 'wait'} for the registration at Amazon",
            "The page of each account says what it waits for, if Amazon says so.",
        )
    if number := standings.failed.number:
        yield _report(
            "attention",
            "Registration failed",
            standings.failed,
            f"{write_accounts(number)} {'was' if number == 1 else 'were'} refused by Amazon",
            "Shown as inactive. The advertiser asks Amazon, or registers again.",
        )


def report_untold(standings: Standings) -> Iterator[Problem]:
    if number := standings.untold.number:
        yield _report(
            "off",
            "Not known",
            standings.untold,
            f"Amazon does not say whether {write_accounts(number)} can advertise",
            f"{_capitalise(standings.untold.consists_of)}.",
        )
