"""What the JSON files of a run must hold: the one place where what was read from them is checked.

What is given with a form here can be relied on wherever it is used; a file that has another one is refused by its name
and the place in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from chainrule.config.model_options import MOST_MEMBERS, MOST_ORDERS
from chainrule.config.option import Option, options_of
from chainrule.config.options import FIT_OPTIONS, DataOptions, ModelOptions, TrainingOptions
from chainrule.errors import InputError
from chainrule.runs.forms import (
    ANYTHING,
    FIGURE,
    FLAG,
    NUMBER,
    TEXT,
    WHOLE,
    Form,
    count,
    damage,
    form_of,
    listed,
    maybe,
    table,
)

if TYPE_CHECKING:
    from chainrule.data.encodings.base import Encoding

__all__ = ["FORMS", "damage_in", "damage_of_encoding"]

LISTS = ("given", "drop", "missing")  # options that are recorded as lists
KINDS_BY_NAME = ("columns",)  # and as objects


def _stated(option: Option) -> Form:
    """The form of the value of an option; none is always one."""

    def holds(value: Any) -> bool:
        try:
            option.refuse_unless_valid(value)
        except InputError:
            return value is None
        return True

    wanted = option.type_text if option.check is None else f"{option.type_text}, {option.check.wanted}"
    own = Form(wanted, holds)
    if option.name in LISTS:
        return maybe(own, listed(TEXT))
    return maybe(own, table(every=TEXT)) if option.name in KINDS_BY_NAME else own


def _options(*stated: Option) -> Form:
    return table(others={option.name: _stated(option) for option in stated})


RESULT_NEEDS = {"nats_per_example": FIGURE, "bits_per_dim": FIGURE, "examples": WHOLE, "impossible": WHOLE}
RESULT_MAY_HAVE = {
    "nats_per_example_se": FIGURE,
    "bits_per_dim_se": FIGURE,
    "bits_per_byte": FIGURE,
    "bits_per_byte_se": FIGURE,
    "nats_per_example_of_possible": FIGURE,
    "unit": TEXT,
    "units": WHOLE,
    "elements": WHOLE,
    "bytes": WHOLE,
    "in_train": WHOLE,
}


def _result_parts(result: Mapping[str, Any]) -> Iterator[tuple[str, Any, Form]]:
    """Bits per byte are needed where bytes are counted, nats of what is possible where something is impossible."""
    more = ["bits_per_byte"] * bool(result.get("bytes"))
    more += ["nats_per_example_of_possible"] * bool(result.get("impossible"))
    return table(RESULT_NEEDS | {name: FIGURE for name in more}, RESULT_MAY_HAVE).parts(result)


NAMED = table({"name": TEXT})
MODEL = table(
    {"network": NAMED, "head": NAMED},
    {
        "members": count(MOST_MEMBERS),
        "orders": count(MOST_ORDERS),
        "experts": listed(table({"network": NAMED, "head": NAMED})),
        "gated": FLAG,
        "hindsight": FLAG,
    },
)
CONFIG = table(
    {
        "data": table(
            {"name": TEXT, "encoding": table({"kind": TEXT}), "note": TEXT, "sha256": TEXT}
            | {"options": _options(*options_of(DataOptions), *options_of(ModelOptions))},
            {"unit": TEXT},
        ),
        "protocol": table({"context": TEXT}, every=TEXT),
        "model": MODEL,
    },
    {
        "training": _options(*options_of(TrainingOptions)),
        "versions": table(),
        "machine": table(),
        "asked": maybe(table({"options": _options(*FIT_OPTIONS)}, {"source": maybe(TEXT)})),
        "imported": maybe(table({"from": TEXT})),
        "places": table(every=table({"relative": TEXT, "absolute": TEXT}, {"bytes": WHOLE})),
    },
)
RESULT = Form(
    "an object",
    lambda value: isinstance(value, Mapping),
    _result_parts,
    needed=RESULT_NEEDS,
    others=RESULT_MAY_HAVE,
)
BASELINE = table({"how": TEXT}, {"nats_per_example": FIGURE, "bits_per_dim": FIGURE, "bits_per_byte": FIGURE})
REPORT = table(
    {"results": table(every=RESULT)},
    {
        "estimates": table(every=RESULT),
        "independent_elements": table(every=table({"nats_per_example": FIGURE}, {"nats_per_example_se": FIGURE})),
        "baselines": table(every=BASELINE),
        "baselines_left_out": table(every=TEXT),
        "not_known": table(every=TEXT),
        "kept_step": maybe(WHOLE),
        "members": listed(table({"results": table(every=RESULT)}, {"weight": FIGURE})),
    },
)
METRICS = table({"step": WHOLE}, every=FIGURE)
CHECK = table(
    {"name": TEXT, "passed": maybe(FLAG), "tried": TEXT, "figure": FIGURE, "bound": FIGURE},
    {"where": TEXT, "advice": TEXT},
)
CERTIFICATE = table({"checks": listed(CHECK), "passed": FLAG, "seconds": NUMBER})
FORMS = {
    "config.json": CONFIG,
    "report.json": REPORT,
    "metrics.jsonl": METRICS,
    "certificate.json": CERTIFICATE,
}


def damage_in(name: str, content: Any, *, missing: bool = True) -> str | None:
    """What is wrong with the content of a file of a run, in words; None where it has the right form.

    name: the file, such as "report.json".
    content: its value; of `metrics.jsonl` that of one line.
    missing: whether it is damage that something is not there.

    >>> damage_in("config.json", {"data": []})
    'data is a list, expected an object'
    >>> damage_in("certificate.json", {"checks": [], "passed": "yes", "seconds": 0.5})
    "passed is 'yes', expected true or false"
    """
    return damage(content, FORMS[name], missing=missing) or damage(content, ANYTHING)


def damage_of_encoding(encoding: Encoding) -> str | None:
    """What is wrong with an encoding that was made from a `config.json`: a field that has not its type."""
    return damage(encoding, form_of(type(encoding)), "data.encoding")
