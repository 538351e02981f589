"""The page of the JSON files of a run: what stands in them, made from the forms by which they are checked."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule.runs.forms import Form
from chainrule.runs.wellformed import FORMS

__all__ = ["files_page"]

HEAD = """# The JSON files of a run

Made by `make docs` from the forms by which these files are checked when they are read (`runs/wellformed.py`): a file
that holds something else is refused in one line that names the file and the place. Other keys than these may be there,
with finite numbers. `NAME` stands for any key, `N` for the number of a part of a list; options are those of
[options.md](options.md). Numbers that are not finite are written as `"inf"`, `"-inf"` or null.
"""
ABOUT = {
    "config.json": "What was fitted, on which data and how: enough to build the model again and to repeat the fit.",
    "report.json": "The figures of the run: log-likelihoods of the splits, and the baselines beside them.",
    "metrics.jsonl": "One object a line: what was measured at a validation.",
    "certificate.json": "What was verified, before the fit or by `verify`: see [certificate.md](certificate.md).",
}
BY_THEMSELVES = ("options", "training")  # parts that the page on options describes


def files_page() -> str:
    """The page in Markdown.

    >>> "| `results.NAME.nats_per_example` | yes | a number, null or inf |" in files_page()
    True
    """
    sections = []
    for name, form in FORMS.items():
        rows = [f"| `{place}` | {'yes' if needed else ''} | {wanted} |" for place, needed, wanted in _rows(form)]
        sections.append(
            "\n".join([f"## {name}\n\n{ABOUT[name]}\n", "| key | needed | value |", "|---|---|---|", *rows])
        )
    return HEAD + "\n" + "\n\n".join(sections) + "\n"


def _rows(form: Form, place: str = "") -> Iterator[tuple[str, bool, str]]:
    """Place, whether it is needed, and what stands there, of all parts inside of a form."""
    for parts, needed in ((form.needed, True), (form.others, False)):
        for name, part in parts.items():
            yield from _part(part, f"{place}{name}", needed)
    if form.every is not None:
        yield from _part(form.every, f"{place}{'N' if form.wanted == 'a list' else 'NAME'}", False)


def _part(part: Form, place: str, needed: bool) -> Iterator[tuple[str, bool, str]]:
    if place.rpartition(".")[2] in BY_THEMSELVES:
        yield place, needed, "an object: options by their names"
        return
    yield place, needed, part.wanted
    yield from _rows(part, f"{place}.")
