"""An option of `fit`: name, type, check, default, help and group, stated once as a field of a dataclass.

    steps: int = option(2000, "number of optimizer steps", TIME, check=at_least(1))

Everything else is made from that line: the command line, the check of values in Python and TOML, resume, the docs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from math import inf
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from chainrule.errors import InputError

__all__ = [
    "ABOUT",
    "BELOW_1",
    "COMMON",
    "DATA",
    "MODEL",
    "NOT_NEGATIVE",
    "OUTPUT",
    "POSITIVE",
    "SEED",
    "SHARE",
    "TIME",
    "TRAINING",
    "Check",
    "Option",
    "at_least",
    "between",
    "one_of",
    "option",
    "options_of",
]

ABOUT = "Train a model on DATA and report its exact log-likelihood."  # what all of them are options of
DATA, MODEL, TRAINING, TIME, OUTPUT = "Data", "Model", "Training", "Time and size", "Output"
COMMON = "Most used"  # where help shows the options of any group that people need first


@dataclass(frozen=True)
class Check:
    """What a value must be.

    wanted: description of a valid value, which follows "must be" in the error.
    holds: returns whether a value is valid.
    """

    wanted: str
    holds: Callable[[Any], bool]


def at_least(least: int, advice: str = "") -> Check:
    """A number from `least` on. advice: a good value, for the message."""
    return Check(f"at least {least}{advice and f' ({advice})'}", lambda value: value >= least)


def between(least: int, most: int) -> Check:
    """A number from `least` to `most`."""
    return Check(f"at least {least} and at most {most}", lambda value: least <= value <= most)


def one_of(*names: str) -> Check:
    """One of some words."""
    return Check(" or ".join((", ".join(names[:-1]), names[-1])), lambda value: value in names)


POSITIVE = Check("positive", lambda value: 0 < value < inf)
NOT_NEGATIVE = Check("at least 0", lambda value: 0 <= value < inf)
SEED = Check("a whole number from 0 to 2^63 - 1", lambda value: 0 <= value < 2**63)
BELOW_1 = Check("a share from 0 to below 1", lambda value: 0 <= value < 1)
SHARE = Check("a share from 0 to 1", lambda value: 0 <= value <= 1)


@dataclass(frozen=True)
class Option:
    """One option of `fit`.

    name: as in Python, TOML and `config.json`; with hyphens on the command line.
    value_type: type of the value in Python, such as `int | None`.
    default: the value where nothing else decides; None: the kind of data, or who reads it.
    help: what it is, with its unit: a noun phrase.
    group: where help and documentation show it.
    check: what a value must be, besides of the type.
    default_text: the default in words, where it is not a single value.
    common: whether help shows it among the first.
    """

    name: str
    value_type: Any
    default: Any
    help: str
    group: str
    check: Check | None = None
    default_text: str = ""
    common: bool = False

    @property
    def flag(self) -> str:
        """The name on the command line.

        >>> Option("batch_size", int, 64, "examples per step", TIME).flag
        '--batch-size'
        """
        return "--" + self.name.replace("_", "-")

    @property
    def types(self) -> tuple[type, ...]:
        """The types that a value may have, None aside.

        >>> Option("prior", str | dict[str, str] | None, None, "ln p(theta)", TRAINING).types
        (<class 'str'>, <class 'dict'>)
        """
        return tuple(get_origin(kind) or kind for kind in self._union() if kind is not NoneType)

    @property
    def word(self) -> str:
        """What stands for a value in help.

        >>> Option("microbatch", int | str | None, None, "examples per forward pass", TIME).word
        'INT|STR'
        """
        return "|".join(kind.__name__.upper() for kind in self.types if kind not in (dict, list, tuple))

    @property
    def type_text(self) -> str:
        """The type in words, None aside where it stands for the default.

        >>> Option("microbatch", int | str | None, None, "examples per forward pass", TIME).type_text
        'int or str'
        """
        return " or ".join(kind.__name__ for kind in self.types)

    @property
    def is_switch(self) -> bool:
        """Whether it is on or off."""
        return self.types == (bool,)

    def refuse_unless_valid(self, value: Any) -> None:
        """Raise InputError unless the value has the type and passes the check; None is checked by the type alone."""
        kinds = (*self.types, *((NoneType,) if NoneType in self._union() else ()))
        accepted = (*kinds, int) if float in kinds else kinds
        if not isinstance(value, accepted) or (isinstance(value, bool) and bool not in kinds):
            raise InputError(f"{self.name} must be of type {self.type_text}, got {value!r}")
        if isinstance(value, str) and not _is_text(value):
            raise InputError(f"{self.name} must be text in UTF-8, got {value!r}")
        _refuse_other_parts(self.name, value)
        if value is not None and self.check is not None and not self.check.holds(value):
            raise InputError(f"{self.name} must be {self.check.wanted}, got {value}")

    def _union(self) -> tuple[Any, ...]:
        return get_args(self.value_type) if isinstance(self.value_type, UnionType) else (self.value_type,)


def _refuse_other_parts(name: str, value: Any) -> None:
    """Raise InputError unless a table of options, such as [network] in TOML, has texts where texts are meant."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if (name == "prior" or key == "name") and not isinstance(inner, str):
            raise InputError(f"{name}.{key} must be of type str, got {inner!r}")


def _is_text(value: str) -> bool:
    """Whether a text can be written as UTF-8: words of a command line may be any bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def option(
    default: Any,
    help: str,
    group: str,
    *,
    check: Check | None = None,
    default_text: str = "",
    common: bool = False,
) -> Any:
    """A field of a dataclass that states an option; name and type are those of the field, the rest as in `Option`."""
    stated = {"help": help, "group": group, "check": check, "default_text": default_text, "common": common}
    return field(default=default, metadata=stated)


@cache
def options_of(stated: type) -> tuple[Option, ...]:
    """The options that the fields of a dataclass state."""
    types = get_type_hints(stated)
    return tuple(Option(f.name, types[f.name], f.default, **f.metadata) for f in fields(stated))
