"""`chainrule import`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, console_of

if TYPE_CHECKING:
    from chainrule.reporting.console import Console
    from chainrule.runs.run import Run

__all__ = ["import_model"]


def import_model(
    model: Annotated[Path, Parameter(name="MODEL", help="A local directory with a language model of Hugging Face.")],
    source: Annotated[str, Parameter(name="DATA", help="A text file, a folder of texts or JSON lines.")],
    /,
    *,
    out: Annotated[Path | None, Parameter(help="The run directory [default: runs/NAME-K].")] = None,
    documents: Annotated[
        str | None, Parameter(help="line, file, a separator, or stream for one long text [default: by content].")
    ] = None,
    field: Annotated[str | None, Parameter(help="JSON lines: the field to read [default: text].")] = None,
    end: Annotated[
        str | None, Parameter(help="Documents: scored for p(x, T), given for p(x | T) [default: scored].")
    ] = None,
    window: Annotated[
        int | None,
        Parameter(help="Tokens that are read at once [default: as in fit, as far as the model reads]."),
    ] = None,
    stride: Annotated[int | None, Parameter(help="Tokens the window moves on by [default: window / 2].")] = None,
    split: Annotated[str | None, Parameter(help="Shares of train/valid/test [default: 80/10/10].")] = None,
    start: Annotated[int | None, Parameter(help="The token before every window [default: the model's own].")] = None,
    json: Json = False,
) -> None:
    """Make a run of a Hugging Face language model, to evaluate, compare, sample, probe and score with it."""
    from chainrule.runs.import_model import import_model as make_run
    from chainrule.runs.new import reserved_place

    console = console_of(json)
    with reserved_place(source) if out is None else nullcontext(out) as place:
        run = make_run(
            model,
            source,
            out=place,
            documents=documents,
            field=field,
            end=end,
            window=window,
            stride=stride,
            split=split,
            start=start,
        )
    _show(run, console)
    report = run.report_dict or {}
    console.result({"run": run.name} | report | {"certificate": run.certificate_dict})


def _show(run: Run, console: Console) -> None:
    from chainrule.reporting.certificate import verdict_of
    from chainrule.reporting.tables import certificate_table, figure_tables
    from chainrule.reporting.visible import bold
    from chainrule.runs.figures import scored_in_part

    data, origin = run.data(), run.config["imported"]
    count = sum(parameter.numel() for parameter in run.model().parameters())
    console.print(bold(data.name), f": {data.note}")
    console.print(f"{origin['architecture']} of {origin['from']}: {count:,} parameters")
    if (partly := scored_in_part(data)) is not None:
        console.print(partly)
    for table in figure_tables(run.report_dict or {}):
        console.print(table)
    if (certificate := run.certificate_dict) is not None:
        console.print(certificate_table(certificate, run.name))
        if not certificate["passed"]:
            console.print(f"warning: {verdict_of(certificate)}; do not compare its figures")
    console.print("run directory: ", bold(run.name))
