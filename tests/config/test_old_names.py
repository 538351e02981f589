"""Names of the version before: still read, with one line that says so."""

import json
import subprocess
import sys
import warnings
from importlib import import_module
from operator import attrgetter

import pytest

import chainrule
from chainrule.config.old_names import MODULES, NAMES, OPTIONS, with_new_flags, with_new_keys, with_new_options
from chainrule.runs.run import Run
from tests.support.command_line import run


@pytest.mark.parametrize("old", MODULES)
def test_modules_are_found_under_their_old_names(old):
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"^{old} is {MODULES[old]} now"):
        module = import_module(old)
    new = import_module(MODULES[old])
    public = [name for name in getattr(new, "__all__", ()) if name not in NAMES.get(old, {})]
    assert all(getattr(module, name) is getattr(new, name) for name in public)
    sys.modules.pop(old)


def test_modules_inside_a_package_that_moved_are_found():
    with pytest.warns(DeprecationWarning, match="verification"):
        module = import_module("chainrule.certificate.check")
    assert module.Certificate is import_module("chainrule.verification.certificate.check").Certificate


@pytest.mark.parametrize(("module", "name"), [(module, name) for module in NAMES for name in NAMES[module]])
def test_names_in_modules_are_found(module, name):
    place, _, new = NAMES[module][name].partition(":")
    sys.modules.pop(module, None) if module in MODULES else None
    with pytest.warns(DeprecationWarning, match="read by this version only"):
        found = getattr(import_module(module), name)
    assert found is attrgetter(new)(import_module(place))


def test_a_module_that_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        import_module("chainrule.nothing")
    with pytest.raises(AttributeError):
        chainrule.config.nothing  # noqa: B018


@pytest.mark.parametrize(("command", "old"), [(command, old) for command in OPTIONS for old in OPTIONS[command]])
def test_flags_have_their_new_names(command, old):
    flag, new = (f"--{name.replace('_', '-')}" for name in (old, OPTIONS[command][old]))
    with pytest.warns(FutureWarning, match=f"^{flag} is called {new} now"):
        assert with_new_flags([command, flag, "1"]) == [command, new, "1"]
    with pytest.warns(FutureWarning, match=new):
        assert with_new_flags([command, f"{flag}=1"]) == [command, f"{new}=1"]


def test_new_names_and_other_words_stay():
    assert with_new_flags(["fit", "average", "--ema", "0.9"]) == ["fit", "average", "--ema", "0.9"]
    assert with_new_flags([]) == []
    assert with_new_options({"ema": 0.9}) == {"ema": 0.9}


@pytest.mark.slow
def test_an_old_flag_and_an_old_toml_key_are_read_and_say_so(tmp_path, capsys):
    (tmp_path / "c.toml").write_text("average = 0.5\nsteps = 1\n")
    small = ["--width", "8", "--depth", "1", "--evaluate-every", "1"]
    given = {"a": ["--config", tmp_path / "c.toml"], "b": ["--average", "0.5", "--steps", "1"]}
    for name, words in given.items():
        with warnings.catch_warnings():
            warnings.simplefilter("default", FutureWarning)
            code, _, err = run(capsys, "fit", "digits", "--out", tmp_path / name, *words, *small)
        assert code == 0, err
        assert err.count("is called") == 1
    for name in ("a", "b"):
        assert json.loads((tmp_path / name / "config.json").read_text())["training"]["ema"] == 0.5


@pytest.mark.slow
def test_a_warning_is_one_line_on_standard_error(tmp_path):
    command = [sys.executable, "-m", "chainrule", "fit", "nothing", "--average", "0.5"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 2
    assert (
        ended.stderr.splitlines()[0]
        == "warning: --average is called --ema now; the old name is read by this version only"
    )


def test_a_configuration_keeps_its_identity_under_its_old_names(tmp_path):
    config = {
        "format": 1,
        "data": {"options": {"average": 1}},
        "protocol": {},
        "model": {},
        "training": {"average": 0.9},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    old = Run.open(tmp_path)
    assert old.config["training"] == {"ema": 0.9}
    assert old.identity == Run(config).identity  # in memory: of the names as they are here
    assert with_new_keys(config)["protocol"] == {}
