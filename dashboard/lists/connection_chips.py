"""The filters of the list of connections that have few choices: each choice with the number of its connections."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True)
class Tab:
    """A choice that stands above the list, instead of all other choices of GROUPS."""

    id: str
    title: str
    address: str
    number: int | None
    current: bool


@dataclass(frozen=True)
class Choices:
    groups: Sequence[Group]
    tabs: Sequence[Tab]
    count: Count


def count_choices(
    user: User,
    state: ConnectionList,
    *,
    shown: Collection[str] = tuple(GROUPS),
    tabs: Mapping[tuple[str, str], str],
    cap: int = MAX_COUNT,
) -> Choices:
    """Return the choices of the groups that are shown, the tabs, and the number of connections that match.

    The counts of a group ignore the choice in this group and obey the choices in all others. The count of a tab obeys
    no other group. `tabs` has the title of each group's word.
    """
    connections = state.without(*GROUPS).connections(user).order_by()
    chosen = {name: _select(name, state.values(name)) for name in GROUPS}
    everything = Q(*chosen.values())
    # Above `cap` connections the choices have no numbers, because counting would take longer than the page.
    if count_capped(connections, cap).capped:
        count = count_capped(connections.filter(everything))
        return Choices(_make_groups(state, {}, shown), _make_tabs(state, {}, tabs), count)
    wanted = {"all": everything}
    for name in shown:
        others = Q(*(condition for other, condition in chosen.items() if other != name))
        wanted |= {f"{name}_{word}": _select(name, [word]) & others for word in GROUPS[name][1]}
    always = _select("state", state.always)
    wanted |= {f"tab_{name}_{word}": _select(name, [word]) & always for name, word in tabs} | {"tab": always}
    numbers = connections.aggregate(
        **{f"n_{key}": CountRows("pk", filter=condition or None) for key, condition in wanted.items()}
    )
    count = Count(numbers["n_all"] or 0, capped=False)
    return Choices(_make_groups(state, numbers, shown), _make_tabs(state, numbers, tabs), count)


def _select(name: str, words: Sequence[str]) -> Q:
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


def _make_tabs(
    state: ConnectionList, numbers: Mapping[str, int], titles: Mapping[tuple[str, str], str]
) -> list[Tab]:
    chosen = {name: values for name in GROUPS if (values := state.chosen(name))}
    others = state.without(*GROUPS)
    everything = Tab("tab-all", "All", others.page_address(), numbers.get("n_tab"), not chosen)
    return [
        everything,
        *(
            Tab(
                f"tab-{name}-{word}",
                title,
                others.toggle_address(name, word),
                numbers.get(f"n_tab_{name}_{word}"),
                chosen == {name: [word]},
            )
            for (name, word), title in titles.items()
        ),
    ]


@dataclass(frozen=True)
class Chosen:
    """A filter that is on, with what removes it."""

    name: str
    title: str
    text: str
    removed: str


def describe_chosen(state: ConnectionList, regions: Mapping[str, str]) -> list[Chosen]:
    named: dict[str, tuple[str, Mapping[str, Any]]] = {
        name: (title, {word: status.word for word, status in words.items()})
        for name, (title, words) in GROUPS.items()
    }
    named |= {"region": ("Region", regions), "labels": ("Label", {})}
    return [
        Chosen(
            name,
            title,
            " or ".join(str(words.get(value, value)) for value in values),
            state.without(name).page_address(),
        )
        for name, (title, words) in named.items()
        if (values := state.chosen(name))
    ]
