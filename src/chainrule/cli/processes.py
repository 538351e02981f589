"""Several processes on one machine or on several: `torchrun`, but what ends a job is one line and no tracebacks.

    python -m chainrule.cli.processes --nproc-per-node 2 fit digits --out runs/digits

Everything before the command goes to `torchrun`. The exit code is that of the process that failed first.
"""

from __future__ import annotations

import logging
import sys
from signal import SIGKILL

from chainrule.cli.commands import COMMANDS
from chainrule.cli.unforeseen import SMALLER

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Start the processes, wait for them, and return the exit code of the job.

    words: options of `torchrun`, then a command line of chainrule.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    place = next((place for place, word in enumerate(words) if word in COMMANDS), len(words))
    if place == len(words):
        print(f"error: name a command after the options of torchrun: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    try:
        run(parse_args([*words[:place], "-m", "chainrule", *words[place:]]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        return _exit_code(error.get_first_failure()[1].exitcode)
    except SignalException as error:
        return 128 + error.sigval
    return 0


def _exit_code(code: int) -> int:
    """An exit code as shells have it, also of a process that a signal ended, which could say nothing itself."""
    if code == -SIGKILL:
        print(f"error: a process was killed, as the system does when memory is out; {SMALLER}", file=sys.stderr)
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
