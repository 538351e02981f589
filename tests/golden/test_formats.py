"""Files of every other format, as earlier versions wrote them: every later version reads them."""

import json
import re

import numpy as np
import pytest

from chainrule.config.old_names import with_new_keys
from chainrule.data import encoding_from_json
from chainrule.data.examples.stored import stored
from chainrule.evaluation.scores import read_scores
from chainrule.reproduction.results import read_records
from chainrule.training.checkpoint import read
from tests.golden.places import GOLDEN, RUNS
from tests.support.command_line import run_json

MACHINE = re.compile(rb"(?:[\"' =:]|^)/(?:work|root|home|tmp|usr|opt|var|mnt|Users)/|[A-Z]:\\\\")
LIMIT = 4 << 20  # bytes of all golden copies


def test_prepared_data_is_read_and_not_made_again(monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(GOLDEN / "prepared"))

    def never():
        raise AssertionError("prepared anew")

    x = stored("golden", never, "a test", 4)
    assert x.dtype == np.uint16
    assert (x == np.arange(12).reshape(4, 3)).all()


@pytest.mark.parametrize("place", sorted(RUNS.glob("**/checkpoints/step-*")), ids=lambda path: path.parts[-3])
def test_a_checkpoint_is_read(place):
    manifest = json.loads((place / "manifest.json").read_text())
    state = read(place, manifest["step"], manifest["run"])
    assert {"model", "average", "kept", "optimizer", "progress", "records"} <= set(state)


def test_a_file_of_scores_is_read(capsys, monkeypatch):
    monkeypatch.chdir(GOLDEN)
    stored_nats = json.loads((RUNS / "array" / "report.json").read_text())["results"]["test"]["total_nats"]
    scores = read_scores(GOLDEN / "scores" / "array-1.csv")
    assert scores.sum() == pytest.approx(stored_nats, rel=1e-12)
    result = run_json(capsys, "compare", "runs-1/array", "scores/array-1.csv")
    assert result


def test_a_record_is_read():
    record = read_records(GOLDEN / "records")
    assert list(record) == ["debd_nltcs"]
    assert record["debd_nltcs"]["certificate"]["passed"]


@pytest.mark.parametrize("path", sorted(RUNS.glob("*/config.json")), ids=lambda path: path.parent.name)
def test_an_encoding_is_read(path):
    """With its columns, alphabet and tokenizer."""
    fields = with_new_keys(json.loads(path.read_text()))["data"]["encoding"]
    assert encoding_from_json(fields).to_json() == fields


@pytest.mark.parametrize("name", ["tokens", "text", "documents", "imported"])
def test_an_alphabet_is_read(name):
    alphabet = encoding_from_json(json.loads((RUNS / name / "config.json").read_text())["data"]["encoding"]).alphabet
    text = (GOLDEN / "data" / "short_names.txt").read_bytes()
    assert alphabet.decode(alphabet.encode(text, "the names")) == text


def test_no_golden_file_names_a_place_of_a_machine():
    for path in (path for path in GOLDEN.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")):
        found = MACHINE.search(path.read_bytes())
        assert found is None, f"{path}: {found.group()}"


def test_the_golden_files_are_small():
    assert sum(path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()) < LIMIT
