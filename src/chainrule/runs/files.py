"""Where the files of a run are kept: in a directory, or in memory for a run that nothing was written of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from chainrule.atomic_files import read_inside, write_file

__all__ = ["DirectoryFiles", "MemoryFiles", "RunFiles"]


class RunFiles(ABC):
    """Named contents of a run.

    path: the directory that holds them, None in memory.
    """

    path: Path | None = None

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """The content of a file, None where there is no such file."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Write a file, in place of the one before."""

    @abstractmethod
    def append(self, name: str, content: bytes) -> None:
        """Add to the end of a file."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of the files, sorted."""


class DirectoryFiles(RunFiles):
    """The files of a directory, each written beside its place, synced and renamed."""

    def __init__(self, path: Path) -> None:
        self.path: Path = path

    def read(self, name: str) -> bytes | None:
        try:
            return read_inside(self.path, name)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        write_file(self.path / name, content)

    def append(self, name: str, content: bytes) -> None:
        with open(self.path / name, "ab") as file:
            file.write(content)

    def names(self) -> list[str]:
        return sorted(entry.name for entry in self.path.iterdir() if entry.is_file())


class MemoryFiles(RunFiles):
    """Files that are held in memory until the run is saved.

    >>> files = MemoryFiles()
    >>> files.append("metrics.jsonl", b"{}")
    >>> files.read("metrics.jsonl"), files.read("report.json"), files.names()
    (b'{}', None, ['metrics.jsonl'])
    """

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self._contents.get(name)

    def write(self, name: str, content: bytes) -> None:
        self._contents[name] = content

    def append(self, name: str, content: bytes) -> None:
        self._contents[name] = self._contents.get(name, b"") + content

    def names(self) -> list[str]:
        return sorted(self._contents)
