"""Nothing that is read from a file is executed; a page shows what it holds and asks the network for nothing."""

import ast
import json
import re
import shutil
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.errors import InputError
from tests.golden.places import GOLDEN
from tests.support.command_line import run

SOURCE = Path(cr.__file__).parent
EXECUTE = {"eval", "exec", "compile", "__import__"}
UNPICKLE = {"pickle", "cPickle", "dill", "joblib", "cloudpickle", "marshal", "shelve"}
HOSTILE = "</title><script src='https://x.example'></script>\u202egnp.exe\u2066\""


def test_nothing_is_executed_or_unpickled():
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in EXECUTE, f"{path}:{node.lineno}"
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.partition(".")[0] for alias in node.names}
                names |= {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()
                assert not names & UNPICKLE, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load"):
                assert any(word.arg == "allow_pickle" and not word.value.value for word in node.keywords), path
            assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"), path


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("model", "network", "name"), "os.system"),
        (("model", "head", "name"), "__builtins__.eval"),
        (("data", "encoding", "kind"), "subprocess.Popen"),
    ],
)
def test_a_name_in_a_file_is_looked_up_and_never_imported(tmp_path, place, value):
    there = shutil.copytree(GOLDEN / "runs-1" / "table", tmp_path / "run")
    config = json.loads((there / "config.json").read_text())
    *way, last = place
    inner = config
    for name in way:
        inner = inner[name]
    inner[last] = value
    (there / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError):
        cr.Run.open(there).model()


def page_of(capsys, tmp_path, change):
    """The report page of a run on a file, with columns and values, of hostile names, after a change to config.json."""
    data = tmp_path / "a<b>'\u202e.csv"
    column = HOSTILE.replace('"', '""')
    data.write_text(f'"{column}","b"\n' + "".join(f'"{column}{k % 3}",{k % 4}\n' for k in range(60)), encoding="utf-8")
    there = tmp_path / "run"
    cr.fit(str(data), out=there, network="nade", width=4, depth=1, steps=1, members=1)
    config = json.loads((there / "config.json").read_text())
    change(config)
    (there / "config.json").write_text(json.dumps(config))
    code, _, err = run(capsys, "report", there, "--out", tmp_path / "page.html")
    assert code == 0, err
    return (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_escapes_everything_and_asks_the_network_for_nothing(capsys, tmp_path):
    def change(config):
        config["data"]["note"] = config["data"]["unit"] = config["protocol"]["context"] = HOSTILE

    page = page_of(capsys, tmp_path, change)
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script" in page
    assert not {"\u202e", "\u2066"} & set(page)
    assert not re.findall(r"<[^>]*\b(?:src|href|action)=[\"']?(?!data:)[^ >]*", page)
    assert not re.findall(r"url\((?!data:)|@import", page)
