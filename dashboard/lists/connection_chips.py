"""The chips above the connections: the choices of three filters, with the number of connections of each."""

from collections.abc import Collection, Mapping

from django.contrib.auth.models import User
from django.db.models import Count as CountRows
from django.db.models import Q

from accounts.lists.pages import MAX_COUNT, Count, count_capped
from dashboard.lists.chips import Chip, Group
from dashboard.lists.connection_list import ConnectionList
from dashboard.status import CONNECTION, CONSENT, Status
from tokens.models import PAUSED, ConsentState, where_consent

GROUPS: dict[str, tuple[str, Mapping[str, Status]]] = {
    "state": ("State", CONNECTION),
    "consent": ("Consent", CONSENT),
    "paused": ("Sync", {"true": Status("off", "Paused")}),
}


def count_groups(
    user: User, state: ConnectionList, *, shown: Collection[str] = tuple(GROUPS), cap: int = MAX_COUNT
) -> tuple[list[Group], Count]:
    """Return the chips of the groups that are shown, and the number of connections that match.

    The counts of a group ignore the choice in this group and obey the choices in all others.
    """
    connections = state.without(*GROUPS).connections(user).order_by()
    chosen = {name: _select(name, state.values(name)) for name in GROUPS}
    everything = Q(*chosen.values())
    # Above `cap` connections the chips have no numbers, because counting would take longer than the page.
    if count_capped(connections, cap).capped:
        return _make_groups(state, {}, shown), count_capped(connections.filter(everything))
    wanted = {"all": everything}
    for name in shown:
        others = Q(*(condition for other, condition in chosen.items() if other != name))
        wanted |= {f"{name}_{word}": _select(name, [word]) & others for word in GROUPS[name][1]}
    numbers = connections.aggregate(
        **{f"n_{key}": CountRows("pk", filter=condition or None) for key, condition in wanted.items()}
    )
    return _make_groups(state, numbers, shown), Count(numbers["n_all"] or 0, capped=False)


def _select(name: str, words: list[str]) -> Q:
    """Return the condition that one of the words holds; without words, every connection meets it."""
    condition = Q()
    for word in words:
        match name:
            case "state":
                condition |= Q(state=word)
            case "consent":
                condition |= where_consent(ConsentState(word))
            case _:
                condition |= PAUSED if word == "true" else ~PAUSED
    return condition


def _make_groups(state: ConnectionList, numbers: Mapping[str, int], shown: Collection[str]) -> list[Group]:
    return [
        Group(
            title,
            [
                Chip(
                    id=f"chip-{name}-{word}",
                    state=status,
                    number=numbers.get(f"n_{name}_{word}"),
                    current=word in state.values(name),
                    address=state.toggle_address(name, word),
                )
                for word, status in words.items()
            ],
        )
        for name, (title, words) in GROUPS.items()
        if name in shown
    ]
