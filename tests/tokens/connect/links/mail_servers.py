"""Mail servers that fail."""

from typing import Final

REFUSING: Final = f"{__name__}.RefusingBackend"
DYING: Final = f"{__name__}.DyingBackend"


class Killed(BaseException):
    """Stands for the end of the process."""


class RefusingBackend:
    def __init__(self, **_: object) -> None:
        pass

    def send_messages(self, messages: list[object]) -> int:
        raise ConnectionRefusedError("No mail server answers.")


class DyingBackend(RefusingBackend):
    """Nobody knows whether the mail was taken before the process ended."""

    def send_messages(self, messages: list[object]) -> int:
        raise Killed
