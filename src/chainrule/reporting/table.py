"""A table of a terminal: its figures are whole at any width, its words wrap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
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

    def lines(self, console: Console, most: int) -> Iterator[Text]:
        """The headings and the rows, in lines of at most `width(most)` characters.

        console: measures and wraps characters.
        """
        widths = self._widths(most)
        headings = [Text(heading, style="bold") for heading in self.headings]
        for row in (headings, *self.rows):
            columns = [self._cell(cell, number, widths[number], console) for number, cell in enumerate(row)]
            for k in range(max(map(len, columns))):
                parts = [column[k] if k < len(column) else Text() for column in columns]
                for number, part in enumerate(parts):
                    begins_left = number in self.words | self.left
                    part.align("left" if begins_left else "right", widths[number])
                line = Text(" " * GAP).join(parts)
                line.rstrip()
                yield line

    def _cell(self, cell: Cell, number: int, width: int, console: Console) -> list[Text]:
        """The lines of a cell."""
        content = cell.copy() if isinstance(cell, Text) else text(cell)
        if number in self.words:
            return list(content.wrap(console, width, overflow="fold"))
        return list(content.split("\n", allow_blank=True))

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
