"""Options that several commands share. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import Parameter, convert
from cyclopts.validators import Number

if TYPE_CHECKING:
    from chainrule.reporting.console import Console

__all__ = ["BatchSize", "Data", "Json", "MovedTo", "RunPath", "Split", "console_of", "converted", "flag"]


def converted(kind: Any, tokens: Sequence[Any]) -> Any:
    """The words of an option as its type; a number with a fraction is no whole number, which cyclopts would round."""
    if kind is int or (int in get_args(kind) and float not in get_args(kind)):
        for token in tokens:
            try:
                number = float(token.value)
            except ValueError:  # no number at all, or one such as 0x10
                continue
            if not number.is_integer():
                raise ValueError(f"{token.value} is no whole number; give one")
    return convert(kind, tokens)


def flag(help: str) -> Parameter:
    """An option that is given or not."""
    return Parameter(negative="", show_default=False, help=help)


BatchSize = Annotated[
    int | None,
    Parameter(
        help="Examples scored at once, a matter of speed only [default: by their length].", validator=Number(gte=1)
    ),
]
Data = Annotated[str | None, Parameter(name="DATA", help="What to read [default: the run's own data].")]
Json = Annotated[bool, flag("Print one JSON object on standard output, and nothing else there.")]
MovedTo = Annotated[
    Path | None, Parameter(help="Where the run's own data are now, if they were moved [default: where they were].")
]
RunPath = Annotated[Path, Parameter(name="RUN", help="A run directory that `fit` made.")]
Split = Annotated[str, Parameter(help="Split of the run's own data, or of DATA with splits: train, valid or test.")]


def console_of(json: bool) -> Console:
    """Where a command prints."""
    from chainrule.reporting.console import Console

    return Console(json=json)
