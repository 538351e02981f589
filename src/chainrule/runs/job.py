"""How a plan is carried out: the processes, what a person sees, the time, and whether an earlier run goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from chainrule.errors import RunError
from chainrule.reporting.console import Console
from chainrule.training.clock import Clock
from chainrule.training.decisions import END, FILE, Decisions
from chainrule.training.engine import Engine
from chainrule.training.processes import Processes

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """How a plan is carried out.

    engine: the processes that share the work.
    console: where a person reads how it goes; silent in all processes but the first.
    resume: whether to go on with a run that was begun.
    tensorboard: whether to write logs for TensorBoard, too.
    clock: the clock of a time budget.
    record: a run whose decisions are taken again; None to look at the clock.
    decisions: the decisions of this run, or of the part of it.
    """

    engine: Engine
    console: Console
    resume: bool = False
    tensorboard: bool = False
    clock: Clock = field(default_factory=Clock)
    record: Path | None = None
    decisions: Decisions = field(default_factory=Decisions)

    @classmethod
    def begin(
        cls,
        engine_name: str,
        console: Console,
        processes: Processes | None = None,
        *,
        resume: bool = False,
        tensorboard: bool = False,
    ) -> Job:
        """The job of this process.

        engine_name: ddp or fsdp.
        console: where the first process shows how it goes.
        processes: this process and the others, by default those that `torchrun` started.
        resume: whether to go on with a run that was begun.
        tensorboard: whether to write logs for TensorBoard, too.
        """
        engine = Engine(engine_name, processes)
        return cls(engine, console if engine.first else Console(silent=True), resume, tensorboard)

    def timed(self, clock: Clock, record: Path | None, place: Path | None) -> Job:
        """The same by a clock, with the decisions of an earlier run.

        record: a run whose decisions are taken again; None for none.
        place: the directory of the run, whose own decisions are taken again if it goes on; None for memory.
        """
        return replace(self, clock=clock, record=record)._at(place, record)

    def part(self, name: str, place: Path | None) -> Job:
        """The same for a part of the work: people see it, the JSON object is that of the whole.

        name: the directory of the part among the members.
        place: where it is kept, None in memory.
        """
        record = None if self.record is None else self.record / "members" / name
        return replace(self, console=self.console.aside())._at(place, record)

    def _at(self, place: Path | None, record: Path | None) -> Job:
        """With the decisions that stand at a place, else those of a record, which is closed."""

        def read() -> tuple[list[dict[str, object]], bool]:
            if self.resume and place is not None and (own := _read(place)).entries:
                return own.entries, False
            if record is None:
                return [], False
            if not (of_record := _read(record)).closed:
                raise RunError(
                    f"{record}: holds no {FILE} that comes to an end; name with --plan a run of --minutes whose "
                    "training has ended"
                )
            return of_record.entries, True

        entries, _ = self.engine.of_first(read)
        decisions = Decisions(entries)
        if (end := decisions.find(END)) is not None and end.get("seconds") is not None:
            self.clock.go_on_from(max(self.clock(), end["seconds"]))
        return replace(self, decisions=decisions)


def _read(path: Path) -> Decisions:
    """The decisions of a run; none where it has no record of them."""
    file = path / FILE
    return Decisions.of_lines(file.read_bytes() if file.exists() else None, str(path))
