"""Examples that stand on others and differ from them in a few respects."""

from __future__ import annotations

from chainrule.batch import Array, Rows
from chainrule.data.examples.base import Examples
from chainrule.likelihood import Units

__all__ = ["WrappedExamples"]


class WrappedExamples(Examples):
    """The rows of other examples; what a subclass does not change is what the others say.

    `batch`, `epoch`, `first`, `contents` and `sequences` have no meaning before the subclass gives them one.

    examples: the other examples.
    """

    examples: Examples

    def __len__(self) -> int:
        return len(self.examples)

    def digest(self) -> str:
        """The digest of the other examples: likelihoods of both may be compared."""
        return self.examples.digest()

    @property
    def context(self) -> Array | None:
        return self.examples.context

    @property
    def row_lengths(self) -> Rows | None:
        return self.examples.row_lengths

    @property
    def owner(self) -> Rows | None:
        return self.examples.owner

    @property
    def units(self) -> Units | None:
        return self.examples.units

    @property
    def is_stream(self) -> bool:
        return self.examples.is_stream

    @property
    def windows(self) -> tuple[int, int] | None:
        return self.examples.windows

    @property
    def are_whole(self) -> bool:
        return self.examples.are_whole
