"""The one statement of each option, and what is made from it."""

import inspect
from dataclasses import fields
from pathlib import Path

import pytest

from chainrule.cli.app import app
from chainrule.config.defaults import DEFAULTS
from chainrule.config.option import options_of
from chainrule.config.options import FIT_OPTIONS, OPTIONS, checked, read_config
from chainrule.config.options_text import GROUPS, default_of, help_page, options_page
from chainrule.errors import InputError
from chainrule.runs.fit import fit
from chainrule.training.settings import TrainingSettings
from tests.support.command_line import run


def test_every_option_is_on_the_command_line_in_python_in_help_and_in_the_documentation():
    command = set(inspect.signature(app()["fit"].default_command).parameters) - {"source", "surplus", "json"}
    python = set(inspect.signature(fit).parameters) - {"source", "verbose", "clock"}
    assert command == python == {option.name for option in FIT_OPTIONS}
    for option in FIT_OPTIONS:
        assert f"  {option.flag}" in help_page()
        assert f"| `{option.flag}` |" in options_page()


def test_the_settings_of_training_are_options_with_the_same_defaults():
    settings = options_of(TrainingSettings)
    assert [option.name for option in settings] == TrainingSettings.names()
    assert set(settings) <= set(OPTIONS)
    assert all(vars(TrainingSettings())[option.name] == option.default for option in settings)


def test_the_defaults_of_each_kind_of_data_pass_their_checks():
    by_name = {option.name: option for option in OPTIONS}
    for defaults in DEFAULTS.values():
        for name, value in (defaults["network"] | defaults["training"]).items():
            if name in by_name:
                by_name[name].refuse_unless_valid(value)


def test_the_page_of_options_is_current():
    page = Path(__file__).parents[2] / "docs" / "options.md"
    assert page.read_text(encoding="utf-8") == options_page(), "run python docs/make_options.py"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_help_keeps_to_the_width_and_has_its_groups_in_order(width):
    page = help_page(width)
    assert max(map(len, page.splitlines())) <= width
    assert [line for line in page.splitlines() if line in GROUPS] == list(GROUPS)
    assert sum(option.common for option in FIT_OPTIONS) == 10
    assert page.index("Most used") < page.index("--minutes") < page.index("\nData")


def test_help_says_what_a_kind_of_data_has_by_default():
    assert default_of(next(option for option in OPTIONS if option.name == "steps")) == "image 700, text 2000, row 20000"


def test_a_second_source_is_not_taken_for_an_option(capsys):
    code, _, err = run(capsys, "fit", "digits", "causal_conv")
    assert code == 2
    assert "fit takes one DATA, got digits and causal_conv; options are given by name" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"steps": True}, "steps must be of type int, got True"),
        ({"steps": 2.5}, "steps must be of type int, got 2.5"),
        ({"seed": "one"}, "seed must be of type int, got 'one'"),
        ({"learning_rate": float("inf")}, "learning_rate must be positive, got inf"),
        ({"ema": 1.0}, "ema must be from 0 to below 1, got 1.0"),
        ({"optimizer": "adam"}, "optimizer must be adamw, muon or schedule_free, got adam"),
        ({"microbatch": "most"}, "microbatch must be a number from 1 on, or auto, got most"),
        ({"members": 0}, "members must be at least 1"),
        ({"minutes": -1.0}, "minutes must be positive, got -1.0"),
        ({"given": 3}, "given must be of type str, got 3"),
        ({"learing_rate": 0.1}, "unknown option 'learing_rate'; did you mean 'learning_rate'?"),
    ],
)
def test_values_are_checked_in_one_place(options, message):
    with pytest.raises(InputError) as error:
        checked(options)
    assert message in str(error.value)
    if options.keys() <= set(TrainingSettings.names()):
        with pytest.raises(InputError) as error:
            TrainingSettings(**options)
        assert message in str(error.value)


def test_what_is_none_was_not_given_and_whole_numbers_are_numbers():
    assert checked({"steps": None, "learning_rate": 1, "prior": {"head.*": "gaussian:1"}}) == {
        "learning_rate": 1,
        "prior": {"head.*": "gaussian:1"},
    }


def test_a_toml_file_has_the_same_options(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text('batch-size = 3\nshape = [2, 2]\nnetwork = {name = "made"}\n')
    assert read_config(path) == {"batch_size": 3, "shape": [2, 2], "network": {"name": "made"}}
    path.write_text("batch_sise = 3\n")
    with pytest.raises(InputError, match=f"unknown option in {path} 'batch_sise'"):
        read_config(path)


def test_options_are_in_one_group_each_and_named_once():
    names = [option.name for option in FIT_OPTIONS]
    assert len(names) == len(set(names))
    assert {option.group for option in FIT_OPTIONS} == set(GROUPS)
    assert len(fields(TrainingSettings)) == len(options_of(TrainingSettings))
