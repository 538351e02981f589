"""The form of a value from a JSON file, and the first part of it that is something else.

A form says what a value must be, in words and as a test, and which forms its parts have. Forms are made by hand for a
file (`table`, `listed`) or from the type hints of a dataclass (`form_of`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

__all__ = [
    "ANYTHING",
    "FIGURE",
    "FLAG",
    "NUMBER",
    "TEXT",
    "WHOLE",
    "Form",
    "count",
    "damage",
    "form_of",
    "listed",
    "maybe",
    "table",
]

DEEPEST = 64  # objects and lists inside of each other; no file of ours comes near
SHOWN = 40  # characters of a value in a message
MISSING = object()

Parts = Callable[[Any], Iterator[tuple[str, Any, "Form"]]]


def _no_parts(value: Any) -> Iterator[tuple[str, Any, Form]]:
    return iter(())


@dataclass(frozen=True)
class Form:
    """What a value must be.

    wanted: description of a valid value, such as "a text".
    holds: returns whether a value is valid, its parts aside.
    parts: gives the name, the value and the form of each part.
    needed: the forms of parts that must be there, by name; for the page on the files of a run.
    others: those of parts that may be missing.
    every: that of any other part, where it says more than ANYTHING.
    """

    wanted: str
    holds: Callable[[Any], bool]
    parts: Parts = _no_parts
    needed: Mapping[str, Form] = field(default_factory=dict)
    others: Mapping[str, Form] = field(default_factory=dict)
    every: Form | None = None


def is_whole(value: Any) -> bool:
    """Whether a value is an integer of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**64


def is_finite(value: Any) -> bool:
    """Whether a value is a number that a double can hold."""
    return is_whole(value) or (isinstance(value, float) and isfinite(value))


TEXT = Form("a text", lambda value: isinstance(value, str))
FLAG = Form("true or false", lambda value: isinstance(value, bool))
WHOLE = Form("a whole number of 64 bits", is_whole)
NUMBER = Form("a finite number", is_finite)
FIGURE = Form("a number, null or inf", lambda value: value in (None, "inf", "-inf") or is_finite(value))


def count(most: int) -> Form:
    """A whole number from 1 to `most`."""
    return Form(f"a whole number from 1 to {most:,}", lambda value: is_whole(value) and 1 <= value <= most)


def _inside(value: Any) -> Iterator[tuple[str, Any, Form]]:
    if isinstance(value, Mapping):
        return ((str(name), part, ANYTHING) for name, part in value.items())
    if isinstance(value, list | tuple):
        return ((str(number), part, ANYTHING) for number, part in enumerate(value))
    return iter(())


ANYTHING = Form(
    "a finite number of 64 bits",  # what else JSON has is fine
    lambda value: not isinstance(value, int | float) or isinstance(value, bool) or is_finite(value),
    _inside,
)


def table(
    needed: Mapping[str, Form] | None = None,
    others: Mapping[str, Form] | None = None,
    *,
    every: Form = ANYTHING,
    filled: bool = False,
) -> Form:
    """An object.

    needed: the forms of what must be in it.
    others: those of what may be missing.
    every: that of anything else.
    filled: whether it must hold something.
    """
    known = {**(needed or {}), **(others or {})}

    def parts(value: Mapping[str, Any]) -> Iterator[tuple[str, Any, Form]]:
        yield from ((str(name), part, known.get(name, every)) for name, part in value.items())
        yield from ((name, MISSING, form) for name, form in (needed or {}).items() if name not in value)

    wanted = "an object that is not empty" if filled else "an object"
    form = Form(wanted, lambda value: isinstance(value, Mapping) and (bool(value) or not filled), parts)
    return replace(form, needed=needed or {}, others=others or {}, every=None if every is ANYTHING else every)


def listed(form: Form) -> Form:
    """A list of values of one form."""
    return Form(
        "a list",
        lambda value: isinstance(value, list | tuple),
        lambda value: ((str(number), part, form) for number, part in enumerate(value)),
        every=form,
    )


def maybe(*forms: Form) -> Form:
    """A value of one of some forms, or null."""

    def parts(value: Any) -> Iterator[tuple[str, Any, Form]]:
        return iter(()) if value is None else next(form for form in forms if form.holds(value)).parts(value)

    wanted = " or ".join((*(form.wanted for form in forms), "null"))
    form = Form(wanted, lambda value: value is None or any(form.holds(value) for form in forms), parts)
    return replace(form, needed=forms[0].needed, others=forms[0].others, every=forms[0].every)


def damage(value: Any, form: Form, place: str = "", *, missing: bool = True, depth: int = 0) -> str | None:
    """What is wrong with a value, in words that begin with its place; None where it has the form.

    value: from a JSON file.
    form: what it must be.
    place: dotted names that lead to it.
    missing: whether it is damage that something is not there.
    depth: how deep it stands.

    >>> damage({"steps": [3, None]}, table({"steps": listed(WHOLE)}))
    'steps.1 is null, expected a whole number of 64 bits'
    """
    if depth > DEEPEST:
        return f"{'.'.join(place.split('.')[:3])} is nested too deeply, expected {form.wanted}"
    if value is MISSING:
        return f"{place} is missing, expected {form.wanted}" if missing else None
    if not form.holds(value):
        return f"{place or 'the content'} is {described(value)}, expected {form.wanted}"
    for name, part, inner in form.parts(value):
        found = damage(part, inner, f"{place}.{name}".lstrip("."), missing=missing, depth=depth + 1)
        if found is not None:
            return found
    return None


def described(value: Any) -> str:
    """A value in a message.

    >>> described([]), described(None), described("a"), described(10**400)
    ('a list', 'null', "'a'", 'a number of 401 digits')
    """
    if isinstance(value, int) and not is_whole(value) and not isinstance(value, bool):
        return f"a number of {len(str(value).lstrip('-'))} digits"
    if value is None or isinstance(value, Mapping | list):
        return "null" if value is None else "a list" if isinstance(value, list) else "an object"
    said = str(value).lower() if isinstance(value, bool) else repr(value)
    return said if len(said) <= SHOWN else f"{said[:SHOWN]}..."


@cache
def form_of(hint: Any) -> Form:
    """The form that a type hint asks for; of a dataclass, that of each of its fields.

    >>> damage((1, "a"), form_of(tuple[int, ...]))
    "1 is 'a', expected a whole number of 64 bits"
    """
    known = {str: TEXT, bool: FLAG, int: WHOLE, float: NUMBER}
    if hint in known:
        return known[hint]
    if get_origin(hint) in (UnionType, Union):
        forms = [form_of(kind) for kind in get_args(hint) if kind is not NoneType]
        return maybe(*forms) if NoneType in get_args(hint) else _one_of(forms)
    if get_origin(hint) is tuple:
        return listed(form_of(get_args(hint)[0]))
    return Form("as it was written", lambda value: True, _fields)  # what made it has seen to its class


def _one_of(forms: list[Form]) -> Form:
    return Form(
        " or ".join(form.wanted for form in forms),
        lambda value: any(form.holds(value) for form in forms),
        lambda value: next(form for form in forms if form.holds(value)).parts(value),
    )


def _fields(value: Any) -> Iterator[tuple[str, Any, Form]]:
    """The fields of a dataclass, each with the form that its hint asks for."""
    if not is_dataclass(value):
        return
    hints = get_type_hints(type(value))
    yield from ((part.name, vars(value)[part.name], form_of(hints[part.name])) for part in fields(value))
