"""What is seen while a sample is drawn: a bar, or the text itself."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.cli.app import main
from chainrule.data.alphabets.alphabet import Bytes, Characters
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.drawing import Drawing
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from chainrule.runs.text_stream import TextStream
from tests.support.command_line import run

QUICK = ["--steps", "2", "--evaluate-every", "2", "--width", "8", "--depth", "1"]
STORY = "Die Kätzchen saßen auf der Matte, 10 € — und blieben. " * 12


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "story.txt").write_text(STORY)
    (home / "names.txt").write_text("\n".join("abc"[n % 3] * (1 + n % 5) + f"é{n % 7}" for n in range(90)))
    np.save(home / "rows.npy", np.random.default_rng(0).integers(0, 3, (80, 6)))
    for name, source, more in (
        ("bytes", "story.txt", ["--window", "48"]),
        ("tokens", "story.txt", ["--window", "48", "--symbols", "bpe:280"]),
        ("rows", "rows.npy", []),
        ("names", "names.txt", ["--documents", "line", "--symbols", "characters"]),
    ):
        assert main(["fit", str(home / source), "--out", str(home / name), *more, *QUICK]) == 0
    return home


@pytest.mark.parametrize("name", ["bytes", "tokens", "names"])
@pytest.mark.parametrize("prefix", [[], ["--prefix", "a"]], ids=["free", "begun"])
def test_what_is_streamed_is_what_is_drawn(home, capsys, name, prefix):
    arguments = ["sample", home / name, "--seed", "3", *prefix]
    code, out, err = run(capsys, *arguments, "--stream")
    drawn = json.loads(run(capsys, *arguments, "-n", "1", "--json")[1])["text"][0]
    assert (code, err) == (0, "")
    assert out == drawn + "\n"
    whole = run(capsys, *arguments, "-n", "1")[1]
    assert whole.startswith(drawn)
    assert whole.removeprefix(drawn) in ("\n", "\n\n")  # documents end in what divides them
    assert drawn.startswith("a" if prefix else "")


@pytest.mark.parametrize("name", ["bytes", "tokens"])
@pytest.mark.parametrize("length", [20, 48, 200, 131])
def test_a_text_of_any_length_has_the_probability_that_evaluation_gives_it(home, name, length):
    opened = Run.open(home / name)
    drawn = opened.sample(2, length=length, seed=3)
    assert drawn.sample.x.shape == (2, length)
    assert drawn.sample.mask.all()
    for x, log_p in zip(drawn.sample.x, drawn.sample.log_prob, strict=True):
        scored = evaluate(opened.model(), opened.encoding().examples(x.numpy().astype(np.int64)))
        assert scored.nats.sum() == pytest.approx(float(log_p), rel=1e-6)


def test_a_longer_text_begins_as_a_shorter_one_and_goes_on_from_its_prefix(home):
    opened = Run.open(home / "bytes")
    short, long = (opened.sample(2, prefix="Die ", length=length, seed=1) for length in (60, 130))
    assert torch.equal(long.sample.x[:, :48], short.sample.x[:, :48])  # what the last window does not draw
    assert all(text.startswith(b"Die ") for text in long.raw)
    assert long.sample.mask.sum(1).tolist() == [126, 126]
    filtered = opened.sample(1, length=130, temperature=0.5)
    assert filtered.sample.log_q > filtered.sample.log_prob


def test_a_longer_text_is_streamed_as_it_is_drawn(home, capsys):
    arguments = ["sample", home / "bytes", "--seed", "3", "--length", "130"]
    code, out, _ = run(capsys, *arguments, "--stream")
    assert code == 0
    assert out.removesuffix("\n") == json.loads(run(capsys, *arguments, "-n", "1", "--json")[1])["text"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rows", "--length", "9"], "examples of kind array have a length of their own"),
        (["names", "--length", "9"], "examples of kind documents have a length of their own"),
        (["bytes", "--length", "0"], "a text has at least one symbol"),
        (["bytes", "--length", "90", "--parallel"], "leave out --prefix, --length"),
    ],
)
def test_lengths_that_are_refused(home, capsys, arguments, words):
    code, _, err = run(capsys, "sample", home / arguments[0], *arguments[1:])
    assert (code, err.count("\n")) == (2, 1)
    assert words in err


def test_with_json_the_text_goes_to_standard_error(home, capsys):
    _, out, err = run(capsys, "sample", home / "bytes", "--stream", "--json")
    assert json.loads(out)["text"] == [err.removesuffix("\n")]


def test_with_out_it_is_also_written(home, capsys, tmp_path):
    _, out, _ = run(capsys, "sample", home / "names", "--stream", "--out", tmp_path / "a.txt")
    assert out.startswith((tmp_path / "a.txt").read_text() + "1 samples: ")


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("bytes", None), ("rows", None), ("names", None), ("bytes", "a"), ("names", "ab")],
)
def test_many_are_drawn_in_groups_and_are_the_same(home, tmp_path, name, prefix):
    fitted, ending = Run.open(home / name), "npy" if name == "rows" else "txt"
    options = {"seed": 1, "prefix": prefix, "top_p": 0.9}
    together = fitted.sample(8, **options, out=tmp_path / f"a.{ending}")
    apart = fitted.sample(8, **options, out=tmp_path / f"b.{ending}", group=3)
    assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    for drawn, again in (
        (together.sample.log_prob, apart.sample.log_prob),
        (together.sample.log_q, apart.sample.log_q),
    ):
        assert len(again) == 8
        np.testing.assert_allclose(again, drawn, atol=1e-4)


@pytest.mark.slow
def test_a_stream_comes_piece_by_piece(home):
    command = [sys.executable, "-m", "chainrule", "sample", str(home / "bytes"), "--prefix", "Die K", "--stream"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        pieces = []
        while piece := os.read(process.stdout.fileno(), 1 << 16):
            pieces.append(piece)
    assert process.returncode == 0
    assert len(pieces) > 1
    assert b"".join(pieces).startswith(b"Die K")


def test_a_character_is_shown_when_it_is_whole():
    heard = []
    stream = TextStream(Bytes(), 256, heard.append)
    for d, byte in enumerate([*"a€".encode(), 0xFF, 0xE2, 0x82]):
        stream(d, torch.tensor([byte]))
    assert heard == ["a", "€", "\ufffd"]
    stream.close()
    assert heard[3:] == ["\ufffd"]


@pytest.mark.parametrize("seed", range(20))
def test_all_pieces_together_are_the_decoded_text(seed):
    raw = np.random.default_rng(seed).choice([0x41, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0xFF], 30)
    heard = []
    stream = TextStream(Bytes(), None, heard.append)
    for d, byte in enumerate(raw):
        stream(d, torch.tensor([byte]))
    stream.close()
    assert "".join(heard) == bytes(raw.tolist()).decode(errors="replace")


def test_nothing_follows_the_end():
    heard = []
    stream = TextStream(Characters("ab"), 2, heard.append)
    for d, symbol in enumerate([0, 1, 2, 1]):
        stream(d, torch.tensor([symbol]))
    assert heard == ["a", "b"]


def test_a_bar_on_a_terminal_only(home, capsys, monkeypatch, tmp_path):
    arguments = ["sample", home / "rows", "-n", "2", "--out", tmp_path / "a.npy"]
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    assert run(capsys, *arguments)[2] == ""
    monkeypatch.setenv("FORCE_COLOR", "1")
    bar = run(capsys, *arguments)[2]
    assert "sampling" in bar
    assert "6/6" in bar


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["rows", "--stream"], "not samples of kind array"), (["bytes", "--stream", "-n", "3"], "not 3 examples")],
)
def test_what_cannot_be_streamed(home, capsys, arguments, words):
    code, out, err = run(capsys, "sample", home / arguments[0], *arguments[1:])
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1


def test_too_many_prefixes_are_refused_before_anything_is_drawn():
    model = AutoregressiveModel(CausalConv(3, 6, 8), CategoricalHead(8, 3))
    drawing = Drawing(8, seed=0, progress=silent, prefix=[[1]] * 9, group=3)
    with pytest.raises(InputError, match="9 prefixes for 8 examples"):
        drawing.stepping(model, False)


@pytest.mark.parametrize("count", [1, 3])
def test_in_parallel_passes_the_same_is_drawn(home, capsys, count):
    arguments = ["sample", home / "bytes", "-n", count, "--json", "--seed", "5"]
    _, plain, _ = run(capsys, *arguments)
    code, parallel, said = run(capsys, *arguments, "--parallel")
    assert code == 0
    assert json.loads(parallel)["text"] == json.loads(plain)["text"]
    assert np.allclose(json.loads(parallel)["log_prob"], json.loads(plain)["log_prob"], atol=1e-3)
    assert int(said.split()[0]) <= 48
    assert "passes for 48 steps" in said


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--prefix", "Die", "--top-k", "5"], marks=pytest.mark.slow),
        *[pytest.param(words, marks=pytest.mark.soak) for words in ([], ["--prefix", "Die"], ["--top-k", "5"])],
    ],
)
def test_with_a_compiled_step_the_same_is_drawn(home, capsys, arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path))
    asked = ["sample", home / "bytes", "-n", "2", *arguments, "--json"]
    plain, compiled, at_hand = (
        run(capsys, *asked, *more) for more in (["--no-compile"], ["--compile"], ["--length", "99"])
    )
    found = [json.loads(out) for _, out, _ in (plain, compiled, at_hand)]
    assert [each["compiled"] for each in found] == [False, True, False]  # 99 steps are not worth a look
    assert found[1]["text"] == found[0]["text"]
    assert np.allclose(found[1]["log_prob"], found[0]["log_prob"], atol=1e-3)
    longer = run(capsys, *asked, "--length", "300")
    assert json.loads(longer[1])["compiled"]
    assert "--no-compile takes the eager one" in longer[2]
    assert (
        json.loads(longer[1])["text"] == json.loads(run(capsys, *asked, "--length", "300", "--no-compile")[1])["text"]
    )


@pytest.mark.parametrize("more", [["--prefix", "a"], ["--top-k", "3"], ["--compile"], ["--stream"]])
def test_parallel_passes_are_of_whole_examples(home, capsys, more):
    code, _, said = run(capsys, "sample", home / "bytes", "-n", "1", *more, "--parallel")
    assert code == 2
    assert "--parallel draws whole examples" in said
    assert run(capsys, "sample", home / "names", "--parallel")[0] == 2
    for way in ([], ["--parallel"], ["--compile"]):
        assert "at least one example" in run(capsys, "sample", home / "bytes", "-n", "0", *way)[2]
