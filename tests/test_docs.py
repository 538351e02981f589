"""The pages of the documentation: links lead somewhere, and every public name is in the reference."""

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SOURCE = ROOT / "src" / "chainrule"
EXAMPLES = {"heads/NAME.py", "networks/NAME.py", "cli/NAME.py", "utils.py"}
FOLDERS = sorted(path.parent for path in SOURCE.glob("**/__init__.py"))


def anchors(page):
    """The names that headings have on GitHub."""
    headings = re.findall(r"^#+ +(.*)$", FENCED.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page):
    for link in LINK.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        target, _, anchor = link.partition("#")
        if "://" in link:
            continue
        place = (page.parent / target).resolve() if target else page
        assert place.exists(), f"{page.name}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(place), f"{page.name}: {link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_files_that_a_page_names_exist(page):
    if page.name in ("CHANGELOG.md", "experiments.md"):
        pytest.skip("tells what was")
    text = page.read_text(encoding="utf-8")
    text = FENCED.sub("", text) if page.name == "CONTRIBUTING.md" else text  # whose example is not in the package
    for name in set(re.findall(r"\bchainrule(?:\.[A-Za-z_]\w*)+", text)):
        assert located(name), f"{page.name}: there is no {name}"
    for name in set(re.findall(r"`((?:[\w.]+/)*\w+\.py)`", text)) - EXAMPLES:
        assert any((base / name).exists() for base in (ROOT, ROOT / "src", SOURCE, ROOT / "docs")), (
            f"{page.name}: {name}"
        )


def located(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for size in range(len(parts), 0, -1):
        try:
            thing = import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        try:
            for part in parts[size:]:
                thing = getattr(thing, part)
        except AttributeError:
            return False
        return True
    return False


@pytest.mark.slow
def test_the_python_part_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert code.count("minutes=2") == 2
    exec(compile(code.replace("minutes=2", "steps=2, evaluate_every=2, width=8, depth=1"), "README.md", "exec"), {})
    assert (tmp_path / "digits.html").exists()
    assert (tmp_path / "runs" / "digits-1" / "model.safetensors").exists()
    assert "±" in capsys.readouterr().out.splitlines()[0]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    place = tmp_path_factory.mktemp("reference")
    pytest.importorskip("pdoc", reason="the extra `dev` is not installed")
    subprocess.run([sys.executable, "docs/make_reference.py", str(place)], cwd=ROOT, check=True, timeout=300)
    return place


@pytest.mark.soak
def test_every_public_name_is_in_the_reference(reference):
    index = (reference / "index.html").read_text(encoding="utf-8")
    for folder in FOLDERS:
        name = ".".join(folder.relative_to(ROOT / "src").parts)
        page = Path(*name.split(".")).with_suffix(".html")
        assert str(page) in index
        ids = set(re.findall(r'id="([\w.]+)"', (reference / page).read_text(encoding="utf-8")))
        missing = set(getattr(import_module(name), "__all__", ())) - ids
        assert not missing, f"{name}: not in the reference: {missing}"


@pytest.mark.soak
def test_links_of_the_reference_lead_to_pages_that_exist(reference):
    for page in reference.rglob("*.html"):
        for link in re.findall(r'href="([^"#:]+\.html)', page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page}: {link}"
