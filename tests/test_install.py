"""`pip install chainrule` in a bare environment does the main job on any file."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS_IN_CORE = ("images", "tables", "report")  # their names stay for one version


def test_extras_that_moved_into_the_core_are_empty():
    extras = PROJECT["optional-dependencies"]
    assert all(extras[name] == [] for name in EXTRAS_IN_CORE)
    assert set(extras) == {"text", "hf", "ppmd", "tensorboard", "codec", "all", "test", "dev", *EXTRAS_IN_CORE}
    whole = extras["all"][0].removeprefix("chainrule[").removesuffix("]").split(",")
    assert set(whole) == set(extras) - {"all", "test", "dev", *EXTRAS_IN_CORE}


def test_errors_name_extras_that_exist():
    import re

    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("docs/**/*.md"), ROOT / "README.md"]:
        for names in re.findall(r"pip install '?chainrule\[([a-z,-]+)\]", path.read_text(encoding="utf-8")):
            for name in names.split(","):
                assert PROJECT["optional-dependencies"].get(name), f"{path}: the extra {name} is empty or missing"


def test_every_dependency_is_constrained():
    """What continuous integration installs is written down, each with its version."""
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    wanted = [
        *PROJECT["dependencies"],
        *(name for extra in PROJECT["optional-dependencies"].values() for name in extra),
    ]
    names = {name.partition(">")[0] for name in wanted if not name.startswith("chainrule[")}
    assert names <= pinned


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """An environment that holds what a wheel of this project asks for, and nothing else."""
    place = tmp_path_factory.mktemp("bare")
    quiet = ("--quiet", "--disable-pip-version-check")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "-w", str(place), str(ROOT)],
        check=True,
        timeout=300,
    )
    subprocess.run([sys.executable, "-m", "venv", str(place / "env")], check=True, timeout=120)
    python = place / "env" / "bin" / "python"
    (wheel,) = place.glob("*.whl")
    subprocess.run(
        [str(python), "-m", "pip", "install", *quiet, "-c", str(ROOT / "constraints.txt"), str(wheel)],
        check=True,
        timeout=540,
    )
    return place


def chainrule(place, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    command = [str(place / "env" / "bin" / "chainrule"), *arguments]
    ended = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_wheel_in_a_bare_environment_fits_any_file(bare):
    from PIL import Image

    (bare / "table.csv").write_text("age,colour\n" + "".join(f"{20 + k % 50},{'rg'[k % 2]}\n" for k in range(200)))
    (bare / "pictures").mkdir()
    for k in range(30):
        image = np.random.default_rng(k).integers(0, 256, (4, 4), dtype=np.uint8)
        Image.fromarray(image).save(bare / "pictures" / f"{k}.png")
    for source, run in (("digits", "digits-1"), ("table.csv", "table-1"), ("pictures", "pictures-1")):
        chainrule(bare, "fit", source, "--steps", "5")
        assert (bare / "runs" / run / "learning_curve.png").exists()
        report = json.loads((bare / "runs" / run / "report.json").read_text())
        assert report["results"]["test"]["nats_per_example"] > 0
    result = json.loads(chainrule(bare, "evaluate", "runs/digits-1", "--json"))
    stored = json.loads((bare / "runs" / "digits-1" / "report.json").read_text())["results"]["test"]
    assert result["total_nats"] == pytest.approx(stored["total_nats"], rel=1e-6)
    assert list(bare.glob("env/lib/*/site-packages/chainrule/recipes/debd.py"))
