"""Tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from chainrule.atomic_files import number_from_json
from chainrule.evaluation.classify import Classification
from chainrule.evaluation.comparison import Comparison
from chainrule.evaluation.probe import LayerAccuracy
from chainrule.likelihood import EXAMPLES, Ratio
from chainrule.reporting.certificate import check_word
from chainrule.reporting.table import Cell, Table
from chainrule.reporting.visible import bold

__all__ = [
    "baseline_table",
    "certificate_table",
    "classification_table",
    "column_table",
    "comparison_table",
    "figure_tables",
    "group_table",
    "letter_of",
    "member_table",
    "position_table",
    "probe_table",
    "result_table",
    "split_tables",
]

Record = Mapping[str, Any]
STYLES = {"ok": "green", "failed": "bold red", "skipped": "dim", "not made": "bold red"}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def figure_tables(report: Record) -> Iterator[Table]:
    """The model on every split and, where there are baselines, beside them on the test split; from a `report.json`."""
    yield from split_tables(report, report["independent_elements"])
    if report["baselines"] and "test" in report["results"]:
        yield baseline_table(report["results"]["test"], report["baselines"])


def split_tables(report: Record, independent: Mapping[str, Record] | None = None) -> Iterator[Table]:
    """The splits that are scored, and, under another title, those that are estimated from a share."""
    if report["results"]:
        yield result_table(report["results"], independent)
    if report.get("estimates"):
        table = result_table(report["estimates"])
        about = "ESTIMATE from examples drawn at random, since all would take longer than the fit"
        yield Table(f"{about}; `chainrule evaluate` scores all", table.headings, table.rows)


def result_table(results: Mapping[str, Record], independent: Mapping[str, Record] | None = None) -> Table:
    """One row per split: nats per example and bits per dim (or byte) with their errors.

    results: of each split, the fields of `LogLikelihood.to_json`.
    independent: the same of independent elements, where they are to stand beside.
    """
    per = _unit(next(iter(results.values())))
    impossible = {split: found for split, found in results.items() if found["impossible"]}
    beside = {split: independent[split] for split in results if split in (independent or {})} if independent else {}
    columns = {
        "examples": {split: f"{found['examples']:,}" for split, found in results.items()},
        "nats/example": {split: _ratio(found, "nats_per_example") for split, found in results.items()},
        per.replace("bits_per_", "bits/"): {split: _ratio(found, per) for split, found in results.items()},
        "in train": {split: f"{found['in_train']:,}" for split, found in results.items() if "in_train" in found},
        "p(x) = 0": {split: f"{found['impossible']:,}" for split, found in impossible.items()},
        "nats of\nthe rest": {s: f"{r['nats_per_example_of_possible']:.6g}" for s, r in impossible.items()},
        "independent\nelements": {split: _ratio(found, "nats_per_example") for split, found in beside.items()},
    }
    columns = {heading: cells for heading, cells in columns.items() if cells}
    rows = [(split, *(cells.get(split, "") for cells in columns.values())) for split in results]
    over = " and ".join(dict.fromkeys(str(found.get("unit", "examples")) for found in results.values()))
    title = f"log-likelihood (lower is better; ± one standard error over {over})"
    return Table(title, ("split", *columns), rows)


def baseline_table(model: Record, baselines: Mapping[str, Record]) -> Table:
    """The model beside every baseline on the test split; adaptive ones learn while they score, static ones do not."""
    per = _unit(model)
    rows: list[tuple[Cell, ...]] = [(bold("this model"), *_baseline_cells({"how": "static", **model}, per))]
    rows += [(name, *_baseline_cells(record, per)) for name, record in baselines.items()]
    headings = ("model", "how", "nats/example", per.replace("bits_per_", "bits/"))
    return Table("test split, beside the baselines", headings, rows, words={0, 1})


def _baseline_cells(record: Record, per: str) -> tuple[str, ...]:
    figures = ((record.get("nats_per_example"), ".6g"), (record.get(per), ".4g"))
    cells = (f"{value:{form}}" if isinstance(value, float) else str(value) for value, form in figures)
    return (record["how"], *cells)


def position_table(rows: Sequence[Record]) -> Table:
    """Nats per element by the number of elements that stand before it in its window."""
    cells = [(row["position"], f"{row['elements']:,}", f"{row['nats_per_element']:.4f}") for row in rows]
    return Table("by position in the window", ("position", "elements", "nats/element"), cells)


def column_table(rows: Sequence[Record], most: int = 20) -> Table:
    """The columns that cost most, the most expensive first."""
    costly = sorted(rows, key=lambda row: -row["nats"])[:most]
    which = "by column" if len(rows) <= most else f"the {most} most expensive of {len(rows)} columns"
    cells = [(row["column"], f"{row['cells']:,}", str(Ratio(row["nats"], row["nats_se"]))) for row in costly]
    return Table(f"{which}, nats/cell", ("column", "cells", "nats"), cells)


def group_table(groups: Mapping[str, Mapping[str, float]]) -> Table:
    """One row per group of examples: how many, and their nats per example."""
    cells = [
        (name, f"{row['examples']:,}", str(Ratio(row["nats_per_example"], row["nats_per_example_se"])))
        for name, row in groups.items()
    ]
    return Table("nats/example by group", ("group", "examples", "nats/example"), cells)


def _member_name(member: Record) -> str:
    """The name of an expert, or the seed of a network; with its weight, if it has one."""
    name = str(member.get("expert") or f"seed {member['seed']}")
    return name if member.get("weight") is None else f"{name}, weight {member['weight']:.3f}"


def member_table(members: Sequence[Record], ensemble: Mapping[str, Record]) -> Table:
    """One row per member of an ensemble, then their mean, then the average of their conditionals: nats per example."""
    whole = [split for split in ensemble if all(split in member["results"] for member in members)]
    ensemble = {split: ensemble[split] for split in whole}
    each = [{split: float(m["results"][split]["nats_per_example"]) for split in ensemble} for m in members]
    rows: list[tuple[Cell, ...]] = [
        (_member_name(member), *(f"{nats[split]:.6g}" for split in ensemble))
        for member, nats in zip(members, each, strict=True)
    ]
    rows.append(("their mean", *(f"{sum(nats[split] for nats in each) / len(each):.6g}" for split in ensemble)))
    together = (f"{float(ensemble[split]['nats_per_example']):.6g}" for split in ensemble)
    rows.append((bold("ensemble"), *together))
    return Table("nats/example of the members, and of their average", ("model", *ensemble), rows)


def certificate_table(certificate: Record, title: str) -> Table:
    """One row per check: what was tried, the worst figure and its bound; from the fields of `Certificate.to_json`."""
    rows: list[tuple[Cell, ...]] = []
    for check in certificate["checks"]:
        word = check_word(check)
        figures = ("", "") if check["passed"] is None else (_short(check["figure"]), _short(check["bound"]))
        rows.append(
            (
                check["name"],
                Text(word.upper() if word == "failed" else word, style=STYLES[word]),
                *figures,
                "; ".join(part for part in (check["tried"], check.get("power", "")) if part),
            )
        )
    headings = ("check", "verdict", "worst", "bound", "tried")
    return Table(f"{title}: {certificate['seconds']:.1f} s", headings, rows, words={4}, left={0, 1})


def comparison_table(comparisons: Sequence[Comparison], block: int) -> Table:
    """One row per later model, A being the first."""
    unit, units = comparisons[0].unit, comparisons[0].units
    of = "examples" if block == 1 else f"blocks of {block} examples"
    of = of if block > 1 or unit == EXAMPLES else f"examples in {units:,} {unit}"
    rows = [
        (
            letter_of(number),
            f"{found.difference:.4g} ± {found.standard_error:.2g}",
            f"{found.interval[0]:.4g} to {found.interval[1]:.4g}",
            f"{found.p_holm:.2g}",
            f"{found.b_better:.0%}",
            "" if found.needed is None else f"{found.needed:,}",
        )
        for number, found in enumerate(comparisons, start=1)
    ]
    corrected = "p" if len(comparisons) == 1 else "p (Holm)"
    headings = ["model", "A saves", "95 %", corrected, "better\nthan A on", "examples\nneeded"]
    shown = len(headings) - all(found.needed is None for found in comparisons)
    title = f"nats/example that A saves, paired over {comparisons[0].examples:,} {of}"
    return Table(title, headings[:shown], [row[:shown] for row in rows])


def letter_of(number: int) -> str:
    """A for the first model, B for the second; numbers where letters end.

    >>> letter_of(0), letter_of(1), letter_of(26)
    ('A', 'B', 'model 27')
    """
    return LETTERS[number] if number < len(LETTERS) else f"model {number + 1}"


def probe_table(layers: Sequence[LayerAccuracy], best: LayerAccuracy, title: str) -> Table:
    """One row per layer, the best one marked."""
    rows: list[tuple[Cell, ...]] = [
        (str(found.layer), f"{found.accuracy:.4f} ± {found.standard_error:.4f}", bold("best") if found is best else "")
        for found in layers
    ]
    return Table(title, ("layer", "accuracy", ""), rows)


def classification_table(by_model: Classification, by_prior: Classification, title: str) -> Table:
    """How often each way to classify is right, and the nats per label."""
    rows = [
        (name, str(found.accuracy), str(found.likelihood.nats_per_example))
        for name, found in (("p(y | x) by Bayes", by_model), ("p(y) of the training split", by_prior))
    ]
    return Table(title, ("classified by", "accuracy", "nats/label"), rows)


def _unit(result: Record) -> str:
    return "bits_per_byte" if result.get("bytes") else "bits_per_dim"


def _ratio(result: Record, name: str) -> str:
    """A figure with its error, from the fields of `LogLikelihood.to_json`."""
    return str(Ratio(number_from_json(result[name]), number_from_json(result.get(f"{name}_se"))))


def _short(figure: float | str | None) -> str:
    return f"{number_from_json(figure):.2g}"
