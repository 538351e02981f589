"""The settings of a training run: plain values, every one of them in `config.json`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil

from chainrule.config.options import TrainingOptions

__all__ = ["TrainingSettings"]

VALIDATIONS = 20  # of a training that is short because the data is little


@dataclass(frozen=True, kw_only=True)
class TrainingSettings(TrainingOptions):
    """How long, how fast, how regular: the fields are those of `TrainingOptions`, which checks them.

    >>> TrainingSettings(batch_size=50).steps
    2000
    """

    @property
    def fall(self) -> float:
        """The share of the steps in which the learning rate falls: none where the optimizer needs no schedule."""
        return 0.0 if self.optimizer == "schedule_free" else self.cooldown

    def bounded(self, examples: int) -> TrainingSettings:
        """The settings with `epochs` made plain: at most as many steps as that many passes over the examples take.

        A training that is cut short by it is validated 20 times or more.

        >>> TrainingSettings(epochs=10, batch_size=50).bounded(400).steps
        80
        """
        most = None if self.epochs is None else ceil(self.epochs * examples / self.batch_size)
        return replace(self, epochs=None).at_most(most)

    def at_most(self, steps: int | None) -> TrainingSettings:
        """The settings with at most so many steps, validated 20 times or more if it is cut short; None for no limit.

        >>> TrainingSettings(steps=900, evaluate_every=300).at_most(100).evaluate_every
        5
        """
        if steps is None or steps >= self.steps:
            return self
        return replace(self, steps=steps, evaluate_every=min(self.evaluate_every, max(1, steps // VALIDATIONS)))

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings."""
        return [field.name for field in fields(cls)]
