"""The exceptions of the package.

    ValueError
    └── InputError        input that cannot be used: says what was given, what was expected, what to do
        └── RunError      a run directory cannot be read or written
    OSError
    └── OutputError       what is shown to people cannot be written: a full disk, a pipe that was closed
    Exception
    └── Interrupted       a signal ended the work, whose state was saved; carries the exit code

The command line turns an `InputError` into one line and exit code 2; anything else is a defect of ours and keeps its
traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["InputError", "Interrupted", "OutputError", "RunError", "is_out_of_memory", "unknown_name"]

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "Unable to allocate")


class InputError(ValueError):
    """Input that cannot be used, with a message that says what to do about it."""


class RunError(InputError):
    """A run directory that is missing, damaged, foreign or not writable."""


class OutputError(OSError):
    """What is shown to people cannot be written; no file of a run is meant."""


class Interrupted(Exception):
    """A signal ended the work, whose state was saved.

    code: exit code of the process, 130 after Ctrl-C and 143 after SIGTERM.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is out; torch and NumPy have several ways to say it.

    >>> is_out_of_memory(RuntimeError("CUDA out of memory")), is_out_of_memory(KeyError())
    (True, False)
    """
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(message in str(error) for message in OUT_OF_MEMORY)
    )


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a misspelt name, with the nearest known one.

    >>> print(unknown_name("head", "categorial", ["bernoulli", "categorical"]))
    unknown head 'categorial'; did you mean 'categorical'? Known: bernoulli, categorical
    """
    known = sorted(known)
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return InputError(f"unknown {kind} {name!r}{hint} Known: {', '.join(known)}")
