"""The table of a run, for a terminal and as JSON."""

from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.row import Better, Figure, Row

_PEER, _LIMIT = "\N{MULTIPLICATION SIGN} peer", "\N{MULTIPLICATION SIGN} limit"
_COLUMNS = ("what", "Liftlock", "peer", "machine's limit", "target", _PEER, _LIMIT, "met")
_RIGHT = ("Liftlock", "target", _PEER, _LIMIT)


def show(console: Console, rows: list[Row]) -> None:
    """Print the rows; what has to be said about them stands below, by number."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _COLUMNS:
        table.add_column(name, justify="right" if name in _RIGHT else "left")
    notes: list[str] = []
    for row in rows:
        table.add_row(*_cells(row, _mark(notes, row.note)))
    console.print(table)
    for number, note in enumerate(notes, start=1):
        console.print(f"[{number}] {note}", markup=False, highlight=False)


def as_json(row: Row) -> dict[str, Any]:
    ratios = {"times_peer": row.times(row.peer), "times_limit": row.times(row.limit)}
    return {**asdict(row), **ratios, "met": row.met}


def _cells(row: Row, mark: str) -> list[str]:
    sign = "≤" if row.better is Better.LESS else "≥"
    return [
        f"{row.what}{mark}",
        _value(row.liftlock, row.unit) if row.liftlock is not None else "not measured",
        _figure(row.peer, row.unit),
        _figure(row.limit, row.unit),
        f"{sign} {_value(row.target, row.unit)}" if row.target is not None else "",
        _times(row.times(row.peer)),
        _times(row.times(row.limit)),
        {True: "yes", False: "NO", None: ""}[row.met],
    ]


def _mark(notes: list[str], note: str) -> str:
    if not note:
        return ""
    if note not in notes:
        notes.append(note)
    return f" \\[{notes.index(note) + 1}]"


def _figure(figure: Figure | None, unit: str) -> str:
    return f"{_value(figure.value, unit)} {figure.of}".strip() if figure else ""


def _value(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004
    return f"{text} {unit}"


def _times(ratio: float | None) -> str:
    return f"{ratio:.2f}" if ratio is not None else ""
