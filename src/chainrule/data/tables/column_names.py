"""Names of columns on the command line, which may themselves hold the commas and equals signs between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from chainrule.errors import InputError

__all__ = ["assignments", "listed"]


def listed(text: str | Sequence[str] | None, known: Collection[str]) -> list[str]:
    """The names in a list such as "age,sex"; where a comma stands in a known name, the longest one counts.

    text: names with commas between them, or names one by one; None for none.
    known: the names that there are.

    >>> listed("size, cm,age", ["size, cm", "age", "size"])
    ['size, cm', 'age']
    """
    if not isinstance(text, str):
        return [name if name in known else name.strip() for name in text or ()]
    pieces, found, at = text.split(","), [], 0
    there, commas = set(known), max((name.count(",") for name in known), default=0)
    while at < len(pieces):
        ends = range(min(len(pieces), at + 1 + commas), at, -1)
        joined = ((end, ",".join(pieces[at:end])) for end in ends)
        fits = ((end, name) for end, text in joined for name in (text, text.strip()) if name in there)
        at, name = next(fits, (at + 1, pieces[at].strip()))
        found.append(name)
    return found


def assignments(text: str | Mapping[str, str] | None, known: Collection[str]) -> list[tuple[str, str]] | None:
    """The pairs in "age=39,sex=F"; a name or a value may hold commas and equals signs. None for anything else.

    text: pairs name=value with commas between them, or a mapping; None for no pairs.
    known: the names that there are.

    Raises InputError for a name that comes twice.

    >>> assignments("size, cm=1,5,a=b=c", ["size, cm", "a=b"])
    [('size, cm', '1,5'), ('a=b', 'c')]
    """
    if not isinstance(text, str):
        return list((text or {}).items())
    odd = sorted((name for name in known if "," in name or "=" in name), key=len, reverse=True)
    found: list[tuple[str, str]] = []
    rest = text.lstrip()
    while rest:
        name = next((name for name in odd if rest.startswith(f"{name}=")), rest.partition("=")[0])
        if not rest.startswith(f"{name}="):
            return None
        value = rest[len(name) + 1 :]
        cuts = (k for k, sign in enumerate(value) if sign == "," and _begins_pair(value[k + 1 :].lstrip(), odd))
        end = next(cuts, len(value))
        pair = (name if name in odd else name.strip(), value[:end].strip())
        if pair[0] in dict(found):
            raise InputError(f"{pair[0]!r} is given as {dict(found)[pair[0]]!r} and as {pair[1]!r}; give it once")
        found.append(pair)
        rest = value[end + 1 :].lstrip()
    return found


def _begins_pair(rest: str, odd: Collection[str]) -> bool:
    """Whether another pair follows."""
    return "=" in rest.partition(",")[0] or any(rest.startswith(f"{name}=") for name in odd)
