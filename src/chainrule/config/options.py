"""The options of `fit`: the one place where each of them is stated.

The command line, `plan` and `fit` in Python, `TrainingSettings`, TOML files, resume and `docs/options.md` are made from
the fields below; defaults that depend on the kind of data stand in `defaults`. Nothing here imports torch.
"""

# ruff: noqa: RUF009  (`option` makes a dataclass field)

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.config.model_options import ModelOptions
from chainrule.config.old_names import with_new_options
from chainrule.config.option import (
    BELOW_1,
    DATA,
    NOT_NEGATIVE,
    OUTPUT,
    POSITIVE,
    SEED,
    SHARE,
    TIME,
    TRAINING,
    Check,
    Option,
    at_least,
    one_of,
    option,
    options_of,
)
from chainrule.errors import InputError, unknown_name

__all__ = ["FIT_OPTIONS", "OPTIONS", "DataOptions", "FitOptions", "ModelOptions", "TrainingOptions", "read_config"]


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """How a source is read; each kind of data takes some of these and refuses the others."""

    given: str | None = option(
        None,
        "what to condition on, p(x | c): label, or columns of a table such as age,sex",
        DATA,
        default_text="nothing",
        common=True,
    )
    split: str | None = option(
        None,
        "how rows are divided into train/valid/test: random:80/10/10, distinct:80/10/10 (equal rows together), "
        "group:COLUMN:80/10/10 (rows with one value of the column together) or order:80/10/10; valid or test may be 0",
        DATA,
        default_text="as the source is split, else random; distinct for images and documents",
    )
    split_seed: int | None = option(None, "key of a split at random or by group", DATA, check=SEED, default_text="0")
    split_column: str | None = option(
        None,
        "tables: name of a column that says the split of each row: train, test, or valid (validation, val, dev)",
        DATA,
        default_text="none",
    )
    test: str | Path | None = option(
        None,
        "a test set of its own, of the same kind; DATA is then divided into train and valid only",
        DATA,
        default_text="a part of DATA",
    )
    window: int | None = option(
        None,
        "text: number of elements that the network reads at once",
        DATA,
        default_text="256, or the longest document",
        common=True,
    )
    stride: int | None = option(
        None, "text: number of elements that the window moves on in evaluation", DATA, default_text="window / 2"
    )
    symbols: str | None = option(
        None,
        "text: bytes, characters, bpe:SIZE, a tokenizer.json or the directory of a model",
        DATA,
        default_text="bytes",
    )
    documents: str | None = option(
        None,
        "text: line, file, a separator, or stream for one long text; FASTA: record or stream",
        DATA,
        default_text="by content",
    )
    field: str | None = option(None, "JSON lines: name of the field to read", DATA, default_text="text")
    end: str | None = option(
        None,
        "sequences: scored for p(x, T), given for p(x | T), where T is the length",
        DATA,
        default_text="by kind of data",
    )
    pack: int | None = option(
        None, "sequences: number of elements per packed row in training", DATA, default_text="rows are padded"
    )
    shape: str | list[int] | tuple[int, ...] | None = option(
        None, "arrays: shape of an example such as 28,28", DATA, default_text="as in the file"
    )
    levels: int | None = option(None, "images: number of grey levels, 2 to 256", DATA, default_text="256")
    binarize: str | None = option(
        None, "images: how pixels become bits: threshold, fixed or dynamic", DATA, default_text="they do not"
    )
    pixel_block: int | None = option(
        None,
        "images: side in pixels of a pixel block, which is one place of the network",
        DATA,
        default_text="1; 2 from 10 000 binary images on",
    )
    columns: str | None = option(None, "tables: kinds of columns, name=kind,...", DATA, default_text="by content")
    drop: str | None = option(None, "tables: names of columns to leave out, name,...", DATA, default_text="none")
    header: int | str | None = option(
        None, "tables: yes, no, or the line of the names counted from 1", DATA, default_text="by content"
    )
    delimiter: str | None = option(
        None, "tables: the character between values, or tab, space or none", DATA, default_text="by content"
    )
    decimal: str | None = option(None, "tables: the decimal mark, . or ,", DATA, default_text="by content")
    missing: str | None = option(
        None, "tables: texts for a missing value, such as '-,n/a'", DATA, default_text="?, NA, N/A, NaN, null, None"
    )
    dates: str | None = option(
        None, "tables: day-first or month-first, for dates such as 1/2/2024", DATA, default_text="by content"
    )
    density: bool | None = option(
        None,
        "tables: every column of numbers as a density, without a mass for values that repeat, for comparison with "
        "published densities",
        DATA,
    )
    case: str | None = option(
        None, "FASTA: upper, to read lower case (soft masking) as upper case, or keep", DATA, default_text="upper"
    )
    builtin: bool | None = option(None, "the set that comes with chainrule, where a path has its name, too", DATA)
    reader: int | None = option(
        None, "tables, arrays, pictures, FASTA: version of the reader; 1 reads as the first did", DATA, default_text="2"
    )


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The settings of training, plain values that `config.json` holds; `TrainingSettings` adds what follows of them."""

    steps: int = option(2000, "number of optimizer steps", TIME, check=at_least(1), common=True)
    epochs: float | None = option(None, "largest number of passes over the training data", TIME, check=POSITIVE)
    batch_size: int = option(64, "number of examples per step", TIME, check=at_least(1))
    microbatch: int | str | None = option(
        None,
        "number of examples per forward pass, or auto for as many as fit memory; changes results by rounding only",
        TIME,
        check=Check("a number from 1 on, or auto", lambda v: v == "auto" if isinstance(v, str) else v >= 1),
        default_text="the batch",
    )
    normalisation: str = option(
        "per_example",
        "what the loss of a step is divided by: per_example or per_element",
        TRAINING,
        check=one_of("per_example", "per_element"),
    )
    optimizer: str = option(
        "adamw", "adamw, muon or schedule_free", TRAINING, check=one_of("adamw", "muon", "schedule_free")
    )
    learning_rate: float = option(2e-3, "peak learning rate", TRAINING, check=POSITIVE)
    weight_decay: float = option(0.05, "decoupled weight decay of matrices", TRAINING, check=NOT_NEGATIVE)
    warmup: float = option(0.05, "share of the steps in which the learning rate rises from 0", TRAINING, check=SHARE)
    cooldown: float = option(0.6, "share of the steps in which the learning rate falls to 0", TRAINING, check=SHARE)
    clip_norm: float = option(1.0, "largest gradient norm", TRAINING, check=Check("above 0", lambda value: value > 0))
    ema: float = option(
        0.99,
        "decay of the exponential moving average of the weights, which is evaluated and kept; 0 for none",
        TRAINING,
        check=Check("from 0 to below 1", lambda value: 0 <= value < 1),
    )
    evaluate_every: int = option(100, "number of steps between validations", TIME, check=at_least(1))
    patience: int = option(
        10, "number of validations without improvement after which training stops", TIME, check=at_least(1)
    )
    checkpoint_every: int | None = option(
        None,
        "number of steps between checkpoints",
        OUTPUT,
        check=at_least(1),
        default_text="as often as takes 1% of the time",
    )
    keep: int = option(2, "number of checkpoints to keep", OUTPUT, check=at_least(1))
    sample_every: int | None = option(
        None, "number of steps between samples drawn in training", OUTPUT, check=at_least(1), default_text="none"
    )
    seed: int = option(0, "seed of weights, data order and dropout", TRAINING, check=SEED, common=True)
    prior: str | dict[str, str] | None = option(
        None,
        "prior of the weights: gaussian:WIDTH or laplace:WIDTH; in TOML also a table of patterns",
        TRAINING,
        default_text="none",
    )
    label_smoothing: float = option(
        0.0, "share of the target that is spread evenly over the symbols", TRAINING, check=BELOW_1
    )
    confidence_penalty: float = option(0.0, "weight of the entropy penalty", TRAINING, check=NOT_NEGATIVE)
    z_loss: float = option(0.0, "weight of (ln Z)^2 in the loss", TRAINING, check=NOT_NEGATIVE)
    engine: str = option(
        "ddp", "under torchrun: ddp, or fsdp to shard the optimizer state", TIME, check=one_of("ddp", "fsdp")
    )
    precision: str = option(
        "float32",
        "precision of the network in training: float32, float64, bfloat16, float16 or auto",
        TIME,
        check=one_of("float32", "float64", "bfloat16", "float16", "auto"),
    )
    compile: bool = option(False, "compile the network for training", TIME)
    common_start: float = option(
        0.0,
        "share of the steps in which the models of several scans have the same weights",
        TRAINING,
        check=SHARE,
        default_text="0.5 for scans of an image",
    )

    def __post_init__(self) -> None:
        for stated in options_of(TrainingOptions):
            stated.refuse_unless_valid(vars(self)[stated.name])
        if isinstance(self.microbatch, int) and self.microbatch > self.batch_size:
            raise InputError(f"microbatch must be from 1 to the batch's {self.batch_size}, got {self.microbatch}")
        if (self.optimizer, self.engine) == ("schedule_free", "fsdp"):
            raise InputError("engine must be ddp with optimizer schedule_free, got fsdp")


@dataclass(frozen=True, kw_only=True)
class TimeOptions:
    """What decides the number of steps in place of `steps`."""

    minutes: float | None = option(
        None,
        "minutes from the start of the command to the last step of training; the number of steps is planned from them "
        "and corrected while training runs",
        TIME,
        check=POSITIVE,
        default_text="as --steps says",
        common=True,
    )
    plan: str | Path | None = option(
        None,
        "a run directory whose decisions on time are taken, in place of a look at the clock: the same steps, the same "
        "bits",
        TIME,
        default_text="none",
    )


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What `fit` takes besides the plan."""

    out: Path | None = option(
        None, "run directory to write", OUTPUT, default_text="runs/NAME-K; in Python none", common=True
    )
    resume: bool = option(
        False, "continue the run at --out; options that are not given again are as they were", OUTPUT, common=True
    )
    moved_to: Path | None = option(
        None,
        "with --resume: where the data are now; their hash is checked",
        OUTPUT,
        default_text="where they were",
    )
    config: Path | None = option(None, "TOML file with any of these options", OUTPUT)
    tensorboard: bool = option(False, "also write logs for TensorBoard", OUTPUT)
    rank_timeout: float | None = option(
        None,
        "under torchrun: minutes without a sign of life after which a process is lost",
        TIME,
        check=POSITIVE,
        default_text="10",
    )


