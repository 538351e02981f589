"""Ordinary input that is odd: it is read, or refused in one line; the run never loses what was computed."""

import io
import json
import os
import sys
import threading

import numpy as np
import pytest

import chainrule as cr
from chainrule import InputError
from chainrule.baselines import KneserNey
from chainrule.cli.app import main
from chainrule.data import load
from tests.support.command_line import run, run_json

QUICK = ("--steps", "1", "--evaluate-every", "1", "--width", "8", "--depth", "1")
ROWS = "".join(f"{k % 3},{k % 5}\n" for k in range(60))


@pytest.fixture(scope="module")
def words_run(tmp_path_factory):
    """A run on documents of two letters, as the command line leaves it."""
    home = tmp_path_factory.mktemp("words")
    (home / "words.txt").write_text("DE\nFR\nIT\n" * 20)
    assert main(["fit", str(home / "words.txt"), "--out", str(home / "run"), *QUICK]) == 0
    return home


def test_documents_shorter_than_an_n_gram_have_all_baselines(words_run):
    report = json.loads((words_run / "run" / "report.json").read_text())
    assert {"independent elements", "Markov chain", "Kneser-Ney 5-gram", "xz"} <= set(report["baselines"])
    assert "baselines_left_out" not in report


def test_a_baseline_that_fails_is_left_out_and_said(words_run, tmp_path, capsys, monkeypatch):
    def fail(*arguments, **options):
        raise ZeroDivisionError("no [bold]counts[/]")

    monkeypatch.setattr(KneserNey, "fit", fail)
    code, out, err = run(capsys, "fit", words_run / "words.txt", "--out", tmp_path / "run", *QUICK)
    assert (code, err.count("error")) == (0, 0)
    assert "the baseline Kneser-Ney 5-gram is left out: ZeroDivisionError: no [bold]counts[/]" in out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert set(report["baselines_left_out"]) == {"Kneser-Ney 5-gram"}
    assert {"Markov chain", "xz"} <= set(report["baselines"])
    assert report["results"]["test"]["examples"] > 0


