"""The worked example of CONTRIBUTING: the code of a new kind of data, as it stands there, through every command."""

import re
import sys
import wave
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from chainrule.data import encoding_from_json, load
from chainrule.data.recognition.registry import KINDS, Kind
from chainrule.errors import InputError
from tests.support.command_line import run, run_json

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def blocks_of_code():
    """The code of each file in the section, by the file's name."""
    section = CONTRIBUTING.read_text(encoding="utf-8").partition("## A new kind of data")[2].partition("\n## ")[0]
    blocks = re.findall(r"```python\n# (\S+\.py)[^\n]*\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 3, "a new kind of data touches three files"
    return dict(blocks)


@pytest.fixture
def new_kind(monkeypatch):
    """The modules of the example, imported under their names, and its line in the registry."""
    *modules, (_, line) = blocks_of_code().items()
    names = {"Kind": Kind}
    for path, code in modules:
        name = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, path, "exec"), vars(module))
        names |= {public: vars(module)[public] for public in module.__all__}
    (kind,) = eval(line, names)
    KINDS.insert(0, kind)
    yield kind
    KINDS.remove(kind)


@pytest.fixture
def sound(tmp_path):
    """A quarter of a second of a tone with noise."""
    random, path = np.random.default_rng(0), tmp_path / "tone.wav"
    tone = 128 + 60 * np.sin(np.arange(2000) * 2 * np.pi / 20) + random.normal(0, 5, 2000)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, 0, "NONE", "not compressed"))
        file.writeframes(tone.astype(np.uint8).tobytes())
    return path


def test_a_new_kind_is_loaded_and_read_from_json(new_kind, sound):
    data = load(str(sound), window=32)
    assert data.encoding.kind == "sound"
    assert encoding_from_json(data.encoding.to_json()) == data.encoding
    assert [examples.is_stream for examples in data.splits.values()] == [True] * 3
    assert data.digest() == load(str(sound), window=32).digest()
    assert len(data.first(2).train) == 2
    assert data.duplicates() is None


@pytest.mark.slow
def test_a_new_kind_is_fitted_evaluated_sampled_and_reported(new_kind, sound, tmp_path, capsys):
    place = tmp_path / "run"
    fit = ("fit", sound, "--window", 32, "--steps", 3, "--width", 8, "--depth", 1, "--out", place)
    assert run_json(capsys, *fit)["results"]["test"]["elements"] == 200
    assert run_json(capsys, "evaluate", place)["elements"] == 200
    assert run_json(capsys, "evaluate", place, sound)["elements"] == 2000
    assert run(capsys, "sample", place, "-n", 2, "--out", tmp_path / "drawn.wav")[0] == 0
    assert len(load(str(tmp_path / "drawn.wav"), split="1/1/1").train.sequences()[0]) == pytest.approx(64 / 3, abs=1)
    assert run(capsys, "report", place)[0] == 0
    assert run_json(capsys, "verify", place, "--quick")["passed"]


def test_a_new_kind_refuses_what_it_cannot_read(new_kind, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"a\.wav: cannot be read as WAV"):
        load(tmp_path / "a.wav")
    with pytest.raises(InputError, match="'levels' does not apply here"):
        load(tmp_path / "a.wav", levels=2)


def test_the_lines_of_the_example_are_short():
    """So that it may be copied."""
    for path, code in blocks_of_code().items():
        assert max(map(len, code.splitlines())) <= 120, path