OPTIONS: tuple[Option, ...] = (  # what `plan` takes
    *options_of(TimeOptions),
    *options_of(DataOptions),
    *options_of(ModelOptions),
    *options_of(TrainingOptions),
)
FIT_OPTIONS: tuple[Option, ...] = (*OPTIONS, *options_of(FitOptions))


def checked(options: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """The options that are given, those that are None left out, under today's names, each of its type and checked.

    options: options of `plan` by name.
    where: what they were read from, for the message about an unknown one.
    """
    by_name = {stated.name: stated for stated in OPTIONS}
    given = {name: value for name, value in with_new_options(options).items() if value is not None}
    for name, value in given.items():
        if name not in by_name:
            raise unknown_name(f"option{where}", name, by_name)
        by_name[name].refuse_unless_valid(value)
    return given


def read_config(path: Path | None) -> dict[str, Any]:
    """Options from a TOML file, by the names of the command line; a table [network] or [head] sets a part's options."""
    if path is None:
        return {}
    import tomllib

    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    except (ValueError, RecursionError) as error:  # what is no TOML, no UTF-8, or nested too deeply
        raise InputError(f"{path}: is not TOML ({error}); correct it") from None
    return checked({key.replace("-", "_"): value for key, value in content.items()}, where=f" in {path}")
