"""How the options of `fit` are shown: their defaults in words, and the page `docs/options.md`."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill
from typing import Any

from chainrule.config.defaults import DEFAULTS
from chainrule.config.option import ABOUT, COMMON, DATA, MODEL, OUTPUT, TIME, TRAINING, Option
from chainrule.config.options import FIT_OPTIONS

__all__ = ["GROUPS", "default_of", "help_of", "help_page", "options_page"]

GROUPS = {
    DATA: "How the source is read. An option that does not apply to the kind of data is refused.",
    MODEL: "The network, the head, and over what is averaged.",
    TRAINING: "The objective, the optimizer and the learning rate.",
    TIME: "How long training takes, on how many examples at once, with which precision.",
    OUTPUT: "Where files go.",
}

USAGE = "Usage: chainrule fit DATA [OPTIONS]"

HEAD = """# Options of `fit`

*This page is written by `python docs/make_options.py` from `src/chainrule/config/options.py`.*

The same options serve `chainrule fit DATA --batch-size 32` on the command line, `cr.fit(data, batch_size=32)` and
`cr.plan(data, batch_size=32)` in Python, and a TOML file of `--config`:

```toml
batch_size = 32
network = {name = "transformer", width = 64}
```

Without an option, its default counts. Where that depends on the kind of data (images, rows of a table or array, texts
and sequences), there is one for each; the numbers for a data set are in the `config.json` of a run, and how they were
found is told in [experiments](experiments.md).
"""


def default_of(option: Option) -> str:
    """The default of an option in words: a value, or one for each kind of data.

    >>> from chainrule.config.options import OPTIONS
    >>> {option.name: default_of(option) for option in OPTIONS if option.name in ("patience", "depth", "given")}
    {'given': 'nothing', 'depth': 'image 3, text 4, row 0', 'patience': '10'}
    """
    if option.default_text:
        return option.default_text
    values = {kind: _by_kind(defaults, option) for kind, defaults in DEFAULTS.items()}
    if len(set(map(repr, values.values()))) > 1:
        return ", ".join(f"{kind} {_shown(value)}" for kind, value in values.items())
    return _shown(next(iter(values.values())))


def help_of(option: Option) -> str:
    """What an option is, and its default."""
    return option.help if option.is_switch else f"{option.help} [default: {default_of(option)}]"


def help_page(width: int = 80) -> str:
    """The text of `chainrule fit --help`, made without the library that reads the command line: that takes longer.

    width: number of characters per line.
    """
    sections = (_help_section(group, width) for group in (COMMON, *GROUPS))
    return f"{USAGE}\n\n{ABOUT}\n\n" + "\n".join(sections)


def _help_section(group: str, width: int) -> str:
    shown = [option for option in FIT_OPTIONS if group == (COMMON if option.common else option.group)]
    names = {f"{o.flag}" if o.is_switch else f"{o.flag} {o.word}": help_of(o) for o in shown}
    if group == COMMON:
        names = {"DATA": "digits, images, arrays, a table, text, JSON or FASTA"} | names
    if group == OUTPUT:
        names |= {"--json": "print one JSON object on standard output, and nothing else there"}
        names |= {"--help, -h": "show this page and exit"}
    margin = 4 + max(len(name) for name in names)
    lines = (
        fill(
            text,
            width,
            initial_indent=f"  {name}".ljust(margin),
            subsequent_indent=" " * margin,
            break_on_hyphens=False,
        )
        for name, text in names.items()
    )
    return f"{group}\n" + "\n".join(lines) + "\n"


def options_page() -> str:
    """The text of `docs/options.md`."""
    sections = (
        f"## {group}\n\n{about}\n\n{_table(option for option in FIT_OPTIONS if option.group == group)}"
        for group, about in GROUPS.items()
    )
    return "\n".join((HEAD, *sections))


def _table(options: Iterable[Option]) -> str:
    rows = [("option", "type", "range", "default", "meaning"), ("---",) * 5]
    rows += [(f"`{o.flag}`", o.type_text, _range(o), default_of(o), o.help) for o in options]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)


def _range(option: Option) -> str:
    return "" if option.check is None or option.check.wanted in option.help else option.check.wanted


def _by_kind(defaults: dict[str, dict[str, Any]], option: Option) -> Any:
    return (defaults["network"] | defaults["training"]).get(option.name, option.default)


def _shown(value: Any) -> str:
    return "none" if value is None else "no" if value is False else str(value)
