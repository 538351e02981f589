"""What the files of a run hold is checked where they are read: a damaged one is refused by its name and the place."""

import json
import re
import shutil
from contextlib import nullcontext

import pytest

import chainrule as cr
from chainrule.errors import InputError, RunError
from chainrule.runs.files_text import files_page
from chainrule.runs.wellformed import damage_in
from tests.golden.places import GOLDEN

RUNS = GOLDEN / "runs-1"
KINDS = sorted(entry.name for entry in RUNS.iterdir() if entry.is_dir())
SEVERAL = (
    "array",
    "blocks",
    "fasta",
    "given",
    "images",
    "jsonl",
    "members",
    "orders",
    "sequences",
    "sets",
    "table",
    "tokens",
)
LARGE = 10**400
WIDE = 12  # names or items of one object or list that are tried
OTHERS = (None, -1, 0, 1.5, "x", "", True, [], [[]], {}, LARGE)


def places(value, place=()):
    """Every place in nested objects and lists, the inner ones too."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in list(pairs)[:WIDE]:
        yield (*place, name)
        yield from places(part, (*place, name))


def changed(content, place, value):
    """A copy with another value at a place."""
    copy = json.loads(json.dumps(content))
    inner = copy
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return copy


def refusal(name):
    """Expects a RunError that names a file."""
    return pytest.raises(RunError, match=re.escape(name))


@pytest.fixture
def run_with(tmp_path):
    """Makes a copy of a run of an earlier version in which a file has another content."""

    def make(kind, name, content):
        path = tmp_path / kind
        if not path.exists():
            shutil.copytree(RUNS / kind, path)
        (path / name).write_text(content)
        return path

    return make


def test_the_page_of_the_files_is_current():
    page = GOLDEN.parents[1] / "docs" / "files.md"
    assert page.read_text(encoding="utf-8") == files_page(), "run python docs/make_files.py"


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_earlier_versions_are_in_order(kind):
    run = cr.Run.open(RUNS / kind)
    run.refuse_damaged()
    assert run.encoding().kind
    assert run.metrics() is not None
    assert run.report_dict is None or run.report_dict["results"]
    assert run.certificate_dict is None or run.certificate_dict["passed"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=pytest.mark.soak if n % 3 else pytest.mark.slow) for n, kind in enumerate(SEVERAL)],
)
def test_any_other_value_in_a_configuration_is_read_or_refused(kind, run_with, monkeypatch):
    """Whatever stands at a place of `config.json`, a run does what it is asked for, or says in words why not."""
    monkeypatch.chdir(GOLDEN)
    whole = json.loads((RUNS / kind / "config.json").read_text())
    for place in places({name: whole[name] for name in ("data", "protocol", "model")}):
        for value in OTHERS:
            path = run_with(kind, "config.json", json.dumps(changed(whole, place, value)))
            try:
                use(cr.Run.open(path), place)
            except (InputError, MemoryError):
                continue
            except Exception as error:
                raise AssertionError(f"{place} as {value!r}: {error!r}") from error


def use(run, place):
    """What reads this place of the configuration."""
    run.info()
    if place[:2] == ("data", "options"):
        run.data()
    elif place[:2] == ("data", "encoding"):
        run.score(run.source)
    elif place[0] == "model":
        run.model()


@pytest.mark.parametrize("name", ["report.json", "metrics.jsonl"])
@pytest.mark.parametrize("kind", ["table"])
def test_any_other_value_in_a_report_is_read_or_refused(kind, name, run_with):
    lines = [json.loads(line) for line in (RUNS / kind / name).read_text().splitlines()] if name[-1] == "l" else None
    whole = lines[0] if lines else json.loads((RUNS / kind / name).read_text())
    refused = 0
    for place in places(whole):
        for value in (None, "x", [], LARGE):
            run = cr.Run.open(run_with(kind, name, json.dumps(changed(whole, place, value)) + "\n"))
            with nullcontext() if damage_in(name, changed(whole, place, value)) is None else refusal(name):
                refused += 1
                _ = run.report_dict, run.metrics()
                refused -= 1
    assert refused > 10


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (
            ("data", "encoding", "columns", 0, "name"),
            ["age"],
            "data.encoding.columns.0.name is a list, expected a text",
        ),
        (("data", "encoding", "columns", 0, "resolution"), LARGE, "is a number of 401 digits"),
        (("data", "options", "split"), 3, "data.options.split is 3, expected str"),
        (("data", "sha256"), None, "data.sha256 is null, expected a text"),
        (("model", "members"), "two", "model.members is 'two', expected a whole number from 1 to 1,000"),
        (("model", "network", "name"), [], "model.network.name is a list, expected a text"),
        (("training", "steps"), LARGE, "training.steps is a number of 401 digits"),
        (("training", "seed"), [0], "training.seed is a list, expected int"),
    ],
    ids=lambda value: ".".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_the_error_names_the_file_and_the_place(place, value, said, run_with, capsys):
    from chainrule.cli.app import main

    whole = json.loads((RUNS / "table" / "config.json").read_text())
    path = run_with("table", "config.json", json.dumps(changed(whole, place, value)))
    assert main(["score", str(path), str(GOLDEN / "data" / "table.csv")]) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"error: {path}: config.json is damaged: ")
    assert said in complaint
    assert complaint.count("\n") == 1


def test_what_is_nested_too_deeply_is_refused(run_with):
    whole = json.loads((RUNS / "table" / "config.json").read_text())
    deep = "[" * 500 + "]" * 500
    text = json.dumps(changed(whole, ("data", "options", "drop"), "HERE")).replace('"HERE"', deep)
    with refusal("config.json"):
        cr.Run.open(run_with("table", "config.json", text))
