"""The end of a command that nobody foresaw: one line for people, the traceback in a file, an exit code of its own."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from errno import EBADF, EPIPE

from chainrule.errors import OutputError, is_out_of_memory

__all__ = ["OUTPUT_FAILED", "SMALLER", "UNFORESEEN", "output_failed", "unforeseen"]

SMALLER = "use a smaller --width, --window, --batch-size or --microbatch, or less data"
REFUSED = 2
UNFORESEEN = 70  # EX_SOFTWARE of sysexits.h
OUTPUT_FAILED = 74  # EX_IOERR
PIPE_CLOSED = 141  # what a shell reports of a program that SIGPIPE ended


def unforeseen(error: Exception) -> tuple[str, int]:
    """A line and the exit code for an error that no part of the program explains.

    Memory, disks and permissions are those of the machine, and the line says what to do; anything else is a fault of
    the program.
    """
    if is_out_of_memory(error):
        said = " ".join(str(error).split())[:200]
        return f"out of memory ({said or 'no more is given'}); {SMALLER}", REFUSED
    if isinstance(error, OSError) and error.strerror:
        place = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return f"{place}{error.strerror}; check the place, its permissions and the room on the disk", REFUSED
    return fault(error), UNFORESEEN


def fault(error: Exception) -> str:
    """A line about an error that is a fault of the program; the traceback goes into a file that the line names."""
    try:
        handle, place = tempfile.mkstemp(prefix="chainrule-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
        where = f"the traceback is in {place}"
    except OSError:
        where = "run it again with --debug for the traceback"
    said = " ".join(str(error).split())[:200]
    return (
        f"{type(error).__name__}{f' ({said})' if said else ''}: this is a fault of chainrule, not of your input; "
        f"{where}, please report it"
    )


def output_failed(error: OSError) -> tuple[str, int]:
    """A line and the exit code where standard output cannot be written; what is still buffered is given up."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would complain once more at its end
    if isinstance(error, BrokenPipeError) or error.errno == EPIPE:
        return "", PIPE_CLOSED
    kept = error.kept if isinstance(error, OutputError) else None
    where = f"what was computed is in {kept}" if kept else "what goes into files is written"
    why = "it is closed" if error.errno == EBADF else error.strerror
    return f"standard output cannot be written ({why}); {where}", OUTPUT_FAILED
