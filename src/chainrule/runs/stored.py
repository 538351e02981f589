"""A run as its files: everything that fitting leaves behind, and enough to use it again.

    config.json          format version, data, encoding, network, head, training, versions
    model.safetensors    the kept weights, with a hash of them
    metrics.jsonl        one line per validation
    report.json          the final figures
    decisions.jsonl      what was decided by the clock, see `training.decisions`
    certificate.json     the checks of the kept weights
    checkpoints/         where training stood, see `training.checkpoint`
    *.png, samples*      pictures and samples

Only JSON and safetensors: nothing in it is executed. The same files stand in a directory or are held in memory.
This file imports no torch, so that what only looks at a run is quick.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from chainrule.atomic_files import json_bytes, number_from_json, sweep
from chainrule.config.old_names import with_new_keys
from chainrule.errors import OutputError, RunError
from chainrule.runs.files import DirectoryFiles, MemoryFiles, RunFiles
from chainrule.runs.lock import holds_something, only_writer, writer_of
from chainrule.runs.wellformed import damage_in

__all__ = ["FORMAT", "SAID", "MetricsLog", "StoredRun", "flat"]

FORMAT = 1
NAMED = 6  # differences that an error names
SAID = {"data.name", "data.note", "data.unit", "data.options.test"}  # what may differ in how data are named
DECISIVE = ("data", "protocol", "model", "training")  # what two runs must share for one to continue the other


class StoredRun:
    """The files of a run.

    config: the content of `config.json`, under the names of today.
    files: where the files are kept, by default in memory.
    """

    def __init__(self, config: dict[str, Any], files: RunFiles | None = None) -> None:
        self.config = config
        self.files = MemoryFiles() if files is None else files

    @property
    def path(self) -> Path | None:
        """The run directory, None for a run in memory."""
        return self.files.path

    @property
    def name(self) -> str:
        """What messages and tables call this run: its directory, or the name of its data."""
        return str(self.path) if self.path is not None else str(self.config["data"]["name"])

    @property
    def directory(self) -> Path:
        """The run directory; raises RunError for a run in memory."""
        if self.path is None:
            raise RunError("this run is in memory and has no directory; write it with `run.save(path)` first")
        return self.path

    @classmethod
    def create(cls, path: Path | None, config: dict[str, Any]) -> Self:
        """Begin a run: make the directory, which must be new or empty, and write the configuration into it.

        path: the directory, None for a run in memory.
        config: what `config.json` is to say; versions and machine are added.
        """
        from chainrule.runs.provenance import provenance

        run = cls({"format": FORMAT} | config | provenance(), _new_files(path))
        with _placed(path):
            run.files.write("config.json", json_bytes(run.config))
        return run

    @classmethod
    def resume(cls, path: Path, config: dict[str, Any]) -> Self:
        """The run that was begun with this configuration; made if there is none, refused if there is another."""
        sweep(path)
        if not (path / "config.json").exists():
            return cls.create(path, config)
        run = cls.open(path)
        if differences := _differences(config, run.config):
            listed = "; ".join(differences[:NAMED])
            listed += f"; and {len(differences) - NAMED} more" if len(differences) > NAMED else ""
            raise RunError(f"{path}: was begun otherwise: {listed}; go on with the same, or train anew elsewhere")
        return run

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Read a run directory; refuses one that is missing, foreign, damaged or of a newer format."""
        path = Path(path)
        if not path.is_dir():
            raise RunError(f"{path}: there is no such run directory; make one with `chainrule fit DATA --out {path}`")
        files = DirectoryFiles(path)
        try:
            content = files.read("config.json")
            config = None if content is None else json.loads(content)
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{path}: config.json cannot be read ({error}); restore it or train again") from None
        if content is None:
            if (who := writer_of(path)) is not None:
                raise RunError(f"{path}: in training by {who}, no checkpoint yet; look again later")
            raise RunError(f"{path}: holds no config.json and so is not a run directory")
        if not isinstance(config, dict) or not {"format", "data", "model", "protocol"} <= set(config):
            raise RunError(f"{path}: config.json does not describe a run; restore it or train again")
        if config["format"] != FORMAT:
            raise RunError(f"{path}: has format {config['format']}, this version reads {FORMAT}; update chainrule")
        config = with_new_keys(config)
        if (damage := damage_in("config.json", config, missing=False)) is not None:
            raise RunError(f"{path}: config.json is damaged: {damage}; restore it or train again")
        return cls(config, files)

    def save(self, path: Path | str) -> Self:
        """Write a run in memory into a directory, which must be new or empty, and give the run that stands there."""
        if self.path is not None:
            raise RunError(f"{self.path}: is a run directory already; copy the directory")
        path = Path(path)
        with only_writer(path):
            run = type(self)(self.config, _new_files(path))
            with _placed(path):
                for name in self.files.names():
                    run.files.write(name, self.files.read(name) or b"")
        return run

    def refuse_damaged(self) -> None:
        """Raise RunError where the configuration lacks something that every verb needs."""
        if (damage := damage_in("config.json", self.config)) is not None:
            raise RunError(f"{self.path or 'this run'}: config.json is damaged: {damage}; restore it or train again")

    @property
    def identity(self) -> str:
        """A hash of what decides the result: checkpoints belong to it."""
        written = self.files.read("config.json")  # under the names of its time
        config = self.config if written is None else json.loads(written)
        return sha256((json.dumps({key: config.get(key) for key in DECISIVE}, indent=2) + "\n").encode()).hexdigest()

    def protocol(self) -> dict[str, str]:
        """How this run's examples are scored, the fields of a `Protocol`."""
        return dict(self.config["protocol"])

    def changed_versions(self) -> str:
        """What differs from when the run was begun, so that its continuation may differ in the last bits."""
        from chainrule.runs.provenance import provenance

        both = (self.config, provenance())
        before, now = (flat({k: value.get(k, {}) for k in ("versions", "machine")}) for value in both)
        return ", ".join(
            f"{name} {before[name]} -> {now.get(name)}" for name in before if before[name] != now.get(name)
        )

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of `metrics.jsonl`; a line that was cut off by a crash does not count."""
        lines = (self.files.read("metrics.jsonl") or b"").splitlines(keepends=True)
        try:
            records = [json.loads(line) for line in lines if line.endswith(b"\n")]
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.name}: metrics.jsonl cannot be read ({error}); restore it or remove it") from None
        for number, record in enumerate(records, start=1):
            if (damage := damage_in("metrics.jsonl", record)) is not None:
                said = f"line {number} of metrics.jsonl is damaged: {damage}"
                raise RunError(f"{self.name}: {said}; restore the file or remove it")
        return [{name: number_from_json(value) for name, value in record.items()} for record in records]

    def log(self, metrics: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`."""
        self.files.append("metrics.jsonl", json_bytes(metrics, indent=None))

    def logger(self, metrics: Sequence[dict[str, Any]] = ()) -> MetricsLog:
        """A logger that writes `metrics.jsonl`.

        metrics: what the file holds to begin with, in place of what stood there.
        """
        self.files.write("metrics.jsonl", b"".join(json_bytes(line, indent=None) for line in metrics))
        return MetricsLog(self)

    @property
    def report_dict(self) -> dict[str, Any] | None:
        """The content of `report.json`: the final figures; None before they are there."""
        return self._json("report.json")

    @property
    def certificate_dict(self) -> dict[str, Any] | None:
        """The content of `certificate.json`; None where the run was not verified."""
        return self._json("certificate.json")

    def write_report(self, report: dict[str, Any]) -> None:
        """Write `report.json`."""
        self.files.write("report.json", json_bytes(report))

    def write_certificate(self, certificate: dict[str, Any]) -> None:
        """Write `certificate.json`."""
        try:
            self.files.write("certificate.json", json_bytes(certificate))
        except OSError as error:
            raise RunError(f"{self.path}: the certificate cannot be written ({error.strerror}); make room") from None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside, a file that cannot be written is a RunError that says how to go on."""
        try:
            yield
        except OutputError:
            raise  # of what is shown, not of the run
        except OSError as error:
            raise RunError(
                f"{self.path}: cannot be written ({error.strerror or error}); make room, and go on with --resume"
            ) from error

    def _json(self, name: str) -> dict[str, Any] | None:
        content = self.files.read(name)
        if content is None:
            return None
        try:
            value: dict[str, Any] = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise RunError(f"{self.name}: {name} cannot be read ({error}); restore it or make it again") from None
        if (damage := damage_in(name, value)) is not None:
            raise RunError(f"{self.name}: {name} is damaged: {damage}; restore it or make it again")
        return value


class MetricsLog:
    """Takes in the metrics of training, one line of `metrics.jsonl` each."""

    def __init__(self, run: StoredRun) -> None:
        self.run = run

    def log(self, metrics: dict[str, Any]) -> None:
        """Add a line."""
        self.run.log(metrics)

    def close(self) -> None:
        """No more lines come."""


def _new_files(path: Path | None) -> RunFiles:
    """The files of a run that begins; refuses a directory that holds something."""
    if path is None:
        return MemoryFiles()
    if path.exists() and (not path.is_dir() or holds_something(path)):
        hint = "name another place with --out, or go on with a training there by fit --resume"
        raise RunError(f"{path}: exists already and is not empty; {hint}")
    with _placed(path):
        path.mkdir(parents=True, exist_ok=True)
    return DirectoryFiles(path)


@contextmanager
def _placed(path: Path | None) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{path}: cannot be written ({error.strerror}); name another place with --out") from None


def _differences(config: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """What decides the result and differs between a configuration and that of a run, in words."""
    from dataclasses import asdict

    from chainrule.training.settings import TrainingSettings

    later = asdict(TrainingSettings())  # settings that came since have their defaults
    begun = recorded | {"training": later | recorded.get("training", {})}
    plain: dict[str, Any] = json.loads(json.dumps(config))  # as it will stand in a file: tuples are lists
    here, there = (flat({key: value[key] for key in DECISIVE}) for value in (plain, begun))
    names = (here.keys() | there.keys()) - SAID  # the hash says whether it is the same
    different = [name for name in sorted(names) if here.get(name) != there.get(name)]
    return [f"{name} is {there.get(name)} there and {here.get(name)} here" for name in different]


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """The leaves of nested dictionaries by their dotted names.

    >>> flat({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    if not isinstance(value, dict):
        return {path: value}
    return {name: leaf for key, part in value.items() for name, leaf in flat(part, f"{path}.{key}".lstrip(".")).items()}
