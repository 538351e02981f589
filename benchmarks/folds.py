"""Records of folds and cases: one line of JSON each, with digests of what decides the figures.

A line is added as soon as a fold is done, so that whoever interrupts a benchmark loses one fold at most. Where the
rows, the code or the versions of the libraries are others than before, the fold is not taken as done.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["ROOT", "Record", "digest_of", "digest_of_code"]

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "chainrule"
DECIDING = ("config", "data", "estimators", "evaluation", "heads", "models", "networks", "runs", "training")
LIBRARIES = ("torch", "numpy", "scikit-learn", "lightgbm")


class Record:
    """Figures by name, in a file to which lines are added.

    place: the file, which need not exist yet.

    >>> import tempfile
    >>> record = Record(Path(tempfile.mkdtemp()) / "folds.jsonl")
    >>> record.add("iris/0", {"code": "a"}, {"nats": 2.5})
    >>> record.add("iris/0", {"code": "b"}, {"nats": 2.4})
    >>> record.figures(), record.figures("iris/0", code="a"), record.has("iris/0", code="b")
    ({'iris/0': {'nats': 2.4}}, {}, True)
    """

    def __init__(self, place: Path) -> None:
        self.place = place

    def _lines(self) -> dict[str, dict[str, Any]]:
        """The last line of each name; a last line that was cut off is not there."""
        lines: dict[str, dict[str, Any]] = {}
        for text in self.place.read_text().splitlines() if self.place.exists() else []:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            lines[line["name"]] = line
        return lines

    def has(self, name: str, **digests: str) -> bool:
        """Whether the last figures of this name stand on what has these digests."""
        line = self._lines().get(name)
        return line is not None and all(line["digests"].get(what) == digest for what, digest in digests.items())

    def figures(self, name: str | None = None, **digests: str) -> Any:
        """All figures by name; or those of one name, empty where they stand on something else."""
        if name is not None:
            return self._lines()[name]["figures"] if self.has(name, **digests) else {}
        return {name: line["figures"] for name, line in self._lines().items()}

    def add(self, name: str, digests: dict[str, str], figures: dict[str, Any]) -> None:
        """Add a line, which is on the disk when this returns."""
        line = json.dumps({"name": name, "digests": digests, "figures": figures}) + "\n"
        cut = self.place.exists() and self.place.read_bytes()[-1:] not in (b"", b"\n")
        with self.place.open("a") as file:
            file.write("\n" * cut + line)
            file.flush()
            os.fsync(file.fileno())


def digest_of(*parts: Any) -> str:
    """The digest of arrays, and of other things as JSON.

    >>> digest_of(np.zeros(3), {"alpha": 0.05}) == digest_of(np.zeros(3), {"alpha": 0.1})
    False
    """
    found = sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(str((part.shape, part.dtype.str)).encode() + np.ascontiguousarray(part).tobytes())
        else:
            found.update(json.dumps(part, sort_keys=True).encode())
    return found.hexdigest()[:16]


def digest_of_code(*more: Path, without: Sequence[str] = ()) -> str:
    """The digest of the code by which estimators are fitted and score, and of the versions of its libraries.

    more: other files that decide, such as the benchmark itself.
    without: names of files that do not.
    """
    files = sorted(path for folder in DECIDING for path in (PACKAGE / folder).rglob("*.py"))
    files = [path for path in files if path.name not in without]
    files += [PACKAGE / name for name in ("domain.py", "batch.py", "likelihood.py")] + list(more)
    found = sha256()
    for path in files:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest_of(found.hexdigest(), {name: version(name) for name in LIBRARIES})
