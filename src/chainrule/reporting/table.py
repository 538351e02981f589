"""A table of a terminal: its figures are whole at any width, its words wrap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import rich.table
from rich.text import Text

from chainrule.reporting.visible import text

__all__ = ["Cell", "Table"]

Cell = str | Text
GAP = 2  # characters between columns
NARROWEST = 8  # characters of a column of words


@dataclass(frozen=True)
class Table:
    """A title, headings and rows.

    title: what stands above.
    headings: one per column; an end of line breaks a heading.
    rows: one cell per column; text is shown as it is, never read as markup or as escape sequences.
    words: numbers of the columns that hold words, which wrap; all other columns are never cut.
    left: numbers of further columns that begin at the left; those of figures end at the right.

    >>> Table("costs", ("column", "nats"), [("age[years]", "1.25")], words={0}).width(80)
    16
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    words: set[int] = field(default_factory=lambda: {0})
    left: set[int] = field(default_factory=set)

    def width(self, most: int) -> int:
        """The number of characters of a line, at most `most` where the figures allow it."""
        return sum(self._widths(most)) + GAP * (len(self.headings) - 1)

    def rich(self, most: int) -> rich.table.Table:
        """What stands below the title, as rich draws it, in lines of `width(most)` characters."""
        made = rich.table.Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
        for number, (heading, width) in enumerate(zip(self.headings, self._widths(most), strict=True)):
            is_word = number in self.words
            made.add_column(
                Text(heading, style="bold"),
                width=width,
                justify="left" if is_word or number in self.left else "right",
                overflow="fold",
                no_wrap=not is_word,
                vertical="top",
            )
        for row in self.rows:
            made.add_row(*(cell if isinstance(cell, Text) else text(cell) for cell in row))
        return made

    def _widths(self, most: int) -> list[int]:
        """Characters per column: figures have all they need, words share what is left."""
        wanted = [max(map(len, heading.split("\n"))) for heading in self.headings]
        for row in self.rows:
            lengths = [(cell if isinstance(cell, Text) else text(cell)).cell_len for cell in row]
            wanted = [max(pair) for pair in zip(wanted, lengths, strict=True)]
        left = most - GAP * (len(wanted) - 1) - sum(w for k, w in enumerate(wanted) if k not in self.words)
        while (over := sum(wanted[k] for k in self.words) - left) > 0:
            widest = max(self.words, key=lambda k: wanted[k])
            if wanted[widest] <= NARROWEST:
                break
            others = [wanted[k] for k in self.words if k != widest]
            wanted[widest] = max(NARROWEST, wanted[widest] - over, min(max(others, default=0), wanted[widest] - 1))
        return wanted
