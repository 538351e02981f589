"""Data of a run that are no longer where they were."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chainrule.data.sources.digits import DIGITS
from chainrule.data.sources.objects import OBJECT_NAMES
from chainrule.data.sources.plain_files import refuse_stream
from chainrule.errors import InputError

__all__ = ["options_of_moved", "refuse_lost"]


def refuse_lost(name: str, source: str, options: Mapping[str, Any]) -> None:
    """Raise InputError where the data of a run, or its own test set, are not there, and say whose they were.

    name: the run.
    source: what it was fitted to.
    options: the options of `load`, which may name a test set.
    """
    for what, place in (("data", source), ("test set", options.get("test"))):
        if place is None or place == DIGITS or Path(place).exists():
            continue
        if place in OBJECT_NAMES:
            raise InputError(
                f"{place}: {name} was fitted with a Python object, which no file holds; in Python give it again, "
                "run.with_data(chainrule.load(x)); or name the examples to look at; or keep all of them in a file and "
                "name that with --moved-to PATH, their hash is checked"
            )
        try:
            refuse_stream(str(place))
        except InputError as error:
            raise InputError(f"{error} with --moved-to PATH") from None
        where = "" if Path(place).is_absolute() else f" (seen from {Path.cwd()})"
        beside = "" if what == "data" else ", beside which the test set is looked for"
        raise InputError(
            f"{place}: is not there{where}; it is the {what} that {name} was fitted with; name the place of the data "
            f"with --moved-to PATH{beside}, their hash is checked"
        )


def options_of_moved(options: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The options of `load` for data at another place: a test set that is not where it was is looked for beside them.

    options: as they are recorded.
    place: where the data are now.
    """
    test = options.get("test")
    if test is None or Path(test).exists():
        return dict(options)
    beside = Path(place).parent / Path(test).name
    return dict(options) | ({"test": str(beside)} if beside.exists() else {})
