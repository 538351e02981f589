"""Text of users and files on a terminal: every character is shown, none is obeyed."""

from __future__ import annotations

import unicodedata
from html import escape

from rich.text import Text

__all__ = ["bold", "html", "text", "visible"]


def visible(content: object, keep: str = "") -> str:
    r"""The text with control characters, escape sequences and what cannot be encoded shown as escapes.

    content: anything; what `str` makes of it is shown.
    keep: control characters that stay, such as "\n\t" in a text of several lines.

    >>> visible("age\x1b[31m\n"), visible("naïve [bold]"), visible("a\tb", keep="\t")
    ('age\\x1b[31m\\n', 'naïve [bold]', 'a\tb')
    """
    return "".join(
        character
        if character.isprintable() or character in keep or unicodedata.category(character) == "Zs"
        # what is not printable has an escape of its own
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in str(content)
    )


def html(content: object) -> str:
    r"""The text as it stands in a page: no character of it is markup, and marks of direction are shown.

    >>> html("a\u202eb <script>")
    'a\\u202eb &lt;script&gt;'
    """
    return escape(visible(content, keep="\n\t"), quote=True)


def text(content: object, style: str = "") -> Text:
    """Text as it is, never read as markup.

    >>> text("chainrule[report]").plain
    'chainrule[report]'
    """
    return Text(visible(content), style=style)


def bold(content: object) -> Text:
    """Text as it is, in bold."""
    return text(content, "bold")
