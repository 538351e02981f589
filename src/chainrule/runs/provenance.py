"""Where a number comes from: versions, machine, the commit of the user's source code, and the command line."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule import __version__

__all__ = ["changed_since", "git_state", "provenance", "versions"]


def provenance() -> dict[str, Any]:
    """What is needed to repeat a run, besides its data and settings; it stands in `config.json`.

    >>> sorted(provenance())
    ['command', 'git', 'machine', 'versions']
    """
    return {
        "versions": versions(),
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "threads": torch.get_num_threads(),
            "cuda": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        },
        "git": git_state(Path.cwd()),
        "command": list(sys.orig_argv),
    }


def versions() -> dict[str, str]:
    """The versions of this package and of what computes its numbers."""
    return {
        "chainrule": __version__,
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def git_state(directory: Path, *paths: str) -> dict[str, Any] | None:
    """The commit of the Git working tree around a directory; None if there is none.

    directory: any directory of the working tree.
    paths: the files whose changes count; by default all.

    Returns "commit", and "dirty": whether files have changed since that commit.
    """
    try:
        commit, changes = (_git(directory, *words).stdout.strip() for words in (_HEAD, (*_STATUS, "--", *paths)))
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}


def changed_since(directory: Path, commit: str) -> bool | None:
    """Whether the files of a directory differ between a commit and the newest one; None if that is not known.

    directory: the directory whose files are compared.
    commit: the older commit.
    """
    try:
        return bool(_git(directory, "diff", "--name-only", commit, "HEAD", "--", ".").stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return None


_HEAD = ("rev-parse", "HEAD")
_STATUS = ("status", "--porcelain", "--untracked-files=no")


def _git(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["git", "-C", str(directory), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
