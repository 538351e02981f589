"""What `fit` may be told: its options, a TOML file of them, and what they make of data, model and training.

Torch is imported inside the functions, so that `--help` stays quick.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from chainrule.config.defaults import (
    COMMON_START,
    DEFAULTS,
    default_members,
    default_pixel_block,
    default_spec,
    default_training,
)
from chainrule.config.old_names import with_new_options
from chainrule.config.registry import HEADS, NETWORKS
from chainrule.errors import InputError, unknown_name
from chainrule.training.settings import TrainingSettings

if TYPE_CHECKING:
    from chainrule.data.encodings.data_set import DataSet
    from chainrule.data.examples.stored import Progress
    from chainrule.training.budget import Budget

__all__ = ["FitOptions", "budget_of", "members_of", "opened", "read_config", "specification"]


def _by_kind(name: str, section: str = "training") -> str:
    """The default of an option, for the help: one value, or one a kind of data."""
    common = getattr(TrainingSettings, name, None)
    values = {kind: defaults[section].get(name, common) for kind, defaults in DEFAULTS.items()}
    if len(set(map(str, values.values()))) == 1:
        return f"[default: {next(iter(values.values()))}]"
    return f"[default: {', '.join(f'{kind} {value}' for kind, value in values.items())}]"


def _option(text: str, name: str | None = None, section: str = "training") -> Parameter:
    return Parameter(help=text if name is None else f"{text} {_by_kind(name, section)}")


@Parameter(name="*")
@dataclass(frozen=True)
class FitOptions:
    """Options of `fit`; what is not given comes from --config, then from the defaults of the kind of data."""

    network: Annotated[
        str | None, _option(f"One of {', '.join(NETWORKS)} [default: by kind of data, see `chainrule info`].")
    ] = None
    head: Annotated[str | None, _option(f"One of {', '.join(HEADS)} [default: by number of symbols].")] = None
    width: Annotated[int | None, _option("Size of the features.", "width", "network")] = None
    depth: Annotated[int | None, _option("Number of blocks.", "depth", "network")] = None
    dropout: Annotated[float | None, _option("Share of hidden units dropped.", "dropout", "network")] = None
    symbols: Annotated[
        str | None,
        _option("Text: bytes, characters, bpe:SIZE, a tokenizer.json or a model's directory [default: bytes]."),
    ] = None
    documents: Annotated[
        str | None, _option("Text: line, file, a separator, or stream for one long text [default: by content].")
    ] = None
    field: Annotated[str | None, _option("JSON lines: the field to read [default: text].")] = None
    end: Annotated[str | None, _option("Sequences: scored for p(x, T), given for p(x | T) [default: by kind].")] = None
    pack: Annotated[int | None, _option("Sequences: elements of a row in training, packed [default: padded].")] = None
    window: Annotated[
        int | None, _option("Text: elements that the network reads at once [default: 256, or the longest].")
    ] = None
    stride: Annotated[
        int | None, _option("Text: elements the window moves on in evaluation [default: window / 2].")
    ] = None
    shape: Annotated[str | None, _option("Arrays: the layout of an example, e.g. 28,28 [default: the file's].")] = None
    levels: Annotated[int | None, _option("Images: grey levels, 2 to 256 [default: 256].")] = None
    binarize: Annotated[str | None, _option("Images: threshold, fixed or dynamic [default: not].")] = None
    pixel_block: Annotated[
        int | None,
        _option("Images: pixels a side of one pixel of the network [default: 1, of 10 000 binary images 2]."),
    ] = None
    given: Annotated[str | None, _option("What to condition on: label, or columns of a table such as age,sex.")] = None
    columns: Annotated[str | None, _option("Tables: kinds of columns, name=kind,... [default: by content].")] = None
    drop: Annotated[str | None, _option("Tables: columns to leave out, name,...")] = None
    split: Annotated[
        str | None, _option("Shares of train/valid/test, or order:80/10/10 [default: 80/10/10, or as given].")
    ] = None
    steps: Annotated[int | None, _option("Optimizer steps.", "steps")] = None
    epochs: Annotated[float | None, _option("Passes over the training data at most.", "epochs")] = None
    batch_size: Annotated[int | None, _option("Examples a step.", "batch_size")] = None
    microbatch: Annotated[
        int | str | None, _option("Examples a forward pass, or auto for what fits memory [default: the batch].")
    ] = None
    normalisation: Annotated[str | None, _option("per_example or per_element.", "normalisation")] = None
    optimizer: Annotated[str | None, _option("adamw, muon or schedule_free.", "optimizer")] = None
    learning_rate: Annotated[float | None, _option("Its peak.", "learning_rate")] = None
    weight_decay: Annotated[float | None, _option("Decoupled decay of matrices.", "weight_decay")] = None
    prior: Annotated[
        str | None, _option("gaussian:WIDTH or laplace:WIDTH, in --config also a table of patterns [default: none].")
    ] = None
    label_smoothing: Annotated[float | None, _option("Share of the target spread evenly.", "label_smoothing")] = None
    confidence_penalty: Annotated[float | None, _option("Nats a nat of entropy is worth.", "confidence_penalty")] = None
    z_loss: Annotated[float | None, _option("Weight of (ln Z)^2.", "z_loss")] = None
    warmup: Annotated[float | None, _option("Share of the steps in which the rate rises.", "warmup")] = None
    cooldown: Annotated[float | None, _option("Share of the steps in which the rate falls.", "cooldown")] = None
    clip_norm: Annotated[float | None, _option("Largest norm of a gradient.", "clip_norm")] = None
    ema: Annotated[
        float | None, _option("Decay of the exponential moving average of the weights, 0 for none.", "ema")
    ] = None
    minutes: Annotated[
        float | None, _option("Plan the steps so that training ends after so many minutes [default: --steps].")
    ] = None
    members: Annotated[
        int | None,
        _option(
            "Models of seeds SEED, SEED + 1, ... that are averaged [default: 1; by --minutes 4 for rows, short texts]."
        ),
    ] = None
    orders: Annotated[
        int | None,
        _option("Mean of p(x) over orders: scans of an image, a model each; of a row, one made [default: none]."),
    ] = None
    common_start: Annotated[
        float | None,
        _option("Share of the steps in which models of several scans have the same weights [default: 0.5]."),
    ] = None
    evaluate_every: Annotated[int | None, _option("Steps between validations.", "evaluate_every")] = None
    patience: Annotated[int | None, _option("Validations without a better one before the end.", "patience")] = None
    checkpoint_every: Annotated[
        int | None, _option("Steps between checkpoints [default: as often as costs a hundredth of the time].")
    ] = None
    keep: Annotated[int | None, _option("Checkpoints that are kept.", "keep")] = None
    sample_every: Annotated[int | None, _option("Steps between samples drawn while training [default: none].")] = None
    engine: Annotated[str | None, _option("Under torchrun: ddp, or fsdp to shard the optimizer.", "engine")] = None
    precision: Annotated[
        str | None, _option("Of the network in training: float32, float64, bfloat16, float16 or auto.", "precision")
    ] = None
    compile: Annotated[bool | None, Parameter(negative="", help="Have torch compile the network for training.")] = None
    seed: Annotated[int | None, _option("Of weights, order and dropout.", "seed")] = None

    def chosen(self) -> dict[str, Any]:
        """The options that were given."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}