def test_names_of_columns_are_never_markup(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("pulse [/min],[bold]\n" + ROWS)
    assert run(capsys, "fit", tmp_path / "t.csv", "--out", tmp_path / "run", *QUICK)[0] == 0
    code, out, _ = run(capsys, "evaluate", tmp_path / "run")
    assert code == 0
    assert "pulse [/min]" in out
    assert "[bold]" in out


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_of_few_characters(words_run, monkeypatch, encoding):
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", out)
    for words in (("info",), ("info", str(words_run / "run")), ("evaluate", str(words_run / "run")), ("fit", "--help")):
        assert main(list(words)) == 0
    out.flush()
    assert ("+-" if encoding == "ascii" else "±") in out.buffer.getvalue().decode(encoding)


def test_lines_of_any_end_are_the_same_documents(tmp_path):
    found = []
    for name, end in (("unix", "\n"), ("windows", "\r\n"), ("old", "\r")):
        (tmp_path / f"{name}.txt").write_bytes(end.join(["Anna", "Bert", "Cleo"] * 10 + [""]).encode())
        found.append(load(str(tmp_path / f"{name}.txt"), documents="line"))
    assert {len(data.train) + len(data.valid) + len(data.test) for data in found} == {30}
    assert len({data.digest() for data in found}) == 1


@pytest.mark.parametrize("documents", ["", "\\", "\\u2014"])
def test_a_separator_that_is_none(tmp_path, documents):
    (tmp_path / "a.txt").write_text("one two\n" * 40)
    with pytest.raises(InputError, match="--documents is line, file, stream or a separator"):
        load(str(tmp_path / "a.txt"), documents=documents)


def test_arrays_of_another_machine_are_the_same_data(tmp_path):
    x = np.random.default_rng(0).integers(0, 300, (60, 4))
    for kind in ("i4", "u2", "f8"):
        digests = set()
        for order in "<>":
            np.save(tmp_path / "a.npy", x.astype(order + kind))
            data = load(str(tmp_path / "a.npy"))
            data.train.batch(np.arange(3))
            digests.add(data.digest())
        assert len(digests) == 1


def test_halves_of_characters_in_a_list_are_read_as_in_json_lines(tmp_path):
    texts = [f"lone \ud800 {k % 4}" for k in range(40)] + [f"no UTF-8 \udcff {k % 4}" for k in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    assert load(texts).digest() == load(str(tmp_path / "a.jsonl")).digest()
    with pytest.raises(InputError, match="is not UTF-8"):
        load(texts, symbols="characters")


def test_numbers_of_articles_are_names(tmp_path):
    articles = [4006381333931 + 17 * k for k in range(9)]
    baskets = [[[articles[n % 9]], sorted({articles[n % 4], articles[n % 7]})] for n in range(60)]
    data = load(baskets)
    assert data.encoding.keys == tuple(articles)
    sequences = [[articles[n % 9], articles[n % 5]] for n in range(60)]  # of one length, as an array has
    data = load(sequences)
    assert data.encoding.symbols == tuple(articles)
    (tmp_path / "a.json").write_text(json.dumps(baskets))
    assert load(str(tmp_path / "a.json")).encoding.keys == tuple(articles)
    with pytest.raises(InputError, match="number the values that occur"):
        load(np.array(sequences))


def test_keys_of_a_piano_are_all_from_the_lowest_to_the_highest():
    assert load([[[60, 64], [67 + n % 3]] for n in range(60)]).encoding.keys == tuple(range(60, 70))


@pytest.mark.parametrize("documents", ["stream", "line"])
def test_a_window_is_no_longer_than_the_data(tmp_path, documents):
    (tmp_path / "a.txt").write_text("a line\n" * 100)
    data = load(str(tmp_path / "a.txt"), window=100_000, stride=50_000, documents=documents)
    assert data.encoding.window <= 700
    assert data.encoding.stride <= data.encoding.window
    assert data.encoding.domain.length == data.encoding.window


def test_more_than_memory_holds_is_refused(words_run, tmp_path, capsys):
    code, _, err = run(capsys, "sample", words_run / "run", "-n", 10**12)
    assert (code, err.count("\n")) == (2, 1)
    assert "draw fewer at a time" in err
    options = ("--steps", "1", "--depth", "1", "--width", "1000000")
    code, _, err = run(capsys, "fit", words_run / "words.txt", "--out", tmp_path / "run", *options)
    assert (code, err.count("\n")) == (2, 1)
    assert "take a smaller --width" in err
    assert not (tmp_path / "run").exists()


def test_memory_that_runs_out_is_said(capsys, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr("chainrule.cli.app.app", fail)
    code, _, err = run(capsys, "info")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("error: out of memory")


def test_a_run_on_an_object_says_that_it_keeps_no_labels(tmp_path):
    x = np.random.default_rng(0).integers(0, 2, (60, 4))
    fitted = cr.fit(x, width=8, steps=1, evaluate_every=1)
    with pytest.raises(InputError, match="keeps no labels; give them with labels="):
        fitted.probe()
    saved = cr.Run.open(fitted.save(tmp_path / "run").path)
    with pytest.raises(InputError, match=r"the array: .* Python object, .* run.with_data"):
        saved.evaluate()
    np.save(tmp_path / "x.npy", x)
    on_file, again = saved.moved(tmp_path / "x.npy"), saved.with_data(cr.load(x))
    assert on_file.evaluate().to_json() == again.evaluate().to_json()


def test_every_command_that_reads_data_reads_a_pipe(words_run, tmp_path, capsys):
    content = (words_run / "words.txt").read_bytes()
    direct = run_json(capsys, "score", words_run / "run", words_run / "words.txt")["log_prob"]
    for command in ("score", "evaluate"):
        pipe = tmp_path / f"{command}.txt"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(content,))
        writer.start()
        result = run_json(capsys, command, words_run / "run", pipe)
        writer.join()
        assert result.get("log_prob", direct) == direct
        assert result["examples"] == len(direct)
