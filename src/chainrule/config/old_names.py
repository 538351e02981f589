"""Names of the version before, which this version still reads: the one table of old -> new.

A new name of an option goes into `OPTIONS`, that of a module into `MODULES`, that of something in a module into
`NAMES`. An old name on the command line, in a TOML file or in Python gives one line of warning; in the files of a run
it is read in silence, since nobody can be asked to edit those. Nothing here imports torch.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from operator import attrgetter
from types import ModuleType

from chainrule.config.old_specs import with_missing_means, with_mixtures

TYPE_CHECKING = False  # true for a type checker; to import `typing` would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "ENCODINGS",
    "MODULES",
    "NAMES",
    "OPTIONS",
    "OldModules",
    "old_attributes",
    "renamed_options",
    "with_new_flags",
    "with_new_keys",
    "with_new_options",
]

# Options by command, as Python names; `fit` stands also for TOML files, recipes, `config.json` and Python keywords.
OPTIONS: dict[str, dict[str, str]] = {
    "fit": {"average": "ema", "blocks": "pixel_block"},
    "evaluate": {"context": "window"},
    "compare": {"block": "bootstrap_block"},
}

# Kinds of encodings, in the files of a run.
ENCODINGS = {"blocks": "pixel_blocks"}

# Modules and packages, with everything inside them.
MODULES = {
    "chainrule.block_length": "chainrule.evaluation.block_bootstrap",
    "chainrule.by_context": "chainrule.evaluation.by_position",
    "chainrule.calibration": "chainrule.evaluation.calibration",
    "chainrule.carried": "chainrule.evaluation.streaming",
    "chainrule.certificate": "chainrule.verification.certificate",
    "chainrule.classifier": "chainrule.evaluation.classify",
    "chainrule.comparison": "chainrule.evaluation.comparison",
    "chainrule.compiled": "chainrule.sampling.compiled",
    "chainrule.data.duplicates": "chainrule.data.encodings.data_set",
    "chainrule.defaults": "chainrule.config.defaults",
    "chainrule.durable": "chainrule.atomic_files",
    "chainrule.model": "chainrule.models.chain",
    "chainrule.novelty": "chainrule.evaluation.novelty",
    "chainrule.objective": "chainrule.training.objective",
    "chainrule.order_ensemble": "chainrule.models.order_mixture",
    "chainrule.ordering": "chainrule.models.permuted",
    "chainrule.parallel_sampling": "chainrule.sampling.parallel",
    "chainrule.priors": "chainrule.training.priors",
    "chainrule.probe": "chainrule.evaluation.probe",
    "chainrule.provenance": "chainrule.runs.provenance",
    "chainrule.recipe": "chainrule.reproduction.recipe",
    "chainrule.regularisers": "chainrule.training.regularisers",
    "chainrule.report": "chainrule.reporting",
    "chainrule.run": "chainrule.runs.run",
    "chainrule.scores": "chainrule.evaluation.scores",
    "chainrule.testing": "chainrule.verification.laws",
    "chainrule.wrapped": "chainrule.models.logits",
    "chainrule.wrapping": "chainrule.verification.wrap",
}

# Names whose module is a package of the same name now, or that are called otherwise: module -> name -> where it is.
NAMES: dict[str, dict[str, str]] = {
    "chainrule": {
        "OrderEnsemble": "chainrule.models.order_mixture:OrderMixture",
        "Ordered": "chainrule.models.permuted:PermutedModel",
    },
    "chainrule.cli": {"main": "chainrule.cli.app:main"},
    "chainrule.config": {
        name: f"chainrule.config.registry:{name}"
        for name in ("HEADS", "NETWORKS", "Spec", "averaged", "build_model", "part_options")
    },
    "chainrule.data.duplicates": {"duplicates": "chainrule.data.encodings.data_set:DataSet.duplicates"},
    "chainrule.order_ensemble": {"OrderEnsemble": "chainrule.models.order_mixture:OrderMixture"},
    "chainrule.ordering": {"Ordered": "chainrule.models.permuted:PermutedModel"},
}


# Kinds of encodings whose files the first versions read otherwise.
WITH_READERS = ("table", "image", "fasta")

# Kinds of encodings whose runs recorded bare shares for a split by content; today the way stands before the shares.
ONCE_BY_CONTENT = ("array", "image", "pixel_blocks", "table", "documents", "sequences", "sets", "fasta")


def with_new_options(options: Mapping[str, Any], command: str = "fit") -> dict[str, Any]:
    """Options of a command under their new names, with a warning for each old one.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     with_new_options({"average": 0.9, "steps": 3})
    {'ema': 0.9, 'steps': 3}
    """
    return {_new_option(command, name, str): value for name, value in options.items()}


def with_new_flags(arguments: Sequence[str]) -> list[str]:
    """The words of a command line, with its command first, under the new names of the command's options.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     with_new_flags(["fit", "digits", "--average=0.9"])
    ['fit', 'digits', '--ema=0.9']
    """
    command = arguments[0] if arguments else ""
    words = list(arguments)
    for position, word in enumerate(words):
        flag, equals, value = word.partition("=")
        if flag.startswith("--") and flag[2:].replace("-", "_") in OPTIONS.get(command, {}):
            words[position] = _new_option(command, flag[2:].replace("-", "_"), _flag) + equals + value
    return words


def with_new_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a `config.json` under the new names of options, settings and kinds of encodings.

    >>> with_new_keys({"training": {"average": 0.9}, "asked": {"options": {"average": 0.9}}})
    {'training': {'ema': 0.9}, 'asked': {'options': {'ema': 0.9}}}
    """

    def part(name: str, value: Any) -> Any:
        if name == "training" and isinstance(value, Mapping):
            return renamed_options(value)
        if name not in ("asked", "data") or not isinstance(value, Mapping):
            return value
        if isinstance(value.get("options"), Mapping):
            value = {**value, "options": renamed_options(value["options"])}
        if isinstance(encoding := value.get("encoding"), Mapping):
            kind = str(encoding.get("kind"))
            value = {**value, "encoding": {**encoding, "kind": ENCODINGS.get(kind, kind)}}
        return value

    named = {name: part(name, value) for name, value in config.items()}
    return with_missing_means(with_mixtures(with_all_keys(with_first_reader(with_new_split(named)))))


