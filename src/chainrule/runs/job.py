"""How a plan is carried out: the processes, what a person sees, and whether an earlier run goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chainrule.reporting.console import Console
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
    """

    engine: Engine
    console: Console
    resume: bool = False
    tensorboard: bool = False

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

    def part(self) -> Job:
        """The same for a part of the work: people see it, the JSON object is that of the whole."""
        return replace(self, console=self.console.aside())
