"""Errors that nobody foresaw, and standard output that cannot be written."""

import io
import os
import subprocess
import sys
from errno import ENOSPC
from pathlib import Path

import pytest

from chainrule.cli import app
from chainrule.errors import OutputError, RunError
from chainrule.reporting.console import Console, Terminal
from chainrule.runs.stored import StoredRun
from tests.support.command_line import run


@pytest.fixture
def broken(monkeypatch):
    def fail(*arguments, **options):
        raise KeyError("a [bold]fault[/]\nof two lines")

    monkeypatch.setattr(app, "app", fail)


def test_it_is_one_line_a_file_and_a_code(broken, capsys):
    code, out, err = run(capsys, "info")
    assert (code, out) == (70, "")
    assert err.count("\n") == 1
    assert "please report it" in err
    file = Path(err.partition("the traceback is in ")[2].partition(",")[0])
    assert "Traceback" in file.read_text()
    assert "in fail" in file.read_text()
    file.unlink()


def test_with_debug_the_traceback_is_shown(broken, capsys):
    with pytest.raises(KeyError):
        run(capsys, "info", "--debug")


def command(*words):
    return [sys.executable, "-m", "chainrule", *words]


def environment():
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", [("info",), ("--help",), ("fit", "--help")], ids=" ".join)
def test_a_full_standard_output_is_said_in_one_line(words):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command(*words), stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False
        )
    assert done.returncode == 74, done.stderr
    assert done.stderr.startswith("error: standard output cannot be written")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_closed_pipe_ends_it_in_silence():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        command("info"), stdout=writing, stderr=subprocess.PIPE, text=True, env=environment(), check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


class Full(io.StringIO):
    def write(self, text):
        raise OSError(ENOSPC, "No space left on device")


def test_output_that_fails_is_told_from_files_that_fail():
    stored = StoredRun({})
    with pytest.raises(OutputError, match="No space"), stored.writing():
        Console(console=Terminal(file=Full())).print("a line")
    with pytest.raises(RunError, match="go on with --resume"), stored.writing():
        Full().write("a line")


@pytest.mark.slow
@pytest.mark.parametrize(("closed", "code"), [(True, 141), (False, 74)], ids=["closed pipe", "full disk"])
def test_output_that_fails_while_a_run_is_written_is_no_fault_of_the_run(tmp_path, closed, code):
    """Where lines are shown as they come, as in a pipe of which only the first lines are read."""
    reading, writing = os.pipe()
    os.close(reading)
    place = writing if closed else os.open("/dev/full", os.O_WRONLY)
    words = ["fit", "digits", "--out", str(tmp_path / "run"), "--steps", "1", "--width", "8", "--depth", "1"]
    unbuffered = environment() | {"PYTHONUNBUFFERED": "1"}
    done = subprocess.run(command(*words), stdout=place, stderr=subprocess.PIPE, text=True, env=unbuffered, check=False)
    os.close(place)
    assert done.returncode == code, done.stderr
    assert "--resume" not in done.stderr
