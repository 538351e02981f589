"""A run directory: everything that a training run leaves behind, and enough to use it again.

    config.json          format version, data, encoding, network, head, training, versions
    model.safetensors    the kept weights, with a hash of them
    metrics.jsonl        one record a validation
    report.json          the final figures
    checkpoints/         where training stood, see `training.checkpoint`
    *.png, samples*      pictures and samples

Only JSON and safetensors: nothing in it is executed. Each file is written beside its place, synced and renamed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from chainrule.atomic_files import number_from_json, sweep, write_file, write_json
from chainrule.config.old_names import with_new_keys
from chainrule.config.registry import build_model, over_orders
from chainrule.data import encoding_from_json
from chainrule.data import open as open_data
from chainrule.data.examples.base import DataSet, Encoding
from chainrule.data.examples.conditions import context_options
from chainrule.errors import InputError, RunError
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.order_mixture import Density, OrderMixture
from chainrule.runs.provenance import provenance
from chainrule.training.settings import TrainingSettings

__all__ = ["FORMAT", "Run", "recalled"]

FORMAT = 1
SAID = 6  # differences that an error names
DECISIVE = ("data", "protocol", "model", "training")  # what two runs must share for one to continue the other


class Run:
    """A run directory that exists.

    path: the directory. config: what `config.json` says, under the names of today. stored: what it says literally,
    where that differs.
    """

    def __init__(self, path: Path, config: dict[str, Any], stored: dict[str, Any] | None = None) -> None:
        self.path = path
        self.config = config
        self.stored = stored or config

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> Run:
        """Make the directory, which must be new or empty, and write the configuration into it."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            hint = "name another place with --out, or go on with a training there by fit --resume"
            raise RunError(f"{path}: exists already and is not empty; {hint}")
        run = cls(path, {"format": FORMAT} | config | provenance())
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_file(path / "config.json", _json(run.config))
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None
        return run

    @classmethod
    def resume(cls, path: Path, config: dict[str, Any]) -> Run:
        """The run that was begun with this configuration; made if there is none, refused if there is another."""
        sweep(path)
        if not (path / "config.json").exists():
            return cls.create(path, config)
        run = cls.open(path)
        later = asdict(TrainingSettings())  # settings that came since have their defaults
        begun = run.config | {"training": later | run.config["training"]}
        asked, recorded = (_flat({key: value[key] for key in DECISIVE}) for value in (_plain(config), begun))
        names = (asked.keys() | recorded.keys()) - {"data.name", "data.note"}  # the hash says whether it is the same
        odd = [name for name in sorted(names) if asked.get(name) != recorded.get(name)]
        if odd:
            told = "; ".join(f"{name} is {recorded.get(name)} there and {asked.get(name)} here" for name in odd[:SAID])
            told += f"; and {len(odd) - SAID} more" if len(odd) > SAID else ""
            raise RunError(f"{path}: was begun otherwise: {told}; go on with the same, or train anew elsewhere")
        return run

    @classmethod
    def open(cls, path: Path) -> Run:
        """Read a run directory; refuses one that is missing, foreign, damaged or of a newer format."""
        if not path.is_dir():
            raise RunError(f"{path}: there is no such run directory; make one with `chainrule fit DATA --out {path}`")
        try:
            config = json.loads((path / "config.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(f"{path}: holds no config.json and so is no run directory") from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: config.json cannot be read ({error}); restore it or train again") from None
        if not isinstance(config, dict) or not {"format", "data", "model", "protocol"} <= set(config):
            raise RunError(f"{path}: config.json does not describe a run; restore it or train again")
        if config["format"] != FORMAT:
            raise RunError(f"{path}: has format {config['format']}, this version reads {FORMAT}; update chainrule")
        return cls(path, with_new_keys(config), config)

    def encoding(self) -> Encoding:
        """How this run turns raw data into elements."""
        try:
            return encoding_from_json(self.config["data"]["encoding"])
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{self.path}: the encoding in config.json is damaged ({error}); train again") from None

    def data(self) -> DataSet:
        """The data set that the run was trained on, opened again and checked by its hash.

        Its alphabet is the recorded one, wherever that came from.
        """
        recorded = self.config["data"]
        alphabet = getattr(self.encoding(), "alphabet", None)
        kept = {} if alphabet is None or "symbols" not in recorded["options"] else {"symbols": alphabet}
        data = open_data(recorded["name"], **recorded["options"] | kept)
        if data.digest() != recorded["sha256"]:
            raise InputError(
                f"{recorded['name']}: is not the data that {self.path} was trained on; restore it, or name what to use"
            )
        return data

    def protocol(self) -> dict[str, str]:
        """How this run's examples are scored, the fields of a `Protocol`."""
        return dict(self.config["protocol"])

    def save_model(self, model: torch.nn.Module) -> None:
        """Keep these weights, in place of those before."""
        tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
        write_file(self.path / "model.safetensors", save(tensors, metadata={"sha256": _digest(tensors)}))

    def model(self) -> AutoregressiveModel:
        """The model with the kept weights, in evaluation mode; raises InputError where they are a mean over orders."""
        density = self.density()
        if isinstance(density, OrderMixture):
            raise InputError(
                f"{self.path}: is a mean over {len(density.orders)} orders, whose conditionals are those of no single "
                "chain, and this needs them; take a run without --orders"
            )
        return density

    def density(self) -> Density:
        """What was fitted, one chain or a mean over orders, with the kept weights, in evaluation mode."""
        path = self.path / "model.safetensors"
        encoding = self.encoding()
        spec = self.config["model"]
        described = (encoding.domain, context_options(encoding))
        model = over_orders(build_model(spec, *described), spec, *described)
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                recorded = (file.metadata() or {}).get("sha256")
        except FileNotFoundError:
            raise RunError(f"{path}: there are no weights; training ended before its first validation") from None
        except (OSError, SafetensorError, ValueError) as error:
            raise RunError(f"{path}: the weights cannot be read ({error}); restore the file or train again") from None
        if recorded != _digest(tensors):
            raise RunError(f"{path}: the weights are damaged (their hash differs); restore the file or train again")
        try:
            model.load_state_dict(tensors)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise RunError(f"{path}: the weights do not fit config.json ({reason}); restore both") from None
        return model.eval()

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; one that was cut off by a crash does not count."""
        path = self.path / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        records = (json.loads(line) for line in lines if line.endswith("\n"))
        return [{name: number_from_json(value) for name, value in record.items()} for record in records]

    @property
    def identity(self) -> str:
        """A hash of what decides the result, as the run was begun: checkpoints belong to it."""
        return sha256(_json({key: self.stored[key] for key in DECISIVE})).hexdigest()

    def changed_versions(self) -> str:
        """What is not as it was when the run was begun, so that its continuation may differ in the last bits."""
        both = (self.config, provenance())
        before, now = (_flat({k: value.get(k, {}) for k in ("versions", "machine")}) for value in both)
        return ", ".join(
            f"{name} {before[name]} -> {now.get(name)}" for name in before if before[name] != now.get(name)
        )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, a file that cannot be written is a RunError that says how to go on."""
        try:
            yield
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror or error}); make room, and go on with --resume"
            ) from error

    def write_report(self, report: dict[str, Any]) -> None:
        """Write `report.json`."""
        write_json(self.path / "report.json", report)


