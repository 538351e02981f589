"""The defaults of `fit`: which networks that are fitted without gradients stand beside the one that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chainrule.domain import Domain

__all__ = ["MOST_COUNTED", "default_experts", "default_quick", "has_numbers"]

# Networks fitted without gradients whose conditionals are averaged with the network's, by kind of data. Who says
# --steps, --network, --members or --orders decides alone, and none is added.
EXPERTS: dict[str, tuple[str, ...]] = {"image": ("boosted_trees",), "text": (), "row": ("boosted_trees",)}

# What elements that are all symbols, of at most so many columns, have before these: counted in a moment.
SYMBOLS_EXPERTS, MOST_COUNTED_COLUMNS = ("chow_liu",), 4096

# What tables with numbers, of at most so many columns, have before these, and of at most so many training rows, too.
NUMBERS_EXPERTS, MOST_NUMBERS = ("joint_gaussians",), 200
FEW_EXPERTS, MOST_ROWS = ("kernels",), 5000

# The largest number of pixels of an image for which there is an expert.
EXPERT_PIXELS = 100

# The largest number of elements times symbols of an image whose pairs are counted where time is short.
QUICK_CELLS = 4096

MOST_COUNTED = 512  # symbols: n-grams give every one a probability at every element


def default_experts(kind: str, domain: Domain, examples: int) -> tuple[str, ...]:
    """The networks fitted without gradients that are averaged with the network, by name.

    kind: "image", "text" or "row", the group of the encoding.
    domain: what each element may be, and the shape of an example: of images only small grey ones have an expert.
    examples: number of training examples.

    >>> from chainrule.domain import Domain
    >>> default_experts("row", Domain((5,), 2), 100), default_experts("image", Domain((28, 28), 2), 100)
    (('chow_liu', 'boosted_trees'), ())
    """
    grey = len(domain.shape) == 2 and domain.length <= EXPERT_PIXELS
    if domain.variable_length or (kind == "image" and not grey):
        return ()
    first: tuple[str, ...] = ()
    if has_numbers(domain) and domain.length <= MOST_NUMBERS:
        first = NUMBERS_EXPERTS + (FEW_EXPERTS if examples <= MOST_ROWS else ())
    if domain.num_symbols is not None and EXPERTS[kind] and domain.length <= MOST_COUNTED_COLUMNS:
        first = SYMBOLS_EXPERTS
    return first + EXPERTS[kind]


def default_quick(kind: str, domain: Domain, written: bool) -> str | None:
    """The network, fitted without gradients, that is averaged with the default where a time budget is short.

    kind: "image", "text" or "row", the group of the encoding; rows have experts in any time.
    domain: what each element may be, and the shape of an example.
    written: as in `Amount`.

    >>> from chainrule.domain import Domain
    >>> default_quick("text", Domain((1024,), 256), True), default_quick("image", Domain((28, 28), 2), False)
    ('ngram', 'chow_liu')
    """
    symbols = domain.num_symbols or 0
    if kind == "text":
        return "ngram" if written and 0 < symbols <= MOST_COUNTED else None
    counted = kind == "image" and not domain.variable_length and 0 < domain.length * symbols <= QUICK_CELLS
    return "chow_liu" if counted else None


def has_numbers(domain: Domain) -> bool:
    """Whether any column of a table holds numbers."""
    return any(column.num_symbols is None for column in domain.columns)
