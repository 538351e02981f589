"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from chainrule.likelihood import LogLikelihood, Ratio

__all__ = ["baseline_table", "column_table", "group_table", "member_table", "position_table", "result_table"]


def result_table(model: Mapping[str, LogLikelihood], baseline: Mapping[str, LogLikelihood]) -> Table:
    """One row a split: nats per example and bits per dim (or byte) with their errors, beside independent elements."""
    any_split = next(iter(model.values()))
    per = "bits_per_byte" if any_split.bytes else "bits_per_dim"
    table = Table(title="log-likelihood (lower is better; ± one standard error over examples)", title_justify="left")
    table.add_column("split")
    table.add_column("examples", justify="right")
    for heading in ("nats/example", per.replace("bits_per_", "bits/"), "independent elements, nats/example"):
        table.add_column(heading, justify="right")
    for split, likelihood in model.items():
        nats = str(likelihood.nats_per_example)
        if likelihood.impossible:
            rest = likelihood.possible.nats_per_example
            nats = f"inf ({likelihood.impossible} impossible; the rest {rest})"
        beside = str(baseline[split].nats_per_example) if split in baseline else ""
        table.add_row(split, f"{likelihood.examples:,}", nats, str(getattr(likelihood, per)), beside)
    return table


def baseline_table(model: LogLikelihood, baselines: Mapping[str, Mapping[str, Any]]) -> Table:
    """The model beside every baseline on the test split; adaptive ones learn while they score, static ones do not."""
    per = "bits_per_byte" if model.bytes else "bits_per_dim"
    table = Table(title="test split, beside the baselines", title_justify="left")
    table.add_column("")
    table.add_column("how")
    table.add_column("nats/example", justify="right")
    table.add_column(per.replace("bits_per_", "bits/"), justify="right")
    table.add_row(
        "[bold]this model", "static", f"{model.nats_per_example.value:.6g}", f"{getattr(model, per).value:.4g}"
    )
    for name, record in baselines.items():
        nats, bits = (record.get(key) for key in ("nats_per_example", per))
        table.add_row(
            name,
            record["how"],
            *(f"{x:{w}}" if isinstance(x, float) else str(x) for x, w in ((nats, ".6g"), (bits, ".4g"))),
        )
    return table


def position_table(rows: list[dict[str, Any]]) -> Table:
    """Nats per element by how many elements stand before it in its window."""
    table = Table("position", "elements", "nats/element", title="by position in the window", title_justify="left")
    for row in rows:
        table.add_row(row["position"], f"{row['elements']:,}", f"{row['nats_per_element']:.4f}")
    return table


def column_table(rows: list[dict[str, Any]], most: int = 20) -> Table:
    """The columns that cost most, first the dearest."""
    dearest = sorted(rows, key=lambda row: -row["nats"])[:most]
    which = "by column" if len(rows) <= most else f"the {most} dearest of {len(rows)} columns"
    table = Table(title=f"{which}, nats/cell", title_justify="left")
    for heading in ("column", "cells", "nats"):
        table.add_column(heading, justify="right" if table.columns else "left")
    for row in dearest:
        table.add_row(escape(row["column"]), f"{row['cells']:,}", str(Ratio(row["nats"], row["nats_se"])))
    return table


def group_table(groups: Mapping[str, Mapping[str, float]]) -> Table:
    """One row a group of examples: how many, and their nats per example."""
    table = Table(title="nats/example by group", title_justify="left")
    for heading in ("group", "examples", "nats/example"):
        table.add_column(heading, justify="right" if table.columns else "left")
    for name, figures in groups.items():
        value = Ratio(figures["nats_per_example"], figures["nats_per_example_se"])
        table.add_row(name, f"{figures['examples']:,}", str(value))
    return table


def member_table(members: Sequence[Mapping[str, Any]], ensemble: Mapping[str, Mapping[str, Any]]) -> Table:
    """One row a member of an ensemble, then their mean, then the average of their conditionals: nats per example."""
    table = Table(title="nats/example of the members, and of their average", title_justify="left")
    for heading in ("", *ensemble):
        table.add_column(heading, justify="right" if table.columns else "left")
    each = [{split: float(m["results"][split]["nats_per_example"]) for split in ensemble} for m in members]
    for member, nats in zip(members, each, strict=True):
        table.add_row(f"seed {member['seed']}", *(f"{nats[split]:.6g}" for split in ensemble))
    table.add_row("their mean", *(f"{sum(nats[split] for nats in each) / len(each):.6g}" for split in ensemble))
    table.add_row("[bold]ensemble", *(f"{float(ensemble[split]['nats_per_example']):.6g}" for split in ensemble))
    return table
