"""Small charts."""

import pytest

from dashboard.charts import Column, stack_columns


def test_it_stacks_from_the_ground_up() -> None:
    chart = stack_columns([Column("a", [("good", 5), ("bad", 5)])], width=100, height=100)
    good, bad = chart.bars
    assert (good.y + good.height, good.height) == (100, 50)
    assert bad.y + bad.height == good.y


def test_one_failure_among_thousands_is_still_visible() -> None:
    chart = stack_columns([Column("a", [("good", 10_000), ("bad", 1)])])
    assert chart.bars[1].height >= 2


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0.07, ["0", "0.05", "0.1"]),
        (0.4, ["0", "0.25", "0.5"]),
        (4.2, ["0", "2.5", "5"]),
        (1_500, ["0", "1,000", "2,000"]),
    ],
)
def test_the_numbers_of_the_axis_are_distinct(highest: float, ticks: list[str]) -> None:
    assert [line.text for line in stack_columns([Column("a", [("good", highest)])]).lines] == ticks


@pytest.mark.parametrize(
    ("highest", "ticks"), [(1, ["0", "1"]), (2, ["0", "1", "2"]), (4, ["0", "5"]), (9, ["0", "5", "10"])]
)
def test_an_axis_of_counts_has_whole_numbers(highest: int, ticks: list[str]) -> None:
    chart = stack_columns([Column("a", [("good", highest)])], whole=True)
    assert [line.text for line in chart.lines] == ticks


@pytest.mark.parametrize("columns", [[], [Column("a", [("good", 0)])]])
def test_without_values_nothing_is_drawn(columns: list[Column]) -> None:
    assert stack_columns(columns).bars == []


@pytest.mark.parametrize(
    ("highest", "top"), [(1, "1"), (3, "5"), (12, "20"), (47, "50"), (99, "100"), (0.4, "0.5")]
)
def test_the_axis_ends_at_a_round_number(highest: float, top: str) -> None:
    assert stack_columns([Column("a", [("good", highest)])]).lines[-1].text == top
