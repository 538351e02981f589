"""The page of results: rows from records, and what it says of old, missing and failed ones."""

import json

import pytest

from chainrule.errors import InputError
from chainrule.reproduction.recipe import Published, Recipe
from chainrule.reproduction.results import read_records, results_page

COIN = Recipe(
    "coin",
    "ten throws",
    "nats/example",
    "",
    options={"width": 3},
    minutes=2.0,
    published=(Published(6.9, "fair", "by hand", checked=False),),
)
DIE = Recipe("die", "a die", "nats/example", "")


def record(**changes):
    made = {
        "recipe": "coin",
        "title": "ten throws",
        "unit": "nats/example",
        "figure": 6.5,
        "standard_error": 0.2,
        "interval_95": [6.108, 6.892],
        "also": {},
        "goal": {"figure": 6.9, "met": True, "standard_errors_below": 2.0},
        "certificate": {"passed": True, "failed": []},
        "baselines": {
            "Markov chain": {
                "how": "static",
                "unit": "nats/example",
                "figure": 6.8,
                "standard_error": 0.21,
                "gain": 0.3,
                "gain_standard_error": 0.05,
            }
            | {"gain_interval_95": [0.2, 0.4], "better_on": 0.75},
            "gzip": {"how": "adaptive", "unit": "nats/example", "figure": 9.0},
        },
        "training": {"seconds": 120.0, "steps": 50, "kept_step": 40},
        "options": {"width": 3},
        "budget_minutes": 2.0,
        "processor_seconds": 90.0,
        "parameters": 1234,
        "machine": {"model": "a processor", "cores": 2, "threads": 2},
        "load": [[1.0, 0.5, 0.2], [2.0, 1.0, 0.4]],
        "versions": {"torch": "2.13.0"},
        "git": {"commit": "0123456789abcdef", "dirty": False},
    }
    return made | changes


def rows(page, name):
    return [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]


def test_a_record_is_a_row():
    page = results_page([COIN, DIE], {"coin": record()}, lambda commit: True)
    figures, markov, gzip, effort, published = rows(page, "coin")
    assert "**6.50 ± 0.20**" in figures
    assert "| 6.108 to 6.892 | reached, by 2.0 standard errors | passed | 0123456 |" in figures
    assert "| Markov chain | nats/example | 6.80 ± 0.21 | 0.300 ± 0.050 | 0.2 to 0.4 | 75% |" in markov
    assert "gzip (adaptive) | nats/example | 9 |  |  |  |" in gzip
    assert "| 2 | 2.0 | 1.5 | 40 of 50 | 1,234 | a processor, 2 of 2 threads | 1 to 2 | torch 2.13.0 |" in effort
    assert "6.9 fair [1]\\*" in published
    assert "| 6.9 | fair\\* |" in figures
    assert "\n1. by hand\n" in page
    assert "Not reproduced yet: `die`." in page


@pytest.mark.parametrize(
    ("current", "dirty", "said"),
    [
        (True, False, "0123456 |"),
        (False, False, "0123456 (older sources) |"),
        (None, False, "0123456 |"),
        (False, True, "0123456 (with changes, older sources) |"),
    ],
)
def test_a_record_of_other_sources_is_shown_as_such(current, dirty, said):
    made = record(git={"commit": "0123456789abcdef", "dirty": dirty})
    assert said in rows(results_page([COIN], {"coin": made}, lambda commit: current), "coin")[0]


@pytest.mark.parametrize("other", [{"options": {"width": 4}}, {"budget_minutes": 3.0}])
def test_a_record_of_another_recipe_or_a_resumed_one_is_shown_as_such(other):
    made = record(resumed=True, **other)
    assert "0123456 (older recipe, resumed) |" in rows(results_page([COIN], {"coin": made}), "coin")[0]


def test_a_gain_over_an_impossible_baseline_is_left_open():
    other = record()["baselines"]["Markov chain"] | {"gain": None, "gain_standard_error": None, "figure": None}
    page = results_page([COIN], {"coin": record(baselines={"Markov chain": other})})
    assert "| Markov chain | nats/example | infinite |  |  |  |" in rows(page, "coin")[1]


def test_a_missed_goal_a_failed_certificate_and_no_goal_are_said():
    missed = record(goal={"figure": 6.0, "met": False, "standard_errors_below": -2.5})
    assert "**missed**, by 2.5 standard errors" in rows(results_page([COIN], {"coin": missed}), "coin")[0]
    failed = record(certificate={"passed": False, "failed": ["normalisation.steps"]})
    assert "FAILED: normalisation.steps" in rows(results_page([COIN], {"coin": failed}), "coin")[0]
    assert "| nothing to compare with |" in rows(results_page([COIN], {"coin": record(goal=None)}), "coin")[0]


def test_other_units_have_a_table_of_their_own():
    also = {"bits/example": {"figure": 9.4, "standard_error": 0.3}}
    page = results_page([COIN], {"coin": record(also=also)})
    assert "| `coin` | bits/example | 9.40 ± 0.30 |" in page
    assert "counted otherwise" not in results_page([COIN], {"coin": record()})


def test_records_are_read_and_what_is_none_is_refused(tmp_path):
    (tmp_path / "coin.json").write_text(json.dumps(record()))
    assert read_records(tmp_path)["coin"]["figure"] == 6.5
    assert read_records(tmp_path / "absent") == {}
    (tmp_path / "odd.json").write_text("[1, 2")
    with pytest.raises(InputError, match=r"odd\.json: is not a record"):
        read_records(tmp_path)


def test_a_record_of_the_version_before_is_read_under_the_names_of_today(tmp_path):
    old = record(options={"blocks": 2}, settings={"average": 0.99}, asked={"blocks": 2})
    (tmp_path / "coin.json").write_text(json.dumps(old))
    read = read_records(tmp_path)["coin"]
    assert read["options"] == read["asked"] == {"pixel_block": 2}
    assert read["settings"] == {"ema": 0.99}
