"""The exceptions of the package.

    ValueError
    └── InputError             input that cannot be used: says what was given, what was expected, what to do
        ├── RunError           a run directory cannot be read or written
        ├── DamagedArchive     a compressed file is damaged: exit code 3
        ├── OtherModel         it was made with another model: exit code 4
        └── OtherMachine       it was made where the model computes other numbers: exit code 5
    OSError
    └── OutputError       what is shown to people cannot be written: a full disk, a pipe that was closed
    Exception
    └── Interrupted       a signal ended the work, whose state was saved; carries the exit code

The command line turns an `InputError` into one line and its exit code, mostly 2; anything else is a defect of ours and
keeps its traceback.
"""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "DamagedArchive",
    "InputError",
    "Interrupted",
    "OtherMachine",
    "OtherModel",
    "OutputError",
    "RunError",
    "is_out_of_memory",
    "unknown_name",
]

OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "Unable to allocate")


class InputError(ValueError):
    """Input that cannot be used, with a message that says what to do about it.

    code: exit code of a command that ends with it.
    """

    code = 2


class RunError(InputError):
    """A run directory that is missing, damaged, foreign or not writable."""


class DamagedArchive(InputError):
    """A compressed file that is damaged, cut off or not one of ours."""

    code = 3


class OtherModel(InputError):
    """A compressed file that was made with another model than the one at hand."""

    code = 4


class OtherMachine(InputError):
    """A compressed file of a model whose numbers differ here in their last bits from where it was made."""

    code = 5


class OutputError(OSError):
    """What is shown to people cannot be written; no file of a run is meant.

    kept: where what was computed so far is kept; None where nothing is.
    """

    kept: str | None = None


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
