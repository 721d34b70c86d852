"""Small pictures as inline SVG: they follow the theme at once, print, and can be swapped by htmx.

A chart is always drawn beside the same values as text; here are only the rectangles.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.status import Tone


@dataclass(frozen=True)
class Bar:
    """One rectangle, in the units of its chart's viewBox."""

    x: float
    y: float
    width: float
    height: float
    tone: Tone
    title: str = ""


@dataclass(frozen=True)
class Tick:
    position: float
    text: str


@dataclass(frozen=True)
class Chart:
    width: int
    height: int
    bars: list[Bar]
    lines: list[Tick]
    labels: list[Tick]

    @property
    def view_box(self) -> str:
        return f"-36 -8 {self.width + 44} {self.height + 30}"


@dataclass(frozen=True)
class Column:
    """One place on the x axis and what is stacked there, from the ground up."""

    label: str
    parts: Sequence[tuple[Tone, float]]
    title: str = ""


def stacked(
    columns: Sequence[Column], *, width: int = 720, height: int = 120, labels: int = 6, whole: bool = False
) -> Chart:
    """Stack each column's parts; about `labels` of the columns get their label written below.

    With `whole` they are counts, and the axis names no part of one.
    """
    highest = max((sum(value for _, value in column.parts) for column in columns), default=0) or 1
    top = _round_up(highest)
    step = width / max(len(columns), 1)
    bar_width = min(step * 0.72, 28)
    bars: list[Bar] = []
    for number, column in enumerate(columns):
        x = number * step + (step - bar_width) / 2
        ground = float(height)
        for tone, value in column.parts:
            # What happened at all must be seen, however small beside the rest.
            size = max(value / top * height, 2.0) if value else 0.0
            if size:
                ground -= size
                bars.append(
                    Bar(
                        round(x, 1), round(ground, 1), round(bar_width, 1), round(size, 1), tone, column.title
                    )
                )
    every = max(1, round(len(columns) / labels))
    below = [
        Tick(round(number * step + step / 2, 1), column.label)
        for number, column in enumerate(columns)
        if number % every == 0
    ]
    lines = [
        Tick(height - height * share, _number(top * share))
        for share in (0.0, 0.5, 1.0)
        if not whole or (top * share).is_integer()
    ]
    return Chart(width, height, bars, lines, below)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten, so that the axis ends at a number people read."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"


def totals(columns: Iterable[Column]) -> dict[Tone, float]:
    sums: dict[Tone, float] = {}
    for column in columns:
        for tone, value in column.parts:
            sums[tone] = sums.get(tone, 0) + value
    return sums
