"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table

from chainrule.likelihood import LogLikelihood

__all__ = ["result_table"]


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
