"""What every operation of the Ads API is given, and how it reads a query parameter."""

import re
from dataclasses import dataclass

from amazon_accounts.sandbox.calls import Call
from amazon_accounts.sandbox.choices import Choices
from amazon_accounts.sandbox.clock import Clock
from amazon_accounts.sandbox.login_with_amazon.grants import Grants
from amazon_accounts.sandbox.world import Login, World

#: More digits than any id has, and fewer than Python refuses to convert.
NUMBER = re.compile(r"[0-9]{1,1000}")


@dataclass
class Context:
    call: Call
    login: Login
    world: World
    grants: Grants
    clock: Clock
    choices: Choices


class BadQueryError(Exception):
    """The value of a query parameter is not allowed."""

    def __init__(self, name: str, rule: str = "") -> None:
        super().__init__(name)
        self.name = name
        self.rule = rule


def read_choice(query: dict[str, str], name: str, values: tuple[str, ...], default: str) -> str:
    value = query.get(name)
    if value is None:
        return default
    if value not in values:
        raise BadQueryError(name)
    return value


def read_whole_number(query: dict[str, str], name: str, default: int, *, least: int, most: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise BadQueryError(name, f"must be between {least} and {most}")
    return int(text)