def read_config(path: Path | None) -> dict[str, Any]:
    """Options from a TOML file, by the names of the command line; a table [network] or [head] sets a part's options."""
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no TOML ({error}); correct it") from None
    options = with_new_options({key.replace("-", "_"): value for key, value in content.items()})
    known = [f.name for f in fields(FitOptions)]
    for key in options:
        if key not in known:
            raise unknown_name(f"option in {path}", key, known)
    return options


def opened(source: str, options: dict[str, Any], progress: Progress | None = None) -> DataSet:
    """The data set that the options speak of, its images laid out for the default network."""
    from chainrule.data.encodings.pixel_blocks import in_pixel_blocks
    from chainrule.data.recognition.load import load

    shape = options.get("shape")
    if isinstance(shape, str):
        try:
            shape = tuple(int(side) for side in shape.replace("x", ",").split(","))
        except ValueError:
            raise InputError(f"--shape is a list of sides such as 28,28, got {shape!r}") from None
    names = ("symbols", "documents", "field", "end", "pack", "window", "stride", "split")
    more = ("levels", "binarize", "pixel_block", "given", "columns", "drop")
    named = {name: options.get(name) for name in (*names, *more)}
    found = load(source, shape=shape, progress=progress, **named)
    if options.keys() & {"pixel_block", "network"} or not found.encoding.is_image:  # chosen otherwise, or no pixels
        return found
    side = default_pixel_block(found.encoding.domain, found.encoding.group, len(found.train))
    return in_pixel_blocks(found, side)


