"""Recipes: each of them runs, and what they prepare and measure is right."""

import doctest
import json
import runpy
import sys
from itertools import chain, combinations

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.data import SequenceExamples
from chainrule.errors import InputError
from chainrule.reproduction.recipe import Published, Recipe, chosen, data_directory, find_recipes, recipe_folder
from tests.support.command_line import run, run_json

FAMILIES = find_recipes()
EVERY = [recipe for recipes in FAMILIES.values() for recipe in recipes]
MUSIC = sys.modules["recipes.music"]


def with_data(recipe):
    """Skip the test where the recipe's data is absent."""
    try:
        place = data_directory() if recipe.files else None
    except InputError as error:
        pytest.skip(str(error))
    for file in recipe.files:
        if not (place / file).exists():
            pytest.skip(f"{recipe.name} reads {file}, which is not in {place}; set CHAINRULE_DATA")


def tier(recipe):
    """The digits by default, the first recipe of every second family in the slow tier, the others in the soak."""
    if recipe.name == "digits":
        return []
    first = [recipes[0] for recipes in FAMILIES.values()]
    return pytest.mark.slow if recipe in first[::2] else pytest.mark.soak


@pytest.mark.parametrize("recipe", [pytest.param(r, id=r.name, marks=tier(r)) for r in EVERY])
def test_every_recipe_runs(recipe, capsys, tmp_path):
    with_data(recipe)
    printed = run_json(capsys, "reproduce", recipe.name, "--smoke", "--out", tmp_path)
    record = json.loads((tmp_path / recipe.name / "record.json").read_text())
    assert printed == {"records": [record], "failed": []}
    assert record["smoke"]
    assert record["certificate"]["passed"]
    assert record["unit"] == recipe.unit
    low, high = record["interval_95"]
    assert 0 < low < record["figure"] < high
    assert record["settings"]["steps"] == 2
    assert record["test"]["impossible"] == 0
    paired = {name: other for name, other in record["baselines"].items() if "gain" in other}
    assert paired or "given" in recipe.options  # a baseline knows nothing of conditions
    for other in paired.values():
        if recipe.measure is None:  # the gain is the difference of the two figures
            assert other["gain"] == pytest.approx(other["figure"] - record["figure"], rel=1e-6, abs=1e-9)
    told = json.dumps(record)
    assert str(tmp_path) not in told
    assert "/home" not in told


@pytest.mark.slow
def test_a_recipe_is_a_program(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["recipes/digits.py", "--smoke", "--out", str(tmp_path), "--json"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(recipe_folder() / "digits.py"), run_name="__main__")
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["records"][0]["recipe"] == "digits"


@pytest.mark.slow
def test_a_smoke_test_leaves_records_and_table_alone(capsys, tmp_path, monkeypatch):
    from chainrule.reproduction import reproduce, run_recipe

    for module in (reproduce, run_recipe):
        monkeypatch.setattr(module, "records_folder", lambda: tmp_path / "checkout" / "records")
    run_json(capsys, "reproduce", "digits", "--smoke", "--out", tmp_path / "runs")
    assert not (tmp_path / "checkout").exists()


@pytest.mark.slow
def test_a_whole_recipe_writes_record_and_table_and_goes_on_where_it_was(capsys, tmp_path, monkeypatch):
    from chainrule.reproduction import reproduce, run_recipe

    np.savez(tmp_path / "coins.npz", **{s: np.eye(6, 4, dtype=int) for s in ("train", "valid", "test")})
    quick = {"steps": 4, "evaluate_every": 2, "width": 8, "depth": 2, "network": "causal_conv"}
    coins = Recipe(
        "coins", "coins", "nats/row", "coins.npz", ("coins.npz",), quick, None, (Published(2.0, "fair", "by hand"),)
    )
    monkeypatch.setattr(reproduce, "find_recipes", lambda: {"coins": (coins,)})
    for module in (reproduce, run_recipe):
        monkeypatch.setattr(module, "records_folder", lambda: tmp_path / "records")
    asked = ("reproduce", "coins", "--data", tmp_path, "--out", tmp_path / "runs")
    first = run_json(capsys, *asked)["records"][0]
    assert json.loads((tmp_path / "records" / "coins.json").read_text()) == first
    assert first["goal"] == {"figure": 2.0} | {k: first["goal"][k] for k in ("met", "standard_errors_below")}
    assert first["goal"]["met"] == (first["figure"] <= 2.0)
    page = (tmp_path / "docs" / "results.md").read_text()
    assert "| `coins` | coins | nats/row | 2 | fair |" in page
    code, _, err = run(capsys, *asked)
    assert code == 2
    assert "--resume" in err
    again = run_json(capsys, *asked, "--resume")["records"][0]
    for name in ("figure", "standard_error", "seconds", "processor_seconds", "training", "baselines"):
        assert again[name] == first[name]
    run_json(capsys, *asked[:-1], tmp_path / "other", "--seed", "3")
    assert json.loads((tmp_path / "records" / "coins.json").read_text())["settings"]["seed"] == 0
    code, _, err = run(capsys, *asked, "--resume", "--seed", "3")
    assert code == 2
    assert "is finished, with options" in err


def test_an_ensemble_has_a_record_too(capsys, tmp_path, monkeypatch):
    from chainrule.reproduction import reproduce, run_recipe

    np.savez(tmp_path / "coins.npz", **{s: np.eye(6, 4, dtype=int) for s in ("train", "valid", "test")})
    quick = {"steps": 2, "evaluate_every": 2, "width": 8, "depth": 2, "network": "causal_conv", "members": 2}
    coins = Recipe("coins", "coins", "nats/row", "coins.npz", ("coins.npz",), quick, None)
    monkeypatch.setattr(reproduce, "find_recipes", lambda: {"coins": (coins,)})
    for module in (reproduce, run_recipe):
        monkeypatch.setattr(module, "records_folder", lambda: tmp_path / "records")
    (record,) = run_json(capsys, "reproduce", "coins", "--data", tmp_path, "--out", tmp_path / "runs")["records"]
    assert record["model"]["members"] == 2
    assert record["training"]["seconds"] > 0
    assert record["goal"] is None
    assert record["certificate"]["passed"]
    assert "nothing to compare with" in (tmp_path / "docs" / "results.md").read_text()


def test_an_interrupted_recipe_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    from chainrule.errors import Interrupted
    from chainrule.reproduction import run_recipe

    def interrupted(*_, **__):
        raise Interrupted("interrupted at step 3; step 3 is saved; go on with: chainrule fit --resume --out x", 130)

    monkeypatch.setattr(run_recipe, "fit_plan", interrupted)
    code, _, err = run(capsys, "reproduce", "digits", "--minutes", "0.5", "--out", tmp_path)
    assert code == 130
    assert f"go on with: chainrule reproduce digits --resume --out {tmp_path} --minutes 0.5" in err


def test_errors_say_what_to_do(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv("CHAINRULE_DATA", raising=False)
    code, _, err = run(capsys, "reproduce", "digitz")
    assert code == 2
    assert "unknown recipe 'digitz'; did you mean 'digits'?" in err
    code, _, err = run(capsys, "reproduce", "names", "--data", tmp_path)
    assert code == 2
    assert f"the recipe names reads names/names.txt, which is not in {tmp_path}" in err
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path / "absent"))
    code, _, err = run(capsys, "reproduce", "names")
    assert code == 2
    assert "absent: there is no such directory of data (CHAINRULE_DATA)" in err


