"""What stands on the terminal: names as they are, whole figures, 80 columns, plain where it is no terminal."""

import io

import pytest
import rich.console
from rich.text import Text

from chainrule.errors import InputError
from chainrule.evaluation.comparison import Comparison
from chainrule.reporting.console import Console
from chainrule.reporting.table import Table
from chainrule.reporting.tables import (
    baseline_table,
    certificate_table,
    column_table,
    comparison_table,
    group_table,
    member_table,
    position_table,
    result_table,
)
from chainrule.reporting.visible import bold, visible
from chainrule.verification.certificate.check import Certificate, Check
from tests.support.command_line import run

NASTY = [
    "[bold]age[/]",
    "[/]",
    "[link=http://x]y",
    "\x1b[31mred",
    "a\nb",
    "\u202etxt",
    "ü[report]",
    ":smile:",
    "\udcff",
]


def console_on(width=80, terminal=True):
    """A console that writes into memory, and the memory."""
    memory = io.StringIO()
    colours = "standard" if terminal else None
    inner = rich.console.Console(file=memory, width=width, force_terminal=terminal, color_system=colours)
    return Console(console=inner), memory


def shown(*parts, width=80, terminal=False):
    console, memory = console_on(width, terminal)
    console.print(*parts)
    return memory.getvalue()


def likelihood(**more):
    record = {"examples": 123_456, "bytes": 0, "impossible": 0}
    figures = {"nats_per_example": -1234.5678, "bits_per_dim": 12345.678}
    return record | {n: v for k, v in figures.items() for n, v in ((k, v), (f"{k}_se", 0.0123))} | more


@pytest.mark.parametrize("name", NASTY)
def test_names_are_shown_as_they_are(name):
    for line in (shown(name), shown(bold(name)), shown(Table(name, ("a", "b"), [(name, "1")]))):
        assert visible(name) in line
        assert "\x1b" not in line
        assert line.encode("utf-8")


def test_markup_in_a_message_is_no_markup(capsys):
    message = str(InputError("pictures need matplotlib: pip install 'chainrule[report]'"))
    assert "'chainrule[report]'" in shown(message)


def test_a_nasty_argument_is_shown_in_the_error(capsys, tmp_path):
    code, out, err = run(capsys, "info", tmp_path / "\x1b[31m[bold]x")
    assert (code, out) == (2, "")
    assert r"\x1b[31m[bold]x" in err
    assert "\x1b" not in err


def test_text_that_is_drawn_is_escaped_on_a_terminal_and_whole_in_a_file():
    for terminal, expected in ((True, "a\\x1b[2J\tb\n"), (False, "a\x1b[2J\tb\n")):
        console, memory = console_on(terminal=terminal)
        console.write("a\x1b[2J\tb\n")
        assert memory.getvalue() == expected


CHECKS = [
    Check.of("causality.suffix.evaluation", 1.234e-9, 1e-5, "6 replacements of a whole suffix, 12345 elements"),
    Check("normalisation.enumeration", None, "every element has the same finite alphabet, or there is no model"),
    Check.of("invariance.padding", float("inf"), 1e-4, "padding of three lengths, several fillings", "here"),
]
OF_THE_REST = {"nats_per_example_of_possible": 1.5, "nats_per_example_se": None, "bits_per_dim_se": None}
COMPARISONS = [
    Comparison(
        a="runs/a-rather-long-name/of-a-run-1",
        b=f"runs/another-long-name/of-a-run-{k}",
        examples=10_000,
        difference=-123.4567,
        standard_error=0.123,
        interval=(-123.9, -122.8),
        p_value=1e-4,
        b_better=0.51,
        needed=12_345,
        p_holm=2e-4,
        impossible=(0, 0),
    )
    for k in (2, 3)
]
TABLES = {
    "results": result_table({s: likelihood() for s in ("train", "valid", "test")}, {"test": likelihood()}),
    "impossible": result_table(
        {"test": likelihood(nats_per_example="inf", bits_per_dim="inf", impossible=3) | OF_THE_REST},
        {"test": likelihood()},
    ),
    "baselines": baseline_table(likelihood(), {"a baseline with a long name": {"how": "static"} | likelihood()}),
    "positions": position_table([{"position": "1024 to 2047", "elements": 10**9, "nats_per_element": 1.25}]),
    "columns": column_table([{"column": "x" * 100, "cells": 10**6, "nats": 1.0, "nats_se": 0.1}] * 30),
    "groups": group_table({"y" * 100: {"examples": 10, "nats_per_example": 1.0, "nats_per_example_se": 0.1}}),
    "members": member_table(
        [{"seed": 1, "results": {s: likelihood() for s in ("train", "valid", "test")}}],
        {s: likelihood() for s in ("train", "valid", "test")},
    ),
    "certificate": certificate_table(Certificate("x", tuple(CHECKS), 1.0).to_json(), "runs/x"),
    "comparison": comparison_table(COMPARISONS, 12),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("terminal", [True, False])
def test_every_table_has_whole_figures_and_fits_80_columns_of_a_terminal_or_one_line_of_a_pipe(name, terminal):
    table = TABLES[name]
    lines = Text.from_ansi(shown(table, terminal=terminal)).plain.splitlines()[1:]
    if terminal:
        assert max(len(line.rstrip()) for line in lines) <= 80
    else:
        assert len(lines) == len(table.rows) + max(heading.count("\n") + 1 for heading in table.headings)
    assert "…" not in "".join(lines)
    for row in table.rows:
        for number, cell in enumerate(row):
            if number not in table.words:
                assert any(str(cell) in line for line in lines), cell


def test_the_names_of_checks_are_whole():
    lines = shown(TABLES["certificate"]).splitlines()
    for check in CHECKS:
        assert any(line.startswith(check.name + " ") for line in lines)


def test_no_column_is_empty():
    plain = result_table({"test": likelihood()})
    assert plain.headings == ("split", "examples", "nats/example", "bits/dim")


def test_what_is_no_terminal_gets_plain_text():
    text = shown(TABLES["certificate"], TABLES["results"], bold("x"))
    assert "\x1b" not in text
    assert not any("\u2500" <= character <= "\u257f" for character in text)


def test_figures_are_whole_where_a_terminal_is_narrow():
    text = shown(TABLES["results"], width=40, terminal=False)
    assert "123,456" in text
    assert "12345.678" in text
    narrow = Text.from_ansi(shown(TABLES["results"], width=40, terminal=True)).plain
    assert "12345.678" in narrow
