"""Data and results through pipes, and places that cannot be written."""

import gzip
import io
import os
import sys
import threading
import zlib

import pytest

from chainrule.cli.app import main
from tests.support.command_line import run, run_json

QUICK = ("--steps", "1", "--evaluate-every", "1", "--width", "8", "--depth", "1")
TABLE = ("a,b\n" + "".join(f"{k % 3},{k % 5}\n" for k in range(60))).encode()
NOWHERE = "/proc/no"  # can be written by nobody, not even by root
PRINTING = {
    "info": (),
    "evaluate": (),
    "sample": (),
    "score": ("t.csv",),
    "verify": ("--quick",),
    "report": (),
    "compare": ("run-b",),
    "probe": ("--labels", "labels.txt", "--folds", "3"),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("pipes")
    (home / "t.csv").write_bytes(TABLE)
    (home / "labels.txt").write_text("a\nb\n" * 3)
    for name in ("run", "run-b"):
        seed = str(len(name))
        assert main(["fit", str(home / "t.csv"), "--out", str(home / name), "--seed", seed, *QUICK]) == 0
    return home


@pytest.fixture
def pipe(tmp_path):
    """Makes a named pipe into which the content is written once."""
    writers = []

    def make(name, content):
        path = tmp_path / name
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
        writer.start()
        writers.append(writer)
        return path

    yield make
    for writer in writers:
        writer.join(timeout=20)
        assert not writer.is_alive(), "nobody has read the pipe"


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("command", PRINTING)
def test_a_reader_that_has_seen_enough_ends_the_command_quietly(home, command, json, monkeypatch, capfd):
    """As `| head -1` does, with the reader gone before the first line."""
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.chdir(home)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        code = main([command, str(home / "run"), *PRINTING[command], *(("--json",) if json else ())])
    complaint = capfd.readouterr().err
    assert code in (0, 141), complaint
    assert "Traceback" not in complaint
    assert "error:" not in complaint


def test_help_for_a_reader_that_has_seen_enough(monkeypatch, capfd):
    for words in ([], ["--help"], ["fit", "--help"], ["info"]):
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w") as out:
            monkeypatch.setattr(sys, "stdout", out)
            assert main(words) in (0, 141)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv", "gz.csv"])
def test_a_table_that_comes_packed_through_a_pipe(home, pipe, capsys, name):
    direct = run_json(capsys, "score", home / "run", home / "t.csv")["log_prob"]
    packed = pipe(name, TABLE if name == "t.csv" else gzip.compress(TABLE))
    assert run_json(capsys, "score", home / "run", packed)["log_prob"] == direct


def test_a_packed_table_from_standard_input(home, capsys, monkeypatch):
    direct = run_json(capsys, "score", home / "run", home / "t.csv")["log_prob"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TABLE))))
    assert run_json(capsys, "score", home / "run", "-")["log_prob"] == direct


def test_scores_that_come_through_pipes_are_compared(home, pipe, tmp_path, capsys):
    for name in ("run", "run-b"):
        assert run(capsys, "score", home / name, home / "t.csv", "--out", tmp_path / f"{name}.csv")[0] == 0
    files = [tmp_path / "run.csv", tmp_path / "run-b.csv"]
    direct = run_json(capsys, "compare", *files)["comparisons"][0]
    pipes = [pipe(f"pipe-of-{file.name}", file.read_bytes()) for file in files]
    piped = run_json(capsys, "compare", *pipes)["comparisons"][0]
    assert piped["difference"] == direct["difference"]
    assert piped["examples"] == direct["examples"]


@pytest.mark.parametrize(
    "words",
    [
        ("sample", "run", "--out", f"{NOWHERE}/s.csv"),
        ("score", "run", "t.csv", "--out", f"{NOWHERE}/s.csv"),
        ("report", "run", "--out", f"{NOWHERE}/r.html"),
        ("evaluate", "run", "--save", f"{NOWHERE}/e.csv"),
        ("fit", "t.csv", "--out", f"{NOWHERE}/run", *QUICK),
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_written_is_named(home, words, monkeypatch, capsys):
    monkeypatch.chdir(home)
    code, _, err = run(capsys, *words)
    assert (code, err.count("\n")) == (2, 1), err
    assert NOWHERE in err


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_is_named_or_not_used(home, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CHAINRULE_CACHE", NOWHERE)
    (tmp_path / "a.txt").write_text("the quick brown fox\n" * 50)
    code, _, err = run(capsys, "fit", tmp_path / "a.txt", "--out", tmp_path / "run", "--symbols", "bpe:260", *QUICK)
    assert code == 0 or NOWHERE in err
    assert "Traceback" not in err


@pytest.mark.parametrize("command", [("score", "run", "t.csv"), ("evaluate", "run"), ("compare", "run", "run-b")])
def test_a_batch_of_any_size_holds_what_there_is(home, command, monkeypatch, capsys):
    monkeypatch.chdir(home)
    usual, large = (run_json(capsys, *command, *more) for more in ((), ("--batch-size", str(10**12))))
    assert usual.keys() == large.keys()


def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path, capsys):
    """The file says 20000 x 20000 and holds next to nothing, so that it was not decoded."""
    from PIL import Image

    for k in range(3):
        Image.new("L", (8, 8)).save(tmp_path / f"{k}.png")
        content = bytearray((tmp_path / f"{k}.png").read_bytes())
        content[16:24] = (20_000).to_bytes(4, "big") * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
        (tmp_path / f"{k}.png").write_bytes(content)
    code, _, err = run(capsys, "fit", tmp_path, "--out", tmp_path / "run", *QUICK)
    assert (code, err.count("\n")) == (2, 1), err
    assert "pixels" in err
