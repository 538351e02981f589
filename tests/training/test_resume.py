"""`chainrule fit --resume`: real processes, really killed; and what it refuses."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from chainrule.cli.app import main
from tests.support.damage import DAMAGE

QUICK = ["--network", "causal_conv", "--width", "4", "--depth", "1", "--steps", "6"]
QUICK += ["--evaluate-every", "3", "--checkpoint-every", "2"]


def driver(place, *arguments):
    """What `killing.py` says, in a process of its own that may fork."""
    script = Path(__file__).parents[1] / "support" / "killing.py"
    place.mkdir(exist_ok=True)
    paths = os.pathsep.join((str(script.parents[2] / "src"), str(script.parents[2])))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    done = subprocess.run(
        [sys.executable, script, place, *arguments], capture_output=True, text=True, env=environment, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(seen, kills):
    assert seen["kills"] == kills
    assert seen["inside"] >= kills / 4
    assert set(seen["codes"]) == {0}
    assert not seen["differ"]
    names = {"model.safetensors", "metrics.jsonl", "report.json", "samples.json"}
    names |= {f"checkpoints/step-00000014/{part}.safetensors" for part in ("model", "average", "optimizer", "random")}
    assert names <= set(seen["files"])


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    return driver(tmp_path_factory.mktemp("killed"), "4", "0")


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_bits(killed):
    check(killed, 4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_saves_the_state_and_says_how_to_go_on(killed, name, code):
    seen = killed["signals"][name]
    assert seen["code"] == code
    assert seen["message"].startswith("error: interrupted at step ")
    assert f"/{name}" in seen["message"].partition("chainrule fit --resume --out ")[2]
    assert (seen["unfinished"], seen["again"], seen["same"]) == (True, 0, True)


@pytest.mark.slow
def test_killed_a_dozen_times_it_ends_with_the_same_bits(tmp_path):
    check(driver(tmp_path, "12", "1"), 12)


# --- in process ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    np.save(home / "rows.npy", np.random.default_rng(0).integers(0, 3, (60, 5)))
    assert main(["fit", str(home / "rows.npy"), "--out", str(home / "run"), *QUICK]) == 0
    return home


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    _, err = capsys.readouterr()
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def test_what_is_not_given_again_is_as_it_was(home, capsys):
    before = {path.name: path.read_bytes() for path in (home / "run").iterdir() if path.is_file()}
    assert main(["fit", "--resume", "--out", str(home / "run"), "--steps", "6", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["steps"] == 6
    assert "going on from step 6" in err
    for name in ("config.json", "model.safetensors", "metrics.jsonl", "samples.json"):
        assert (home / "run" / name).read_bytes() == before[name]


def test_a_microbatch_that_was_found_stays(home, tmp_path, monkeypatch):
    run = ["--out", str(tmp_path / "run")]
    assert main(["fit", str(home / "rows.npy"), *run, *QUICK, "--microbatch", "auto"]) == 0
    monkeypatch.setattr("chainrule.runs.start.largest_microbatch", lambda *arguments: 1)
    assert main(["fit", "--resume", *run]) == 0
    assert main(["fit", "--resume", *run, "--microbatch", "1"]) == 2


@pytest.mark.filterwarnings("always:bfloat16 on this processor")
def test_a_precision_that_was_found_stays_on_another_machine(home, tmp_path, monkeypatch, capsys):
    run = ["--out", str(tmp_path / "run")]
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"amx_bf16": True})
    assert main(["fit", str(home / "rows.npy"), *run, *QUICK, "--precision", "auto"]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["training"]["precision"] == "bfloat16"
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {})
    assert "slower than float32" not in capsys.readouterr().err
    assert main(["fit", "--resume", *run]) == 0
    assert "slower than float32" in capsys.readouterr().err
    assert main(["fit", "--resume", *run, "--precision", "float32"]) == 2


def test_other_settings_or_data_are_named_and_refused(home, tmp_path, capsys):
    run = home / "run"
    err = refused(capsys, "fit", "--resume", "--out", run, "--steps", "8", "--width", "5")
    assert "training.steps is 6 there and 8 here" in err
    assert "model.network.width is 4 there and 5 here" in err
    np.save(tmp_path / "rows.npy", np.random.default_rng(1).integers(0, 3, (60, 5)))
    assert "data.sha256" in refused(capsys, "fit", tmp_path / "rows.npy", "--resume", "--out", run)
    assert "--resume" in refused(capsys, "fit", home / "rows.npy", "--out", run, *QUICK)
    assert "name it with --out" in refused(capsys, "fit", home / "rows.npy", "--resume")
    assert "fit needs DATA" in refused(capsys, "fit", "--resume", "--out", tmp_path / "nothing")


def test_a_run_begun_before_a_setting_came_goes_on(home, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"

    def without_the_setting(settings):
        return {name: value for name, value in dataclasses.asdict(settings).items() if name != "common_start"}

    with monkeypatch.context() as earlier:
        earlier.setattr("chainrule.runs.new.asdict", without_the_setting)
        assert main(["fit", str(home / "rows.npy"), "--out", str(run), *QUICK]) == 0
    assert "common_start" not in json.loads((run / "config.json").read_text())["training"]
    assert main(["fit", str(home / "rows.npy"), "--resume", "--out", str(run), *QUICK]) == 0
    assert "going on from step 6" in capsys.readouterr().out
    assert "training.cooldown is 0.6 there" in refused(capsys, "fit", "--resume", "--out", run, "--cooldown", "0.5")


def test_where_there_is_nothing_it_starts_and_says_so(home, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".config.json.17.new").write_text("{")  # killed before it had begun
    assert main(["fit", str(home / "rows.npy"), "--resume", "--out", str(tmp_path / "run"), *QUICK]) == 0
    assert "starting at the beginning" in capsys.readouterr().out
    first, again = (path / "model.safetensors" for path in (home / "run", tmp_path / "run"))
    assert first.read_bytes() == again.read_bytes()  # two runs of one seed
    names = [{path.relative_to(run) for path in run.rglob("*")} for run in (home / "run", tmp_path / "run")]
    assert names[0] == names[1]


def test_a_damaged_checkpoint_is_named_aloud(home, tmp_path, capsys):
    assert main(["fit", str(home / "rows.npy"), "--out", str(tmp_path / "run"), *QUICK]) == 0
    newest = tmp_path / "run" / "checkpoints" / "step-00000006"
    DAMAGE["a flipped bit"](newest, np.random.default_rng(0))
    capsys.readouterr()
    assert main(["fit", "--resume", "--out", str(tmp_path / "run")]) == 0
    out, _ = capsys.readouterr()
    assert f"{newest} is damaged" in out.replace("\n", "")
    assert "going on from step 4" in out
    first, again = (path / "model.safetensors" for path in (home / "run", tmp_path / "run"))
    assert first.read_bytes() == again.read_bytes()


def test_a_full_disk_is_one_line(home, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chainrule.runs.files.DirectoryFiles.append", full)
    assert main(["fit", str(home / "rows.npy"), "--out", str(tmp_path / "run"), *QUICK]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("step ")]
    assert len(said) == 1
    assert "No space left on device" in said[0]
    assert "--resume" in said[0]


def test_config_says_where_the_run_comes_from(home, monkeypatch, tmp_path):
    config = json.loads((home / "run" / "config.json").read_text())
    assert config["training"]["seed"] == 0
    assert set(config["versions"]) == {"chainrule", "torch", "numpy", "python"}
    assert config["machine"]["threads"] == 1
    assert config["command"] == list(sys.orig_argv)
    assert len(config["data"]["sha256"]) == 64
    assert config["asked"]["source"].endswith("rows.npy")


def test_git_state(tmp_path):
    from chainrule.runs.provenance import git_state

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        return subprocess.run(
            ["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True, text=True
        )

    assert git_state(tmp_path) is None
    git("init")
    (tmp_path / "a.txt").write_text("a")
    git("add", ".")
    git("commit", "-m", "a")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert git_state(tmp_path) == {"commit": commit, "dirty": False}
    (tmp_path / "a.txt").write_text("b")
    assert git_state(tmp_path) == {"commit": commit, "dirty": True}
