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
        steps = self.steps if self.epochs is None else ceil(self.epochs * examples / self.batch_size)
        if steps >= self.steps:
            return replace(self, epochs=None)
        return replace(
            self, epochs=None, steps=steps, evaluate_every=min(self.evaluate_every, max(1, steps // VALIDATIONS))
        )

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings."""
        return [field.name for field in fields(cls)]
