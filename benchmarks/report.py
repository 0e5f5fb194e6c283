"""How the benchmarks tell their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Target", "print_table", "print_targets"]


@dataclass(frozen=True)
class Target:
    """A figure that shall not be less than `least`; bigger is better."""

    what: str
    figure: str
    value: float
    least: float

    @property
    def is_met(self) -> bool:
        return self.value >= self.least


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows of cells under a title, at once: a benchmark takes long."""
    print(f"\n{title}")
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *others = (
            cell.ljust(width) if not n else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "   ".join((first, *others)).rstrip(), flush=True)


def print_targets(targets: Sequence[Target]) -> None:
    """Print each target with its verdict, missed ones marked."""
    print_table(
        "Targets (higher is better)",
        [
            (
                target.what,
                target.figure,
                f"{target.value:.2f}",
                f"≥ {target.least:.2f}",
                "met" if target.is_met else "MISSED",
            )
            for target in targets
        ],
    )
