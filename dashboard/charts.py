"""The geometry of small charts, which a template draws as inline SVG beside the same values as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.status import Tone


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle, in the units of its chart's viewBox."""

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


@dataclass(frozen=True, kw_only=True)
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
    """A place on the x axis, and the parts that are stacked there from the ground up."""

    label: str
    parts: Sequence[tuple[Tone, float]]
    title: str = ""


def stack_columns(
    columns: Sequence[Column], *, width: int = 720, height: int = 120, labels: int = 6, whole: bool = False
) -> Chart:
    """Stack the parts of each column. About `labels` of the columns get their label below.

    With `whole` the values are counts, so the axis has no fractions.
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
            # A value that is small beside the others must still be visible.
            size = max(value / top * height, 2.0) if value else 0.0
            if size:
                ground -= size
                bars.append(
                    Bar(
                        x=round(x, 1),
                        y=round(ground, 1),
                        width=round(bar_width, 1),
                        height=round(size, 1),
                        tone=tone,
                        title=column.title,
                    )
                )
    every = max(1, round(len(columns) / labels))
    below = [
        Tick(round(number * step + step / 2, 1), column.label)
        for number, column in enumerate(columns)
        if number % every == 0
    ]
    lines = [
        Tick(height - height * share, _format_number(top * share))
        for share in (0.0, 0.5, 1.0)
        if not whole or (top * share).is_integer()
    ]
    return Chart(width=width, height=height, bars=bars, lines=lines, labels=below)


def _round_up(value: float) -> float:
    """Return the next 1, 2 or 5 times a power of ten, so that the axis ends at a round number."""
    power = 1.0
    while power * 10 < value:
        power *= 10
    while power > value:
        power /= 10
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:g}"


def sum_by_tone(columns: Iterable[Column]) -> dict[Tone, float]:
    sums: dict[Tone, float] = {}
    for column in columns:
        for tone, value in column.parts:
            sums[tone] = sums.get(tone, 0) + value
    return sums