def with_all_keys(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run on sets of integers; one that says nothing of its keys has all in their range.

    >>> encoding = {"kind": "sets", "keys": [60, 61, 62]}
    >>> with_all_keys({"data": {"options": {}, "encoding": encoding}})["data"]["options"]
    {'keys': 'range'}
    """
    data = config.get("data")
    if not isinstance(data, Mapping) or not isinstance(options := data.get("options"), Mapping):
        return config
    encoding = data.get("encoding")
    keys = encoding.get("keys") if isinstance(encoding, Mapping) and encoding.get("kind") == "sets" else None
    if "keys" in options or not isinstance(keys, list) or not all(isinstance(key, int) for key in keys):
        return config
    return config | {"data": {**data, "options": {**options, "keys": "range"}}}


def with_first_reader(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run; one whose files could be read by several readers and that says none had the first.

    >>> with_first_reader({"data": {"options": {"drop": None}, "encoding": {"kind": "table"}}})["data"]["options"]
    {'drop': None, 'reader': 1}
    """
    data = config.get("data")
    if not isinstance(data, Mapping) or not isinstance(options := data.get("options"), Mapping):
        return config
    encoding = data.get("encoding")
    if not isinstance(encoding, Mapping):
        return config
    inner = encoding.get("images")
    kind = inner.get("kind") if isinstance(inner, Mapping) else encoding.get("kind")
    if (kind in WITH_READERS or "shape" in options) and "reader" not in options:  # a shape is an option of arrays
        return _with_data_options(config, {"reader": 1})
    if kind == "text" and "documents" not in options:
        return _with_data_options(config, {"documents": "stream"})
    if kind == "array" and data.get("name") == "digits" and "builtin" not in options:
        return _with_data_options(config, {"builtin": True})
    return config


def _with_data_options(config: dict[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration, in which the data have these options, too, and were asked for with them."""
    data, asked = config["data"], config.get("asked")
    if isinstance(asked, Mapping) and isinstance(asked.get("options"), Mapping):
        config = config | {"asked": {**asked, "options": {**asked["options"], **said}}}
    return config | {"data": {**data, "options": {**data["options"], **said}}}


def with_new_split(config: dict[str, Any]) -> dict[str, Any]:
    """The split of a run under its name of today: shares alone meant a split by content, of a text its order.

    >>> with_new_split({"data": {"options": {"split": "80/10/10"}, "encoding": {"kind": "table"}}})["data"]["options"]
    {'split': 'distinct:80/10/10', 'split_seed': 0}
    """
    data = config.get("data")
    options = data.get("options") if isinstance(data, Mapping) else None
    split = options.get("split") if isinstance(options, Mapping) else None
    if not isinstance(data, Mapping) or not isinstance(options, Mapping) or not isinstance(split, str):
        return config
    encoding = data.get("encoding")
    kind = encoding.get("kind") if isinstance(encoding, Mapping) else None
    if "split_seed" in options or kind not in ONCE_BY_CONTENT:
        return config
    return _with_data_options(config, {"split": split if ":" in split else f"distinct:{split}", "split_seed": 0})


def renamed_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of `fit` from a file under their new names, in silence."""
    return {OPTIONS["fit"].get(name, name): value for name, value in options.items()}


def _new_option(command: str, name: str, shown: Callable[[str], str]) -> str:
    new = OPTIONS.get(command, {}).get(name, name)
    if new == name:
        return shown(name)
    _warn_user(f"{shown(name)} is called {shown(new)} now; the old name is read by this version only")
    return shown(new)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _warn_user(message: str) -> None:
    warnings.warn(message, FutureWarning, stacklevel=4)


class OldModules:
    """Finds the modules of `MODULES` under their old names; asked last of all, so only where nothing else is found."""

    @classmethod
    def install(cls) -> None:
        """Let `import` ask this finder, once."""
        if not any(isinstance(finder, cls) for finder in sys.meta_path):
            sys.meta_path.append(cls())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return None if _new_module(fullname) is None else ModuleSpec(fullname, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        old, new = module.__name__, str(_new_module(module.__name__))
        warnings.warn(f"{old} is {new} now; the old name is read by this version only", DeprecationWarning, 2)
        there, renamed = import_module(new), NAMES.get(old, {})

        def attribute(name: str) -> Any:
            return _located(renamed[name]) if name in renamed else getattr(there, name)

        vars(module).update(__getattr__=attribute, __doc__=there.__doc__, __all__=[*_public(there), *renamed])


def old_attributes(module: str) -> Callable[[str], Any]:
    """A `__getattr__` for a module: the names of the version before, each with a warning."""

    def attribute(name: str) -> Any:
        if name not in NAMES[module]:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = NAMES[module][name].replace(":", ".")
        warnings.warn(f"{module}.{name} is {new} now; the old name is read by this version only", DeprecationWarning, 2)
        return _located(NAMES[module][name])

    return attribute


def _new_module(old: str) -> str | None:
    """The new name of a module, or of one inside a package that moved; None for any other."""
    for known, new in MODULES.items():
        if old == known or old.startswith(known + "."):
            return new + old[len(known) :]
    return None


def _located(place: str) -> Any:
    module, _, name = place.partition(":")
    return attrgetter(name)(import_module(module))


def _public(module: ModuleType) -> Iterable[str]:
    return vars(module).get("__all__", ())
