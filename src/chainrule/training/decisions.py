"""The decisions that a fit takes from the clock, as a record: equal decisions give equal bits.

    {"about": "plan", "members": 1, "steps": 840, "evaluate_every": 42, "seconds": 3.1, "step_seconds": 0.031, ...}
    {"about": "steps", "at": 80, "steps": 790, "evaluate_every": 40, "seconds": 6.0, ...}
    {"about": "end", "seconds": 30.2}

One line of `decisions.jsonl` each, written before the decision counts. What stands there is decided again when a run
goes on, and by `--plan RUN` for another run; the clock is asked only where the record ends without an end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from chainrule.errors import RunError

__all__ = ["END", "FILE", "Decision", "Decisions"]

Decision = dict[str, Any]  # its fields by name; "about" says what is decided
FILE = "decisions.jsonl"
END = "end"


class Decisions:
    """The decisions of one model, or of the whole of an ensemble, in their order.

    entries: those of a record.

    >>> decisions = Decisions()
    >>> decisions.add("steps", at=3, steps=20)
    {'about': 'steps', 'at': 3, 'steps': 20}
    >>> decisions.find("steps", at=3)["steps"], decisions.find("steps", at=4), decisions.goes_on("steps", 2)
    (20, None, True)
    """

    def __init__(self, entries: Iterable[Decision] = ()) -> None:
        self.entries = list(entries)
        self._write: Callable[[bytes], Any] | None = None

    @classmethod
    def of_lines(cls, content: bytes | None, name: str) -> Decisions:
        """Those of a file; a last line that was cut off by a crash does not count. name: of the run, for messages."""
        lines = [line for line in (content or b"").splitlines(keepends=True) if line.endswith(b"\n")]
        try:
            entries = [json.loads(line) for line in lines]
        except ValueError as error:
            raise RunError(f"{name}: {FILE} cannot be read ({error}); restore it or train again") from None
        for number, entry in enumerate(entries, start=1):
            if not isinstance(entry, dict) or not isinstance(entry.get("about"), str) or not _holds_numbers(entry):
                raise RunError(f"{name}: line {number} of {FILE} is not a decision; restore the file or train again")
        return cls(entries)

    @property
    def closed(self) -> bool:
        """Whether nothing is decided any more."""
        return any(entry["about"] == END for entry in self.entries)

    def find(self, about: str, at: int | None = None) -> Decision | None:
        """The recorded decision about something at a step or an element; None where there is none."""
        return next((e for e in self.entries if e["about"] == about and (at is None or e.get("at") == at)), None)

    def goes_on(self, about: str, at: int) -> bool:
        """Whether the record says what happens from a step or an element on, if only that nothing does."""
        return self.closed or any(entry["about"] == about and entry["at"] > at for entry in self.entries)

    def add(self, about: str, **fields: Any) -> Decision:
        """Decide, and write it down."""
        entry: Decision = {"about": about, **fields}
        if self._write is not None:
            self._write(_line(entry))
        self.entries.append(entry)
        return entry

    def keep(self, begin: Callable[[bytes], Any], add: Callable[[bytes], Any]) -> None:
        """Have the decisions written, from now on each when it is taken.

        begin: takes the lines so far, in place of what stood there.
        add: takes further lines.
        """
        self._write = add
        if self.entries:
            begin(b"".join(map(_line, self.entries)))


def _line(entry: Decision) -> bytes:
    return (json.dumps(entry) + "\n").encode()


def _holds_numbers(entry: Decision) -> bool:
    """Whether a decision is made of numbers, and of lists of them."""
    values = [value for name, value in entry.items() if name != "about"]
    flat = [part for value in values for part in (value if isinstance(value, list) else [value])]
    return all(part is None or type(part) in (int, float) for part in flat)
