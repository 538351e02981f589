"""The command line in process: exit code, standard output, standard error."""

import json

from chainrule.cli.app import main


def run(capsys, *arguments):
    """What a command returns, prints and complains about."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def run_json(capsys, *arguments, code=0):
    """The one object that a command prints; it has to end with the code."""
    json_too = () if "--json" in arguments else ("--json",)
    ended, out, err = run(capsys, *arguments, *json_too)
    assert ended == code, err
    assert out.count("\n") == 1
    return json.loads(out)


def assert_refused(capsys, tmp_path, arguments, words):
    """A command ends with exit code 2 and one line that holds the words, prints nothing else and writes no file."""
    before = set(tmp_path.rglob("*"))
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert words in err
    assert set(tmp_path.rglob("*")) == before
