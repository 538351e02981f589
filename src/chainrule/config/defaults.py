"""The defaults of `fit`: a network and its training by the kind of data, by how much of it there is, and by the time.

Found by experiment on validation data alone, which `docs/experiments.md` tells with what failed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chainrule.config.default_experts import MOST_COUNTED, has_numbers
from chainrule.config.registry import Spec, part_options

if TYPE_CHECKING:
    from chainrule.domain import Domain

__all__ = [
    "DEFAULTS",
    "MOST_DEFAULT_MEMBERS",
    "Amount",
    "default_members",
    "default_pixel_block",
    "default_spec",
    "default_training",
    "default_window",
]

# By kind of data: an image has rows and columns, a text or sequence a stream of symbols, anything else a row.
DEFAULTS: dict[str, dict[str, Spec]] = {
    "image": {
        "network": {"name": "pixelcnn", "width": 48, "depth": 3, "dropout": 0.6},
        "training": {
            "steps": 700,
            "batch_size": 50,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "precision": "float32",
            "evaluate_every": 50,
        },
    },
    "text": {
        "network": {"name": "transformer", "width": 128, "depth": 4, "heads": 4, "dropout": 0.1},
        "training": {
            "steps": 2000,
            "batch_size": 16,
            "normalisation": "per_element",
            "optimizer": "muon",
            "learning_rate": 1e-2,
            "evaluate_every": 250,
        },
    },
    "row": {
        "network": {"name": "nade", "width": 256, "depth": 0, "dropout": 0.7, "positions": True},
        "training": {
            "steps": 20_000,
            "epochs": 40,
            "batch_size": 50,
            "learning_rate": 5e-3,
            "weight_decay": 0.1,
            "clip_norm": 100.0,
            "evaluate_every": 500,
        },
    },
}

# What changes from a number of training examples on, each line over those before it: many examples regularise.
MORE_EXAMPLES: dict[str, tuple[tuple[int, Spec], ...]] = {
    "image": (
        (
            10_000,
            {"width": 32, "depth": 5, "dropout": 0.0, "batch_size": 32, "optimizer": "muon", "precision": "auto"},
        ),
    ),
    "row": ((2000, {"dropout": 0.5}), (10_000, {"dropout": 0.25}), (100_000, {"dropout": 0.0})),
}

# From this many images of bits and pixels per side on, they are read in pixel blocks of 2x2 by a wider network.
PIXEL_BLOCKS: tuple[int, int, Spec] = (10_000, 16, {"width": 64})

# Elements per step on text, and the largest number of examples per step, whatever their length.
STEP_ELEMENTS, STEP_EXAMPLES = 4096, 256

# What rows with columns of numbers, whose values say more than symbols do, have instead.
NUMBERS: Spec = {"dropout": 0.2}

# From this many columns on, of which at most such a share has not its usual symbol, rows have a network that computes
# only what is unusual.
SPARSE: tuple[int, float, Spec] = (100, 0.1, {"name": "sparse_nade"})

# What a time budget of at least this many minutes per model pays for.
MORE_MINUTES: dict[str, tuple[float, Spec]] = {"text": (15.0, {"width": 192, "depth": 5})}

COUNTED = "corrected_ngram"

# What a text, or documents, of at most so many symbols have where its steps are planned from --minutes, from that many
# minutes per model on: n-grams, counted before training begins, and a network beside them.
TIMED_TEXT: tuple[tuple[float, Spec], ...] = (
    (0.0, {"name": COUNTED, "network": "state_space", "width": 128, "depth": 2, "dropout": 0.1}),
    (4.0, {"depth": 4}),
    (15.0, {"width": 192, "depth": 5}),
)
TIMED_WINDOW = 1024  # elements of a text that it reads at once, for what it recalls stands far back

# The share of the steps in which the models of an image's scans have the same weights.
COMMON_START = 0.5

# What documents have that are shorter than this on average: names and words soon overfit a wide network.
SHORT: tuple[float, Spec] = (32.0, {"width": 64, "depth": 4})

# The number of models, whose conditionals are averaged, that share a budget of at least this many minutes.
MEMBERS: dict[str, tuple[float, int]] = {"row": (1.0, 4), "short text": (4.0, 4)}

# The largest number of models that share a budget by default, where each has made all the passes that data bear.
MOST_DEFAULT_MEMBERS = 8

LOGITS = (COUNTED, "huggingface", "ngram")  # networks that end in logits
FITTED = ("boosted_trees", "chow_liu", "joint_gaussians", "kernels")  # networks whose features have heads of their own


@dataclass(frozen=True)
class Amount:
    """How much there is of what decides the size of a network.

    examples: number of training examples.
    elements: mean number of elements per document; 0 for other data.
    minutes: time budget of the model; 0 for none.
    written: whether the elements are the symbols of a text or of documents, and nothing is given beside them.
    pixel_block: pixels per side of a block; 1 for pixel by pixel.
    unusual: share of the elements that have not the most frequent symbol of their column; 1 where it is not known.
    """

    examples: int = 0
    elements: float = 0.0
    minutes: float = 0.0
    written: bool = False
    pixel_block: int = 1
    unusual: float = 1.0


NO_AMOUNT = Amount()


def default_spec(
    domain: Domain, kind: str, network: str | None = None, head: str | None = None, amount: Amount = NO_AMOUNT
) -> Spec:
    """The network and head for a domain, with all their options.

    domain: what each element may be, and the shape of an example.
    kind: "image", "text" or "row", the group of the encoding.
    network: name of the network; None for the default of the kind.
    head: name of the head; None for the default of the domain.
    amount: how much data and time there is.
    """
    chosen = DEFAULTS[kind]["network"] | _more(kind, amount.examples)
    if kind == "row" and (domain.num_symbols is None or has_numbers(domain)):
        chosen = chosen | NUMBERS
    columns, share, sparse = SPARSE
    if kind == "row" and domain.length >= columns and amount.unusual <= share:
        chosen = chosen | sparse
    enough, larger = MORE_MINUTES.get(kind, (float("inf"), {}))
    if amount.minutes >= enough:
        chosen = chosen | larger
    if kind == "text" and network in (None, COUNTED) and head in (None, "logits") and _counts(domain, amount):
        chosen = _timed_text(amount.minutes)
    if _is_short(kind, amount.elements):
        chosen = chosen | SHORT[1]
    if amount.pixel_block > 1:
        chosen = chosen | PIXEL_BLOCKS[2]
    name = network or chosen["name"]
    options = part_options("network", name)
    if name != chosen["name"]:  # its size is its own affair
        chosen = {key: chosen[key] for key in ("dropout", "positions") if key in chosen}
    kept = {key: value for key, value in chosen.items() if key in options}
    spec: Spec = {"network": {"name": name} | options | kept}
    head = head or _default_head(domain, name)
    spec["head"] = {"name": head} | part_options("head", head)
    if head == "columns":
        densities = [column.num_symbols is None and column.resolution is None for column in domain.columns]
        spec["head"]["numbers"] = "mixtures" if name in FITTED else "blend"
        spec["head"]["mixed"] = any(densities) and not all(densities)
    return spec


def default_window(domain: Domain, minutes: float) -> int | None:
    """The number of elements of a text that are read at once; None for what `load` takes.

    domain: what each element may be.
    minutes: time budget; 0 for none.

    >>> from chainrule.domain import Domain
    >>> default_window(Domain((256,), 256), 2.0), default_window(Domain((256,), 256), 0.0)
    (1024, None)
    """
    return TIMED_WINDOW if _counts(domain, Amount(minutes=minutes, written=True)) else None


def _counts(domain: Domain, amount: Amount) -> bool:
    """Whether a text, or documents that are not short, are fitted by n-grams and a network beside them."""
    return (
        not _is_short("text", amount.elements)
        and 0 < (domain.num_symbols or 0) <= MOST_COUNTED
        and amount.written
        and amount.minutes > 0
    )


def _timed_text(minutes: float) -> Spec:
    """The network that so many minutes pay for, each line over those before it."""
    chosen: Spec = {}
    for enough, changes in TIMED_TEXT:
        if minutes >= enough:
            chosen |= changes
    return chosen


def default_pixel_block(domain: Domain, kind: str, examples: int) -> int:
    """Pixels per side of the blocks in which images are read; 1 for pixel by pixel.

    kind: "image", "text" or "row", the group of the encoding.
    examples: number of training examples.

    >>> from chainrule.domain import Domain
    >>> bits, levels = Domain((28, 28), 2), Domain((28, 28), 256)
    >>> default_pixel_block(bits, "image", 50_000), default_pixel_block(levels, "image", 50_000)
    (2, 1)
    """
    enough, least, _ = PIXEL_BLOCKS
    if kind != "image" or domain.num_symbols != 2 or examples < enough:
        return 1
    sides = domain.shape[:2]
    return 2 if min(sides) >= least and all(side % 2 == 0 for side in sides) else 1


def _default_head(domain: Domain, network: str) -> str:
    if network in LOGITS:
        return "logits"
    if network in ("boosted_trees", "chow_liu") and not domain.columns:
        return "decisions" if network == "boosted_trees" else "logits"
    return "columns" if domain.columns else "bernoulli" if domain.num_symbols == 2 else "categorical"


def default_training(kind: str, examples: int = 0, elements: float = 0.0) -> Spec:
    """The training settings that differ from `TrainingSettings`.

    kind: "image", "text" or "row", the group of the encoding.
    examples: number of training examples.
    elements: mean number of elements per example; 0 if that is not known.

    >>> default_training("text", elements=256)["batch_size"], default_training("text", elements=7)["batch_size"]
    (16, 256)
    """
    training = DEFAULTS[kind]["training"]
    if kind == "text" and elements:
        training = training | {"batch_size": max(1, min(STEP_EXAMPLES, round(STEP_ELEMENTS / elements)))}
    return training | {name: value for name, value in _more(kind, examples).items() if name in training}


def default_members(kind: str, minutes: float, elements: float = 0.0) -> int:
    """The number of models that share a time budget.

    kind: "image", "text" or "row", the group of the encoding.
    minutes: the budget; 0 for none.
    elements: mean number of elements per document; 0 for other data.

    >>> default_members("row", 10.0), default_members("row", 0.0), default_members("text", 10.0, elements=7)
    (4, 1, 4)
    """
    enough, members = MEMBERS.get("short text" if _is_short(kind, elements) else kind, (float("inf"), 1))
    return members if minutes >= enough else 1


def _is_short(kind: str, elements: float) -> bool:
    return kind == "text" and 0 < elements < SHORT[0]


def _more(kind: str, examples: int) -> Spec:
    """What this number of examples changes."""
    changed: Spec = {}
    for enough, changes in MORE_EXAMPLES.get(kind, ()):
        if examples >= enough:
            changed |= changes
    return changed
