"""The tutorials run: every block in its order, in an empty folder, with fewer steps than a reader would take."""

import re
import shlex
from pathlib import Path

import pytest

from chainrule.cli.app import main

TUTORIALS = sorted((Path(__file__).parents[1] / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FEWER = ["--steps", "2", "--evaluate-every", "2", "--width", "8", "--depth", "1"]
REFUSED = {"chainrule fit people.csv --columns visits=real,height=real:0.5 --drop born --out runs/fewer"}


def test_there_is_one_for_every_kind():
    assert [path.stem for path in TUTORIALS] == ["arrays", "images", "sequences", "tables", "text"]
    linked = (Path(__file__).parents[1] / "docs" / "data.md").read_text(encoding="utf-8")
    assert all(f"tutorials/{path.name}" in linked for path in TUTORIALS)


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_block_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": path.stem}
    blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
    assert {language for language, _ in blocks} == {"python", "shell"}
    for language, code in blocks:
        if language == "python":
            exec(compile(code, f"{path.name}", "exec"), names)
            continue
        for line in code.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "chainrule"
            fewer = FEWER if arguments[0] == "fit" else []
            assert main(arguments + fewer) == (2 if line in REFUSED else 0), line


def test_links_lead_somewhere():
    for path in [*TUTORIALS, TUTORIALS[0].parents[1] / "data.md"]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", path.read_text(encoding="utf-8")):
            assert "://" in target or (path.parent / target).exists(), f"{path.name}: {target}"