def specification(options: dict[str, Any], data: DataSet) -> tuple[dict[str, Any], TrainingSettings]:
    """The model's specification and the training settings: given options over the defaults of the kind of data."""
    from chainrule.config.registry import part_options

    tables = {part: options.get(part, {}) for part in ("network", "head")}
    tables = {part: {"name": table} if isinstance(table, str) else table for part, table in tables.items()}
    domain, kind = data.encoding.domain, data.encoding.group
    examples, minutes = len(data.train), options.get("minutes", 0.0) / max(members_of(options, data), 1)
    network, head = (tables[part].get("name") for part in ("network", "head"))
    if "orders" in options and kind != "image":
        network = network or "made"
    size = {"examples": examples, "elements": _text_length(data), "minutes": minutes}
    size["pixel_block"] = data.encoding.pixel_block
    spec = default_spec(domain, kind, network, head, **size)
    for part, table in tables.items():
        spec[part] |= table
    for name in ("width", "depth", "dropout"):
        if name in options:
            if name not in part_options("network", spec["network"]["name"]):
                raise InputError(f"the network {spec['network']['name']!r} has no {name}; leave the option out")
            spec["network"][name] = options[name]
    if "orders" in options:
        spec["orders"] = _orders(options["orders"], spec, data)
    defaults = default_training(kind, examples, _elements(data))
    if "orders" in spec and spec["network"]["name"] != "made":  # each of the models has the steps of one
        defaults = defaults | {name: defaults[name] * spec["orders"] for name in ("steps", "evaluate_every")}
        defaults["common_start"] = COMMON_START
    chosen = {name: options[name] for name in TrainingSettings.names() if name in options}
    if "steps" in chosen:
        defaults = defaults | {"epochs": None}  # steps that are asked for are taken
    if chosen.get("prior") is not None:
        defaults = defaults | {"weight_decay": 0.0}  # decay beside a prior would move its optimum
    return spec, TrainingSettings(**(defaults | chosen))


def _orders(orders: Any, spec: dict[str, Any], data: DataSet) -> int:
    """The number of orders, where the network and the data allow it: any that a MADE serves, or scans of an image."""
    from chainrule.models.permuted import scan_orders

    domain = data.encoding.domain
    if not isinstance(orders, int) or isinstance(orders, bool) or orders < 1:
        raise InputError(f"--orders is a number of orders, at least 1, got {orders!r}; 32 is a good one")
    if domain.variable_length:
        raise InputError(
            f"--orders needs examples of one length, those of {data.name} differ in theirs; leave it out, for orders "
            "permute the elements of whole examples"
        )
    if (name := spec["network"]["name"]) == "made":
        return orders
    if data.encoding.group != "image":
        raise InputError(f"--orders needs --network made, whose weights all orders share, got {name!r}; change one")
    if orders > (most := len(scan_orders(domain.shape))):
        raise InputError(
            f"--orders {orders}: an image of shape {domain.shape} is scanned in {most} ways; take at most so many, or "
            "--network made, which reads any order"
        )
    return orders


def _text_length(data: DataSet) -> float:
    """How long a document is on average; 0 for other data, and for windows of a stream, which are no examples."""
    return _elements(data) if data.encoding.kind == "documents" else 0.0


def _elements(data: DataSet) -> float:
    """How long a training example, or a window of it, is on average."""
    lengths = data.train.row_lengths
    return float(data.encoding.domain.length) if lengths is None else float(lengths.sum() / len(lengths))


def members_of(options: dict[str, Any], data: DataSet) -> int:
    """How many models are to be averaged: as given, else as many as the kind of data and the time suggest.

    Orders are averaged by themselves, over one set of weights.
    """
    if "orders" in options:
        if (members := options.get("members", 1)) != 1:
            raise InputError(f"--members {members} averages conditionals, --orders whole examples; give one of the two")
        return 1
    kind = data.encoding.group
    given: int = options.get("members", default_members(kind, options.get("minutes", 0.0), _text_length(data)))
    return given


def budget_of(options: dict[str, Any]) -> Budget | None:
    """The time that training may take, if the steps are planned from it."""
    from chainrule.training.budget import Budget

    if "minutes" not in options:
        return None
    if "steps" in options:
        raise InputError(f"--minutes {options['minutes']} plans the steps and --steps sets them; give one of the two")
    return Budget(options["minutes"], options.get("evaluate_every"))
