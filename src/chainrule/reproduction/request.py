"""How recipes are to be run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.reproduction.recipe import Recipe

__all__ = ["SMOKE_EXAMPLES", "Request"]

SMOKE: dict[str, Any] = {"steps": 2, "evaluate_every": 2, "batch_size": 4}
SMOKE_EXAMPLES = 8


@dataclass(frozen=True)
class Request:
    """How recipes are to be run.

    data: directory of the data sets; None for CHAINRULE_DATA or the one beside the recipes.
    out: directory of the runs, one per recipe.
    minutes: minutes of training in place of the recipe's budget.
    seed: seed in place of 0.
    smoke: whether to take a few steps on a few examples only.
    resume: whether to continue the runs that are at `out`.
    """

    data: Path | None
    out: Path
    minutes: float | None = None
    seed: int | None = None
    smoke: bool = False
    resume: bool = False

    def options(self, recipe: Recipe) -> dict[str, Any]:
        """The options of `fit` for a recipe."""
        options = dict(recipe.options) | ({} if self.seed is None else {"seed": self.seed})
        if self.smoke:
            return options | SMOKE
        minutes = recipe.minutes if self.minutes is None else self.minutes
        return options if minutes is None else options | {"minutes": minutes}

    def again(self, recipe: Recipe) -> str:
        """The command that continues a recipe.

        >>> Request(None, Path("there"), minutes=3).again(Recipe("coin", "ten throws", "nats/example", "coin.csv"))
        'chainrule reproduce coin --resume --out there --minutes 3'
        """
        given = {"--data": self.data, "--out": self.out, "--minutes": self.minutes, "--seed": self.seed}
        words = [f"{name} {value}" for name, value in given.items() if value is not None]
        return " ".join(["chainrule reproduce", recipe.name, "--resume", *words, *(["--smoke"] * self.smoke)])

    def as_published(self, recipe: Recipe) -> bool:
        """Whether this is the recipe as it stands, so that its record is the one to keep."""
        return not self.smoke and self.minutes in (None, recipe.minutes) and self.seed in (None, 0)
