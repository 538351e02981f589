"""Whether the options of `load` have the types that the loader of a kind of data states for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Integral
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from chainrule.errors import InputError

__all__ = ["refuse_other_types"]


def refuse_other_types(loader: Callable[..., Any], options: Mapping[str, Any], source: object) -> None:
    """Raise InputError, naming the option, for a value of a type that the loader does not take.

    loader: a function whose keyword-only parameters say their types.
    options: values by the names of these parameters.
    source: what the data are called in the message.

    >>> def load_words(source, *, split: str | None = None, window: int = 8): ...
    >>> refuse_other_types(load_words, {"split": "80/10/10", "window": 4}, "x.txt")
    >>> refuse_other_types(load_words, {"split": [80, 10, 10]}, "x.txt")
    Traceback (most recent call last):
    chainrule.errors.InputError: x.txt: split must be of type str, got [80, 10, 10]
    """
    stated = get_type_hints(loader)
    for name, value in options.items():
        kinds = _kinds(stated[name])
        if not any(_is_of(value, kind) for kind in kinds):
            words = " or ".join(_word(kind) for kind in kinds if kind is not NoneType)
            raise InputError(f"{source}: {name} must be of type {words}, got {value!r}")


def _kinds(stated: Any) -> tuple[Any, ...]:
    return get_args(stated) if get_origin(stated) in (Union, UnionType) else (stated,)


def _is_of(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, and what a list or a mapping holds, too."""
    if kind is Any:
        return True
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind in (int, float):
        return isinstance(value, Integral) or (kind is float and isinstance(value, float))
    outer, inner = get_origin(kind) or kind, get_args(kind)
    if not isinstance(value, outer):
        return False
    if isinstance(value, Mapping):
        return _all_of(value.keys(), inner[0]) and _all_of(value.values(), inner[1]) if inner else True
    if isinstance(value, str):
        return not inner or inner[0] is str
    return not isinstance(value, Iterable) or not inner or _all_of(value, inner[0])


def _all_of(values: Iterable[Any], stated: Any) -> bool:
    return all(any(_is_of(value, kind) for kind in _kinds(stated)) for value in values)


def _word(kind: Any) -> str:
    return str(kind.__name__) if isinstance(kind, type) else str(kind).rpartition(".")[2]