def recalled(path: Path | None, source: str | None, options: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """The data and the options that the run at a path was begun with, where they are not given again."""
    if path is None:
        raise InputError("--resume does not know which run is meant; name it with --out")
    if not (path / "config.json").exists():
        return source, options
    config = Run.open(path).config
    if origin := config.get("imported"):
        raise RunError(
            f"{path}: was imported from {origin['from']}, there is no training to go on with; import it again"
        )
    asked = config.get("asked", {})
    before = asked.get("options", {}) | {part: config["model"][part] for part in ("network", "head")}
    before |= {"blocks": config["data"]["options"].get("blocks", 1)}  # what was chosen by default stays
    before |= {name: config["training"][name] for name in ("optimizer", "learning_rate", "precision")}
    before |= {"common_start": config["training"].get("common_start", 0.0)}
    if "minutes" in before:  # what was planned once stays, however fast the machine is today
        if (minutes := options.get("minutes", before["minutes"])) != before["minutes"]:
            told = f"was planned for {before['minutes']} minutes, not for {minutes}"
            raise RunError(f"{path}: {told}; go on with the same, or train anew elsewhere")
        before = before | {name: config["training"][name] for name in ("steps", "evaluate_every")}
        before |= {"members": config["model"].get("members", 1)}  # the time decided these, too
        before, options = ({k: v for k, v in given.items() if k != "minutes"} for given in (before, options))
    options = before | options
    for name in ("microbatch", "precision"):
        if options.get(name) == "auto":  # what was found once stays, whatever memory is free or machine is used today
            options[name] = config["training"][name]
    return source or asked.get("source"), options


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """As it will stand in a file: tuples are lists, keys are text."""
    plain: dict[str, Any] = json.loads(json.dumps(config))
    return plain


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries by their dotted names.

    >>> _flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, dict):
        return {path: value}
    return {
        name: leaf for key, part in value.items() for name, leaf in _flat(part, f"{path}.{key}".lstrip(".")).items()
    }


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and contents."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