@pytest.mark.slow
def test_of_several_recipes_one_without_data_does_not_stop_the_others(capsys, tmp_path):
    out = tmp_path / "runs"
    asked = ("reproduce", "names", "digits", "--smoke", "--data", tmp_path, "--out", out)
    printed = run_json(capsys, *asked, code=1)
    assert printed["failed"] == ["names"]
    assert [record["recipe"] for record in printed["records"]] == ["digits"]


def test_without_a_name_all_recipes_are_listed(capsys):
    listed = run_json(capsys, "reproduce")["recipes"]
    assert {name for names in listed.values() for name in names} == {recipe.name for recipe in EVERY}
    assert listed["debd"] == [recipe.name for recipe in FAMILIES["debd"]]


def test_a_family_is_its_recipes():
    assert chosen(["debd", "debd_nltcs"], FAMILIES) == list(FAMILIES["debd"])


def test_two_recipes_of_one_name_are_refused(tmp_path):
    text = "from chainrule.reproduction.recipe import Recipe\nRECIPES = (Recipe('one', '', '', ''),)\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text(text)
    with pytest.raises(InputError, match="two recipes named 'one'"):
        find_recipes(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_docstrings_of_recipes_run(family):
    assert doctest.testmod(sys.modules[f"recipes.{family}"]).failed == 0


def test_the_goal_is_the_best_comparable_figure():
    figures = (Published(3.0, "a", ""), Published(2.0, "b", "", comparable=False), Published(2.5, "c", ""))
    assert Recipe("x", "", "", "", published=figures).aim == 2.5
    assert Recipe("x", "", "", "", published=figures, goal=2.2).aim == 2.2
    assert Recipe("x", "", "", "").aim is None


def test_a_piece_and_its_tokens_are_one_to_one():
    piece = [[64, 60], [], [61], []]
    assert MUSIC.tokens(piece) == [60, 64, ".", ".", 61, ".", "."]
    steps = " ".join(map(str, MUSIC.tokens(piece))).split(".")[:-1]
    assert [sorted(step) for step in piece] == [[int(key) for key in step.split()] for step in steps]


def test_a_piece_and_its_changes_are_one_to_one():
    piece = [[64, 60], [60, 64], [], [61], []]
    written = MUSIC.changes(piece, shift=1)
    assert written == [61, 65, ".", ".", -61, -65, ".", 62, ".", -62, "."]
    sounding, steps = set(), []
    for token in written:
        if token == ".":
            steps.append(sorted(key - 1 for key in sounding))
        else:
            (sounding.add if token > 0 else sounding.remove)(abs(token))
    assert steps == [sorted(step) for step in piece]


def test_music_is_transposed_in_training_only_and_stays_on_the_keyboard(tmp_path):
    pieces = {"train": [[[60, 64]], [[21], [108]], [[25]]], "valid": [[[60]]], "test": [[[64], []]]}
    (tmp_path / "songs.json").write_text(json.dumps(pieces))
    made = json.loads(MUSIC.prepared(tmp_path / "songs.json"))
    assert made["valid"] == [[60, "."]]
    assert made["test"] == [[64, ".", "."]]
    first = [piece for piece in made["train"] if len(piece) == 3]
    assert sorted(first) == [[60 + k, 64 + k, "."] for k in range(-5, 7)]
    assert made["train"].count([21, ".", 108, "."]) == 1
    assert sorted(p for p in made["train"] if len(p) == 2) == [[25 + k, "."] for k in range(-4, 7)]
    pieces["test"] = [[[90]]]
    (tmp_path / "songs.json").write_text(json.dumps(pieces))
    with pytest.raises(InputError, match=r"keys \[90\] occur in valid or test alone"):
        MUSIC.prepared(tmp_path / "songs.json")


KEYS = 3  # symbols 0, 1, 2, and 3 for the end of a step


def little_model(window):
    torch.manual_seed(1)
    model = AutoregressiveModel(CausalConv(KEYS + 1, window, width=8), CategoricalHead(8, KEYS + 1)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return model


def nats_of_steps(model, pieces, window):
    examples = SequenceExamples.of([np.array(piece) for piece in pieces], window, window // 2)
    return examples, (MUSIC.token_nats(model, examples), MUSIC.token_nats(model, examples, ruled=KEYS))


def test_over_the_sets_of_two_steps_the_ruled_probabilities_sum_to_one():
    sets = list(chain.from_iterable(combinations(range(KEYS), n) for n in range(KEYS + 1)))
    pieces = [[*a, KEYS, *b, KEYS] for a in sets for b in sets]
    examples, (free, ruled) = nats_of_steps(little_model(8), pieces, 8)
    totals = [np.add.reduceat(nats, examples.start[:-1]) for nats in (free, ruled)]
    free_mass, ruled_mass = (np.exp(nats).sum() for nats in totals)
    assert ruled_mass == pytest.approx(1, abs=1e-9)
    assert free_mass < 0.99  # what strings that do not ascend take


def test_nats_a_step_by_both_conventions():
    pieces = [[0, 2, KEYS, KEYS, 1, KEYS], [KEYS, 2, KEYS]]
    model = little_model(8)
    examples, (free, _) = nats_of_steps(model, pieces, 8)
    by_hand = []
    for piece in pieces:
        with torch.no_grad():
            by_hand.append(model.element_log_prob(torch.tensor([piece]))[0].numpy())
    assert free == pytest.approx(np.concatenate(by_hand))
    every = MUSIC.per_step(free, examples, KEYS, first=0)
    later = MUSIC.per_step(free, examples, KEYS, first=1)
    assert every.value == pytest.approx(-(by_hand[0].sum() + by_hand[1].sum()) / 5)
    a, b = by_hand[0][3:].sum(), by_hand[1][1:].sum()
    assert later.value == pytest.approx(-(a + b) / 3)
    r = (a + b) / 3  # the standard error of a ratio of two pieces with 2 and 1 steps
    assert later.standard_error == pytest.approx(np.sqrt(2 * ((a - 2 * r) ** 2 + (b - r) ** 2)) / 3)


def test_tokens_of_long_pieces_are_each_scored_once_through_windows():
    piece = [0, 1, KEYS, 2, KEYS, 0, 2, KEYS, KEYS, 1, KEYS]
    model = little_model(4)
    _, (free, ruled) = nats_of_steps(model, [piece], 4)
    assert len(free) == len(ruled) == len(piece)
    assert (ruled >= free - 1e-12).all()
    x = torch.tensor([piece])
    with torch.no_grad():
        for d in range(6, len(piece)):  # windows of 4 that move on by 2 end at 4, 6, 8, 10 and 11
            stop = min(len(piece), 4 + 2 * -(-max(0, d - 3) // 2))
            window = x[:, max(0, stop - 4) : stop]
            assert free[d] == pytest.approx(model.element_log_prob(window)[0, d - max(0, stop - 4)].item())


def test_protein_splits_hold_each_sequence_once():
    (recipe,) = FAMILIES["protein_pf00014"]
    with_data(recipe)
    module = sys.modules["recipes.protein_pf00014"]
    sequences = recipe.prepare(data_directory()).splitlines()[1::2]
    assert len(sequences) == len(set(sequences)) == 8871
    every = list(dict.fromkeys(module.read_fasta(data_directory() / module.FILE, upper=False).sequences))
    assert sequences[-888:] == every[::10]
    assert set(sequences[:-888]) == {s for n, s in enumerate(every) if n % 10}
