"""`pip install chainrule` in a bare environment does the main job on any file."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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


def needed(names):
    """The packages that some packages need here, they themselves among them, without their extras."""
    found, left = {}, list(names)
    while left:
        name = canonicalize_name(left.pop())
        if name not in found:
            found[name] = distribution(name)
            wanted = map(Requirement, found[name].requires or ())
            left += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


def linked(packages, site):
    """The files of packages that are installed here, linked into another environment."""
    for package in packages:
        for top in {file.parts[0] for file in package.files if not file.parts[0].endswith(("..", "__pycache__"))}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(package.locate_file(top)).resolve())


@pytest.fixture(scope="module", params=["linked", pytest.param("installed", marks=pytest.mark.soak)])
def bare(tmp_path_factory, request):
    """An environment that holds a wheel of this project and what it asks for, and nothing else.

    What it asks for is linked from here, or is installed by pip, which takes a minute.
    """
    place = tmp_path_factory.mktemp("bare")
    quiet = ("--quiet", "--disable-pip-version-check", "--no-compile")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *quiet[:2], "--no-deps", "-w", str(place), str(ROOT)],
        check=True,
        timeout=300,
    )
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place / "env")], check=True, timeout=120)
    python = place / "env" / "bin" / "python"
    (wheel,) = place.glob("*.whl")
    more = ["-c", str(ROOT / "constraints.txt")]
    if request.param == "linked":
        (site,) = place.glob("env/lib/*/site-packages")
        linked(needed(Requirement(name).name for name in PROJECT["dependencies"]).values(), site)
        more = ["--no-deps"]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    subprocess.run([*pip, *quiet, *more, str(wheel)], check=True, timeout=540)
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
