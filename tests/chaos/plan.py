"""How long a storm is, how many logins and processes it has, and how its tokens live."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    seconds: float = 1800
    seed: int = 1
    logins: int = 100
    workers: int = 4
    schedulers: int = 2
    accounts_per_login: int = 8
    # More accounts of the first login, whose list has several pages.
    big: int = 260
    # While Amazon's circuit is open nothing is refreshed for a minute. The lead is three times as long.
    token_seconds: int = 240
    lead_seconds: int = 180
    check_seconds: int = 5
    sync_seconds: int = 180
    # Between two changes at Amazon, and between two requests of a person.
    change_pause: float = 1.5
    ask_pause: float = 2.0
    # A fault begins when this time has passed since everything was back.
    gap: float = 3.0
    # How long everything may take to be settled at the end.
    settle_seconds: float = 300
    is_short: bool = False
    # Names of faults; empty is all.
    only: tuple[str, ...] = ()


LONG = Plan()
SHORT = Plan(
    seconds=34,
    logins=10,
    workers=2,
    accounts_per_login=5,
    big=110,
    token_seconds=150,
    lead_seconds=120,
    check_seconds=3,
    sync_seconds=20,
    change_pause=0.5,
    ask_pause=0.5,
    gap=1.0,
    settle_seconds=100,
    is_short=True,
)
