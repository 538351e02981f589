"""Where a number comes from: versions, machine, the user's source code, the command line; into `config.json`."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from chainrule import __version__

__all__ = ["git_state", "provenance"]


def provenance() -> dict[str, Any]:
    """What a run needs to be repeated, besides its data and settings.

    >>> sorted(provenance())
    ['command', 'git', 'machine', 'versions']
    """
    return {
        "versions": {
            "chainrule": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "threads": torch.get_num_threads(),
            "cuda": [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())],
        },
        "git": git_state(Path.cwd()),
        "command": list(sys.orig_argv),
    }


def git_state(directory: Path) -> dict[str, Any] | None:
    """The commit of the working tree around a directory, and whether it was changed since; None if there is none."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None
