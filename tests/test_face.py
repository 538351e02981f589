"""The Python face: the verbs of the command line, under the same names, with the same options and defaults."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest

import chainrule as cr
from chainrule.cli.app import app

OF_THE_TERMINAL = {"json", "surplus"}  # how a command prints, and what is one word too many
OF_PYTHON = {"progress", "verbose", "group", "clock"}  # parameters that only a program can give
BY_ANOTHER_NAME = {"import": "import_model"}  # `import` is a word of Python
OF_A_RUN = {"evaluate", "sample", "score", "verify", "report", "probe", "classify", "info"}
COMMANDS = sorted(name for name in app() if not name.startswith("-"))
SUBFOLDERS = {path.name for path in Path(cr.__file__).parent.iterdir() if path.is_dir()}


def public(command):
    """What does in Python what a command does."""
    return getattr(cr.Run if command in OF_A_RUN else cr, BY_ANOTHER_NAME.get(command, command))


def options(function, without):
    taken = inspect.signature(function).parameters.values()
    given = {p.name: p.default for p in taken if p.name not in without and p.kind != p.VAR_KEYWORD}
    return {name: str(default) if isinstance(default, Path) else default for name, default in given.items()}


def test_one_list_makes_the_names_that_are_exported_and_listed():
    assert cr.__all__ == list(cr.PUBLIC)
    assert set(cr.__all__) <= set(dir(cr))
    for name, module in cr.PUBLIC.items():
        assert getattr(cr, name) is getattr(import_module(module), name)
        assert getattr(cr, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nothing'; it has load"):
        cr.nothing  # noqa: B018


def test_no_public_name_is_that_of_a_folder():
    assert not SUBFOLDERS & set(cr.__all__)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_a_public_function_with_the_same_options_and_defaults(command):
    typed = options(app()[command].default_command, {"run"} | OF_THE_TERMINAL)
    called = options(public(command), {"self", "run"} | OF_PYTHON)
    assert set(typed) == set(called)
    if command != "fit":  # where a default is None on the command line, that says: as the plan has it
        assert typed == called


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_given_by_keyword(command):
    parameters = inspect.signature(public(command)).parameters.values()
    by_position = [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert len(by_position) <= 2, by_position
