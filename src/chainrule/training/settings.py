"""The settings of a training run: plain values, every one of them in `config.json`."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from math import ceil

from chainrule.errors import InputError

__all__ = ["TrainingSettings"]

VALIDATIONS = 20  # of a training that is short because the data is little

_TYPES: dict[str, type | tuple[type, ...]] = {
    "int": int,
    "int | None": (int, type(None)),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "str": str,
    "bool": bool,
    "int | str | None": (int, str, type(None)),
    "str | dict[str, str] | None": (str, dict, type(None)),
}
_NORMALISATIONS = ("per_example", "per_element")
_OPTIMIZERS = ("adamw", "muon", "schedule_free")
_ENGINES = ("ddp", "fsdp")
_PRECISIONS = ("float32", "float64", "bfloat16", "float16", "auto")


@dataclass(frozen=True)
class TrainingSettings:
    """How long, how fast, how regular.

    steps: optimizer steps. epochs: passes over the training data that these are at most, None for any number, see
    `bounded`. batch_size: examples a step, over all microbatches. microbatch: examples a forward pass; the
    result is the same up to rounding, the memory smaller. normalisation: what the loss of a step is divided by, see
    `Objective`. optimizer: adamw, muon or schedule_free, see `optimizers`. learning_rate: its peak. weight_decay: the
    decoupled decay of matrices, not a prior. warmup, cooldown: shares of the steps in which the rate rises from zero
    and falls back to it. clip_norm: the largest norm of a gradient. ema: the decay of the exponential moving
    average of the weights, 0 for none; the average is what is evaluated and kept. evaluate_every: steps between
    validations. patience: validations without a better one before training stops. checkpoint_every: steps between
    checkpoints, None
    for as often as costs 1 % of the time. keep: how many checkpoints are kept. sample_every: steps between samples
    drawn while training, None for none. seed: of initial weights, order and dropout. prior: ln p(theta),
    "gaussian:WIDTH", "laplace:WIDTH" or a table from patterns to them, see `Prior`. label_smoothing,
    confidence_penalty, z_loss: see `Regularisers`. engine: how several processes share the work, see `Engine`.
    precision: of the network in training, see `Precision`. compile: whether torch compiles the network in training.
    common_start: the share of the steps, from the first, in which the models of several orders have the same weights.
    """

    steps: int = 2000
    epochs: float | None = None
    batch_size: int = 64
    microbatch: int | str | None = None
    normalisation: str = "per_example"
    optimizer: str = "adamw"
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup: float = 0.05
    cooldown: float = 0.6
    clip_norm: float = 1.0
    ema: float = 0.99
    evaluate_every: int = 100
    patience: int = 10
    checkpoint_every: int | None = None
    keep: int = 2
    sample_every: int | None = None
    seed: int = 0
    prior: str | dict[str, str] | None = None
    label_smoothing: float = 0.0
    confidence_penalty: float = 0.0
    z_loss: float = 0.0
    engine: str = "ddp"
    precision: str = "float32"
    compile: bool = False
    common_start: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, _TYPES[str(field.type)]) or (isinstance(value, bool) and field.type != "bool"):
                raise InputError(f"{field.name} must be of type {field.type}, got {value!r}")
        microbatch = self.microbatch if isinstance(self.microbatch, int) else self.batch_size
        for name, value, fine, wanted in (
            ("steps", self.steps, self.steps >= 1, "at least 1"),
            ("epochs", self.epochs, self.epochs is None or 0 < self.epochs < float("inf"), "positive"),
            ("batch_size", self.batch_size, self.batch_size >= 1, "at least 1"),
            ("microbatch", microbatch, 1 <= microbatch <= self.batch_size, f"from 1 to the batch's {self.batch_size}"),
            ("learning_rate", self.learning_rate, 0 < self.learning_rate < float("inf"), "positive"),
            ("weight_decay", self.weight_decay, 0 <= self.weight_decay < float("inf"), "at least 0"),
            ("warmup", self.warmup, 0 <= self.warmup <= 1, "a share from 0 to 1"),
            ("cooldown", self.cooldown, 0 <= self.cooldown <= 1, "a share from 0 to 1"),
            ("common_start", self.common_start, 0 <= self.common_start <= 1, "a share from 0 to 1"),
            ("clip_norm", self.clip_norm, self.clip_norm > 0, "positive"),
            ("ema", self.ema, 0 <= self.ema < 1, "from 0 to below 1"),
            ("evaluate_every", self.evaluate_every, self.evaluate_every >= 1, "at least 1"),
            ("normalisation", self.normalisation, self.normalisation in _NORMALISATIONS, " or ".join(_NORMALISATIONS)),
            ("patience", self.patience, self.patience >= 1, "at least 1"),
            (
                "microbatch",
                self.microbatch,
                self.microbatch == "auto" or not isinstance(self.microbatch, str),
                "a number or auto",
            ),
            ("label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "a share from 0 to below 1"),
            ("confidence_penalty", self.confidence_penalty, 0 <= self.confidence_penalty < float("inf"), "at least 0"),
            ("z_loss", self.z_loss, 0 <= self.z_loss < float("inf"), "at least 0"),
            ("optimizer", self.optimizer, self.optimizer in _OPTIMIZERS, " or ".join(_OPTIMIZERS)),
            (
                "engine",
                self.engine,
                (self.optimizer, self.engine) != ("schedule_free", "fsdp"),
                "ddp with --optimizer schedule_free",
            ),
            ("engine", self.engine, self.engine in _ENGINES, " or ".join(_ENGINES)),
            ("precision", self.precision, self.precision in _PRECISIONS, ", ".join(_PRECISIONS)),
            (
                "checkpoint_every",
                self.checkpoint_every,
                self.checkpoint_every is None or self.checkpoint_every >= 1,
                "at least 1",
            ),
            ("keep", self.keep, self.keep >= 1, "at least 1"),
            ("sample_every", self.sample_every, self.sample_every is None or self.sample_every >= 1, "at least 1"),
        ):
            if not fine:
                raise InputError(f"{name} must be {wanted}, got {value}")

    @property
    def fall(self) -> float:
        """The share of the steps in which the rate falls: none where the optimizer needs no schedule."""
        return 0.0 if self.optimizer == "schedule_free" else self.cooldown

    @property
    def common_steps(self) -> int:
        """The steps of the common start."""
        return round(self.common_start * self.steps)

    def bounded(self, examples: int) -> TrainingSettings:
        """The settings with `epochs` made plain: no more steps than so many passes over the examples take.

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
