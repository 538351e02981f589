"""`chainrule fit`: its command line is made from the options that `config.options` states."""

from __future__ import annotations

import inspect
from contextlib import suppress
from functools import reduce
from operator import or_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

from cyclopts import Parameter

from chainrule.cli.options import converted
from chainrule.config.option import Option
from chainrule.config.options import FIT_OPTIONS
from chainrule.config.options_text import help_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cyclopts import Token

__all__ = ["fit"]


def fit(source: str | None = None, *surplus: str, json: bool = False, **options: Any) -> None:
    """Train a model on DATA and report its exact log-likelihood."""
    from chainrule.errors import InputError
    from chainrule.reporting.console import Console
    from chainrule.runs import fit as runs
    from chainrule.runs.new import reserved_place
    from chainrule.training.clock import Clock

    clock = Clock.of_command()
    if surplus:
        words = " ".join(surplus)
        raise InputError(f"fit takes one DATA, got {source} and {words}; options are given by name, such as --network")
    given = {name: value for name, value in options.items() if value is not None}
    if source is None or given.get("resume") or "out" in given:
        runs.fit(source, verbose=Console(json=json), clock=clock, **given)
        return
    with reserved_place(source) as out:
        runs.fit(source, verbose=Console(json=json), out=out, clock=clock, **given)


def _parameters() -> Iterator[inspect.Parameter]:
    """DATA, which alone has a place, and every option by its name."""
    source = Annotated[str | None, Parameter(name="DATA", help="what to fit a model to")]
    yield inspect.Parameter("source", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=source)
    surplus = Annotated[str, Parameter(show=False)]
    yield inspect.Parameter("surplus", inspect.Parameter.VAR_POSITIONAL, annotation=surplus)
    for option in FIT_OPTIONS:
        of_any_text = option.name in ("missing", "delimiter", "decimal")  # which may begin with a hyphen
        converter = _number_or_text if str in option.types else converted
        said = Parameter(
            name=option.flag,
            negative="",
            help=help_of(option),
            allow_leading_hyphen=of_any_text,
            converter=converter,
        )
        shown: Any = Annotated[_type(option), said]
        yield inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=shown)
    json = Annotated[bool, Parameter(negative="", help="print one JSON object on standard output")]
    yield inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=json)


def _type(option: Option) -> Any:
    """The type of an option on the command line, where a word may stand for it."""
    return reduce(or_, [*(kind for kind in (int, float, str, bool, Path) if kind in option.types), None])


def _number_or_text(type_: Any, tokens: Sequence[Token]) -> int | float | str:
    """A value as a number, if the option takes numbers and it is one, else as text: `none` is a word like any other."""
    text = tokens[0].value
    for kind in (int, float):
        if kind in get_args(type_):
            with suppress(ValueError):
                return kind(text)
    return text


PARAMETERS = list(_parameters())
vars(fit)["__signature__"] = inspect.Signature(PARAMETERS)
fit.__annotations__ = {parameter.name: parameter.annotation for parameter in PARAMETERS}
