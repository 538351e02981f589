"""A plan: everything that `fit` needs, made from a source and options.

    source, options -> data, specification of the model, settings, budget, members

`fit`, ensembles, `reproduce` and whoever works in Python by hand go through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chainrule.config.defaults import default_pixel_block, default_window
from chainrule.config.option import options_of
from chainrule.config.options import DataOptions, checked
from chainrule.config.registry import Spec, sorts_contexts
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.pixel_blocks import in_pixel_blocks
from chainrule.data.examples.base import Examples
from chainrule.data.examples.stored import Progress
from chainrule.data.examples.subset import spread
from chainrule.data.recognition.load import load
from chainrule.data.sources.plain_files import stream_name
from chainrule.errors import InputError
from chainrule.runs.specification import experts_of, members_of, quick_of, specification
from chainrule.runs.stored import StoredRun
from chainrule.training.budget import Budget
from chainrule.training.settings import TrainingSettings

__all__ = ["Plan", "load_for", "plan", "plan_from", "plan_of", "refuse_two_budgets"]

DATA_OPTIONS = {stated.name for stated in options_of(DataOptions)}
OF_THE_WHOLE = (
    "minutes",
    "members",
    "experts",
    "plan",
)  # options that the members of an ensemble know as plain settings


@dataclass(frozen=True)
class Plan:
    """Everything that `fit` needs.

    data: the data set, its images laid out for the network.
    spec: names and options of network and head, and the number of orders.
    settings: the training settings.
    budget: the time from which the number of steps is planned; None where `settings.steps` counts.
    members: the number of models whose conditionals are averaged.
    experts: the networks fitted without gradients that are averaged with them, by name.
    quick: the network fitted without gradients that is one of the experts where time is short, by name.
    valid_examples: the number of validation examples that training looks at; None for all.
    source: the name of the data, None where it is an object.
    options: the options as they were given, plain values.
    record: a run whose decisions are taken, in place of a look at the clock; None for none.
    """

    data: DataSet
    spec: Spec
    settings: TrainingSettings
    budget: Budget | None = None
    members: int = 1
    experts: tuple[str, ...] = ()
    quick: str | None = None
    valid_examples: int | None = None
    source: str | None = None
    options: Mapping[str, Any] | None = None
    record: Path | None = None

    @property
    def weights_by(self) -> str:
        """What the weights of the average depend on: the context, where an expert knows its kind, or what was said."""
        if any(sorts_contexts(name) for name in self.experts):
            return "context"
        return "hindsight" if self.experts and self.spec["head"]["name"] == "columns" else "none"

    @property
    def is_one(self) -> bool:
        """Whether one model is trained, whatever the time."""
        return self.members == 1 and not self.experts and self.quick is None

    @property
    def watched(self) -> Examples:
        """The validation examples that training looks at: all, or some of them evenly apart."""
        return self.data.valid if self.valid_examples is None else spread(self.data.valid, self.valid_examples)

    def member(self, k: int) -> Plan:
        """The plan of member k = 0, 1, ... of an ensemble whose settings are final: it has the seed SEED + k."""
        settings = replace(self.settings, seed=self.settings.seed + k)
        plain = {name: value for name, value in (self.options or {}).items() if name not in OF_THE_WHOLE}
        plain |= {"steps": settings.steps, "evaluate_every": settings.evaluate_every, "seed": settings.seed}
        spec = {part: self.spec[part] for part in ("network", "head")}
        return replace(self, spec=spec, settings=settings, members=1, experts=(), quick=None, options=plain | spec)

    def expert(self, name: str) -> Plan:
        """The plan of an expert, by name."""
        kept = {part: value for part, value in (self.options or {}).items() if part in DATA_OPTIONS}
        options = kept | {"network": name, "seed": self.settings.seed}
        spec, settings = specification(options, self.data)
        return Plan(self.data, spec, settings, self.budget, source=self.source, options=options)


def plan(source: Any, **options: Any) -> Plan:
    """What `fit` does with a source and these options, before it does it.

    source: name, path or object that `load` takes, or a data set that it made.
    options: those of `fit`, see `docs/options.md`; what is not given is by the kind of data.

    Raises InputError for an unknown option, a value out of range, and options that exclude each other.

    >>> plan("digits", width=8).spec["network"]["width"]
    8
    """
    return plan_from(source, options)


def plan_from(source: Any, options: Mapping[str, Any], progress: Progress | None = None) -> Plan:
    """The same, with a progress bar for data that takes long to read."""
    given = checked(options)
    if "plan" not in given:
        refuse_two_budgets(given)
    given |= {name: str(given[name]) for name in ("test", "plan") if name in given}
    name = (stream_name(source) or source) if isinstance(source, str) else None
    return plan_of(load_for(source, given, progress), given, name)


def plan_of(data: DataSet, options: Mapping[str, Any], source: str | None = None) -> Plan:
    """The plan for a data set as `load_for` made it. options: checked ones. source: the name of the data."""
    options, record = _with_record(options)
    budget = _budget(options)
    spec, settings = specification(options, data)
    members, experts, quick = members_of(options, data), experts_of(options, data), quick_of(options, data)
    quick = None if experts or budget is None else quick
    return Plan(data, spec, settings, budget, members, experts, quick, source=source, options=options, record=record)


def load_for(source: Any, options: Mapping[str, Any], progress: Progress | None = None) -> DataSet:
    """The data set that the options speak of, its images laid out for the network, a text in windows by its default."""
    named = {stated.name: options.get(stated.name) for stated in options_of(DataOptions)}
    data = _loaded(source, named, progress)
    if data.encoding.kind == "text" and not options.keys() & {"window", "stride", "network", "head"}:
        window = default_window(data.encoding.domain, options.get("minutes", 0.0))
        longer = window is not None and not isinstance(source, DataSet)
        return _loaded(source, named | {"window": window}, progress) if longer else data
    if options.keys() & {"pixel_block", "network"} or not data.encoding.is_image:  # chosen otherwise, or no pixels
        return data
    side = default_pixel_block(data.encoding.domain, data.encoding.group, len(data.train))
    return in_pixel_blocks(data, side)


def _loaded(source: Any, named: dict[str, Any], progress: Progress | None) -> DataSet:
    if isinstance(source, DataSet):
        if given := [name for name, value in named.items() if value is not None and name != "pixel_block"]:
            raise InputError(f"{source.name}: is a data set already; give {given[0]} where it is loaded")
        return source if named["pixel_block"] in (None, 1) else in_pixel_blocks(source, named["pixel_block"])
    return load(source, progress=progress, **named)


def refuse_two_budgets(options: Mapping[str, Any]) -> None:
    """Refuse options of a user of which more than one says how long to train."""
    given = [name for name in ("minutes", "steps", "plan") if options.get(name) is not None]
    said = {
        "minutes": "--minutes {} plans the steps",
        "steps": "--steps {} sets them",
        "plan": "--plan {} takes those of a run",
    }
    if len(given) > 1:
        first, second = (said[name].format(options[name]) for name in given[:2])
        raise InputError(f"{first} and {second}; give one of the two")


def _with_record(options: Mapping[str, Any]) -> tuple[Mapping[str, Any], Path | None]:
    """The options with the minutes of the run whose decisions are taken, and its directory."""
    if options.get("plan") is None:
        return options, None
    record = Path(options["plan"])
    if "minutes" in options:
        return options, record
    minutes = StoredRun.open(record).config.get("asked", {}).get("options", {}).get("minutes")
    if minutes is None:
        raise InputError(f"--plan {record}: was not fitted for a number of minutes; take its --steps")
    return dict(options) | {"minutes": minutes}, record


def _budget(options: Mapping[str, Any]) -> Budget | None:
    """The time that training may take, if the steps are planned from it."""
    if "minutes" not in options:
        return None
    return Budget(options["minutes"], None if "plan" in options else options.get("evaluate_every"))
