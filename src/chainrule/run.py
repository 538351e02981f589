"""A run directory: everything that a training run leaves behind, and enough to use it again.

    config.json          format version, data, encoding, network, head, training, versions
    model.safetensors    the kept weights, with a hash of them
    metrics.jsonl        one record a validation
    report.json          the final figures
    *.png, samples.*     pictures and samples

Only JSON and safetensors: nothing in it is executed. Each file is written beside its place, synced and renamed.
"""

from __future__ import annotations

import json
import os
import platform
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from chainrule import __version__
from chainrule.config import build_model
from chainrule.data import encoding_from_json
from chainrule.data import open as open_data
from chainrule.data.base import DataSet, Encoding
from chainrule.data.conditions import context_options
from chainrule.errors import InputError, RunError
from chainrule.model import AutoregressiveModel

__all__ = ["FORMAT", "Run", "write_file"]

FORMAT = 1


class Run:
    """A run directory that exists.

    path: the directory. config: what `config.json` says.
    """

    def __init__(self, path: Path, config: dict[str, Any]) -> None:
        self.path = path
        self.config = config

    @classmethod
    def create(cls, path: Path, config: dict[str, Any]) -> Run:
        """Make the directory, which must be new or empty, and write the configuration into it."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunError(f"{path}: exists already and is not empty; name another place with --out")
        versions = {
            "chainrule": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }
        run = cls(path, {"format": FORMAT} | config | {"versions": versions})
        try:
            path.mkdir(parents=True, exist_ok=True)
            write_file(path / "config.json", _json(run.config))
        except OSError as error:
            raise RunError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None
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
        return cls(path, config)

    def encoding(self) -> Encoding:
        """How this run turns raw data into elements."""
        try:
            return encoding_from_json(self.config["data"]["encoding"])
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{self.path}: the encoding in config.json is damaged ({error}); train again") from None

    def data(self) -> DataSet:
        """The data set that the run was trained on, opened again and checked by its hash."""
        recorded = self.config["data"]
        data = open_data(recorded["name"], **recorded["options"])
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
        """The model with the kept weights, in evaluation mode."""
        path = self.path / "model.safetensors"
        encoding = self.encoding()
        model = build_model(self.config["model"], encoding.domain, context_options(encoding))
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

    def log(self, record: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        with open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`."""
        path = self.path / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def write_report(self, report: dict[str, Any]) -> None:
        """Write `report.json`."""
        write_file(self.path / "report.json", _json(report))


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, synced, renamed, the directory synced."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _json(value: dict[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and contents."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name}{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
