"""Runs that earlier versions made: they open, give the figures that they gave, sample, and go on."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from tests.golden.places import GOLDEN, RUNS
from tests.support.command_line import run, run_json

pytestmark = pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")  # they were split by content

NAMES = sorted(path.name for path in RUNS.iterdir())
QUICK = ("interrupted", "packed", "imported")  # those that go on in the default tier, too
INTERRUPTED_END = -157.35565227270126  # total nats of its test split, once it has gone on to its last step
TEXTS = {
    "text": ".txt",
    "documents": ".txt",
    "table": ".csv",
    "fasta": ".fasta",
    "sequences": ".json",
    "sets": ".json",
}  # kind of data -> file of samples


@pytest.fixture(autouse=True)
def golden_folder(monkeypatch, tmp_path):
    """The paths in the configurations are relative to this folder, as they were when the runs were made."""
    monkeypatch.chdir(GOLDEN)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))


def copy_of(name, tmp_path):
    return shutil.copytree(RUNS / name, tmp_path / name)


def stored_report(name):
    return json.loads((RUNS / name / "report.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_a_run_evaluates_to_its_stored_figure(capsys, name):
    result = run_json(capsys, "evaluate", f"runs-1/{name}")
    if name == "interrupted":
        assert result["impossible"] == 0
        return
    stored = stored_report(name)["results"]["test"]
    assert result["total_nats"] == pytest.approx(stored["total_nats"], rel=1e-5)
    for count in ("examples", "elements", "dims", "bytes"):
        assert result[count] == stored[count]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_samples(capsys, tmp_path, name):
    config = json.loads((RUNS / name / "config.json").read_text())
    ending = TEXTS.get(config["data"]["encoding"]["kind"], ".npy")
    given = {"images": ("--given", "dark"), "given": ("--given", "colour=red")}.get(name, ())
    out = tmp_path / f"samples{ending}"
    run_json(capsys, "sample", f"runs-1/{name}", "-n", "2", "--out", out, *given)
    assert out.stat().st_size > 0


@pytest.mark.whole_fit
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_a_run_goes_on(capsys, tmp_path, name):
    """From its checkpoint, where there is one; else anew, and to the same weights."""
    place = copy_of(name, tmp_path)
    code, _, error = run(capsys, "fit", "--resume", "--out", place)
    if name == "imported":
        assert code == 2
        assert "imported" in error
        return
    assert code == 0, error
    end = json.loads((place / "report.json").read_text())["results"]["test"]["total_nats"]
    expected = INTERRUPTED_END if name == "interrupted" else stored_report(name)["results"]["test"]["total_nats"]
    assert end == pytest.approx(expected, rel=1e-3)
    if name != "interrupted":
        before, after = (load_file(run / "model.safetensors") for run in (RUNS / name, place))
        assert before.keys() == after.keys()
        for key, tensor in before.items():
            torch.testing.assert_close(after[key], tensor, rtol=1e-3, atol=1e-4)


def test_a_run_is_shown_and_compared(capsys, tmp_path):
    for name in ("array", "members", "imported"):
        place = copy_of(name, tmp_path)
        assert run(capsys, "info", place)[0] == 0
        assert run(capsys, "report", place)[0] == 0
        assert list(place.glob("*.html"))
    assert run(capsys, "compare", "runs-1/array", "runs-1/members")[0] == 0


def test_every_kind_of_data_has_a_run():
    from chainrule.config.old_names import with_new_keys
    from chainrule.data.recognition.registry import encodings

    configs = [with_new_keys(json.loads((RUNS / name / "config.json").read_text())) for name in NAMES]
    assert {config["data"]["encoding"]["kind"] for config in configs} == set(encodings())
