"""The tables of ratios: their arithmetic, their protocol, and that every family runs."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from benchmarks import certificate, coded_sizes, drawing, folds, gpu, nanogpt
from benchmarks.continuous import lines_of
from benchmarks.continuous_peers import Cells, _box, copula, kernels, mixture
from benchmarks.flops import counted
from benchmarks.limits import limits
from benchmarks.memory import peak_mib
from benchmarks.never_worse import lost, measure, page
from benchmarks.never_worse_sets import QUICK, made
from benchmarks.row import Limit, Options, Row, timed
from benchmarks.windows import Elsewhere, Timing, Window, side_by_side, window

ROOT = Path(__file__).parents[1]


def run(place, *families):
    command = [sys.executable, "-m", "benchmarks", *families, "--quick", "--threads", "1", "--record", str(place)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(place.read_text())


def test_a_row_says_how_many_times_better_and_whether_that_was_the_goal():
    row = Row("work", "peer", (1.0, 2.0, 4.0), (3.0, 4.0, 20.0), goal=2.0, limit=Limit(0.5, "GEMM"))
    assert (row.ratio, row.spread, row.met, row.of_limit) == (2.0, (2.0, 5.0), True, 0.25)
    assert not Row("work", "peer", (2.0,), (3.0,), goal=2.0).met
    assert Row("work", "peer", (2.0,), (3.0,)).met is None


def test_processor_time_decides_where_a_side_was_never_undisturbed():
    quiet = Timing((Window(1.0, 0.9, 0.0), Window(1.2, 0.8, 0.0)), (Window(9.0, 1.0, 0.9),))
    loud = Timing((), (Window(8.0, 2.7, 0.5),))
    assert (quiet.seconds, quiet.thrown_away, quiet.disturbed) == ([1.0, 1.2], 1, False)
    assert (loud.seconds, loud.thrown_away, loud.disturbed) == ([8.0], 0, True)
    assert timed("work", "peer", quiet, quiet).clock == "wall"
    row = timed("work", "peer", quiet, loud, scale=2.0, done=(27, "elements"), note="noted")
    assert row.note == "30 against 5 elements/s; noted"
    assert (row.clock, row.ours, row.theirs) == ("processor", (0.9, 0.8, 1.0), (5.4,))


def test_the_spread_is_of_windows_that_stood_side_by_side():
    ours = Timing((Window(1.0, 1.0, 0.0, 0), Window(4.0, 4.0, 0.0, 2)), (Window(9.0, 9.0, 0.5, 1),))
    theirs = Timing((Window(5.0, 5.0, 0.0, 1), Window(8.0, 8.0, 0.0, 2)), (Window(9.0, 9.0, 0.5, 0),))
    assert timed("work", "peer", ours, theirs).spread == (2.0, 2.0)
    apart = Timing((Window(6.0, 6.0, 0.0, 5),))
    assert timed("work", "peer", ours, apart).spread is None


@pytest.mark.soak
def test_a_step_is_profiled(tmp_path):
    entry = run(tmp_path / "record.json", "profile")["profile"]
    assert {"versions", "machine", "git", "limits", "load", "models"} <= entry.keys()
    assert len(entry["models"]) == 3
    for model in entry["models"]:
        phases = model["phases"]
        assert phases["forward"]["of_mm"] > 0
        assert phases["step"]["flops"] == sum(phases[name]["flops"] for name in ("forward", "backward", "optimizer"))
        assert sum(model["operations"].values()) == pytest.approx(1)


def test_sides_take_turns_and_disturbed_windows_are_thrown_away():
    calls = []
    sides = [lambda: calls.append("ours"), lambda: calls.append("theirs")]
    kept = side_by_side(*sides, rounds=3, tolerance=math.inf)
    assert calls == ["ours", "theirs"] * 4  # once to warm up
    assert [len(timing.kept) for timing in kept] == [3, 3]
    thrown = side_by_side(*sides, rounds=3, tolerance=-1.0)
    assert all(timing.disturbed and len(timing.seconds) == 3 for timing in thrown)


def test_operations_are_counted():
    a = torch.ones(4, 5)
    assert counted(lambda: (a @ a.T).relu()) == (2 * 4 * 4 * 5, 2)
    q = torch.ones(1, 2, 8, 4, requires_grad=True)
    attended = torch.nn.functional.scaled_dot_product_attention
    forward, _ = counted(lambda: attended(q, q, q, is_causal=True))
    both, _ = counted(lambda: attended(q, q, q, is_causal=True).sum().backward())
    assert (forward, both) == (4 * 2 * 8 * 8 * 4 // 2, 3.5 * forward)


def test_the_limits_are_measured():
    assert min(limits().flops, limits().bytes, limits().dispatch) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_of_memory_is_seen():
    assert 60 < peak_mib(lambda: torch.ones(16 << 20)) < 80


def test_the_peer_is_scored_on_every_character_but_the_first_once():
    x = torch.randint(7, (301,), generator=torch.Generator().manual_seed(0))
    table = torch.randn(7, 7, generator=torch.Generator().manual_seed(1))
    expected = -table.log_softmax(1)[x[:-1], x[1:]].mean()
    assert nanogpt.nats(lambda window: table[window], x, context=64) == pytest.approx(float(expected), rel=1e-6)


def test_the_peer_learns_by_its_recipe():
    train, _, symbols = nanogpt.text(None, quick=True)
    recipe = nanogpt.Recipe(torch.from_numpy(train), symbols, steps=2000)
    rates = [recipe.rate(step) for step in (0, 50, 99, 100, 1999)]
    assert rates == pytest.approx([1e-3 / 101, 51e-3 / 101, 100e-3 / 101, 1e-3, 1e-4], rel=1e-2)
    for _ in range(20):
        recipe.step()
    assert nanogpt.nats(recipe.model, torch.from_numpy(train[:500])) < math.log(symbols) - 0.3


@pytest.mark.slow
def test_a_family_runs_and_is_recorded(tmp_path):
    record = run(tmp_path / "record.json", "evaluation")
    family = record["evaluation"]
    assert {"versions", "machine", "git", "limits", "rounds"} <= family.keys()
    assert "plain loop" in {row["peer"] for row in family["rows"]}
    for row in family["rows"]:
        assert row["ratio"] == row["theirs"][0] / row["ours"][0]


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_every_family_runs(tmp_path):
    place = tmp_path / "record.json"
    run(place, "startup", "opening", "loop")
    record = run(place, "losses", "training", "sampling", "quality")  # the families before stay
    counts = {family: len(measured["rows"]) for family, measured in record.items()}
    assert counts == {
        "startup": 4,
        "opening": 5,
        "loop": 1,
        "losses": 15,
        "training": 4,
        "sampling": len(drawing.ROWS),
        "quality": 6,
    }
    assert all(0 < row["ratio"] < math.inf for measured in record.values() for row in measured["rows"])


@pytest.mark.soak
def test_the_time_of_a_certificate_is_measured():
    pytest.importorskip("transformers", reason="the extra `hf` is not installed")
    seconds, peak = certificate.ROWS["gpt2 quick"](Options(rounds=1, quick=True, threads=1))
    assert "checks passed" in seconds.note
    assert peak.unit == "MiB"
    assert seconds.ours[0] > 0


FORKED = ("resumed_bits", "one_process_of_a_job")  # start commands of their own, which takes most of a minute


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([part for part in gpu.PARTS if part not in FORKED], marks=pytest.mark.slow),
        pytest.param([*FORKED], marks=pytest.mark.soak),
    ],
)
def test_the_script_for_a_gpu_runs_on_a_processor(parts, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.main([*parts, "--device", "cpu", "--quick", "--out", str(tmp_path / "gpu.json")]) == 0
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert list(dict.fromkeys(row["part"] for row in rows)) == parts
    assert capsys.readouterr().out.count("all right") == len(parts)


def test_what_fails_or_raises_on_a_gpu_is_told_and_the_others_go_on(tmp_path, capsys, monkeypatch):
    def wrong(options):
        yield {"what": "a sum", "ok": False}

    def broken(options):
        yield from [{"what": "a product", "ok": True}]
        raise RuntimeError("out of memory")

    monkeypatch.setattr(gpu, "PARTS", {"wrong": wrong, "broken": broken})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu.main(["--device", "cpu", "--out", str(tmp_path / "gpu.json")]) == 1
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert [(row["part"], row["ok"]) for row in rows] == [("wrong", False), ("broken", False)]
    assert "out of memory" in rows[1]["said"]
    assert "FAILED: ['a sum']" in capsys.readouterr().out


def test_an_unknown_family_is_refused():
    done = subprocess.run([sys.executable, "-m", "benchmarks", "nothing"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "no family nothing" in done.stderr


def test_lost_is_worse_by_two_errors_and_by_a_share():
    other = {"nats": 10.0, "worse_by": 0.5, "error": 0.1}
    assert lost({"nats": 10.5, "others": {"a": other}}) == ["a"]
    assert lost({"nats": 10.5, "others": {"a": other | {"error": 0.3}}}) == []
    assert lost({"nats": 1000.0, "others": {"a": other}}) == []
    assert lost({"nats": 9.0, "others": {"a": other | {"worse_by": -1.0, "impossible": 2}}}) == ["a"]
    result = {"set": "s", "minutes": 0.1, "what": "5 x 2", "used": 1.0, "nats": 10.5, "others": {"a": other}}
    assert "| s | 5 x 2 | 0.1 | 100% | 10.5 | a 10 | 0.5 ± 0.1 | a |" in page([result])


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
@pytest.mark.filterwarnings("ignore:of .* examples only .* are distinct")
def test_the_default_within_six_seconds_is_never_worse_than_what_is_cheap(name, tmp_path):
    result = measure(name, made(name, tmp_path / "data"), 0.1, tmp_path, here=True)
    assert not lost(result), result


def correlated_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) @ np.array([[1.0, 0.6, 0.2], [0.0, 0.8, 0.3], [0.0, 0.0, 0.9]])


def test_the_mass_of_a_box_is_that_of_its_sides_where_they_are_independent():
    low, high = np.array([[-1.0, 0.5], [2.0, 30.0]]), np.array([[1.0, 0.6], [9.0, 31.0]])
    scale = np.array([1.0, 4.0])
    exact = np.log(norm.cdf(high / scale) - norm.cdf(low / scale)).sum(1)
    assert _box(low, high, np.diag(scale**2))[0] == pytest.approx(exact[0], abs=1e-9)
    upper = np.log(norm.sf(low / scale) - norm.sf(high / scale)).sum(1)
    assert _box(low, high, np.diag(scale**2))[1] == pytest.approx(upper[1], abs=1e-6)


def test_the_mass_of_a_box_is_that_of_the_joint_distribution():
    covariance = np.array([[1.0, 0.7], [0.7, 1.5]])
    low, high = np.array([[-0.5, -1.0]]), np.array([[1.5, 0.4]])
    exact = multivariate_normal(np.zeros(2), covariance).cdf(high[0], lower_limit=low[0])
    assert _box(low, high, covariance)[0] == pytest.approx(np.log(exact), abs=0.02)


@pytest.mark.parametrize("peer", [kernels, mixture, copula])
def test_of_small_cells_the_mass_is_the_density_times_the_volume(peer):
    x, test, step = correlated_rows(60), correlated_rows(5, 1), 1e-4
    mass = peer(x, test, Cells(np.full(3, step)))
    assert mass == pytest.approx(peer(x, test, Cells(None)) + 3 * np.log(step), abs=1e-2)


def test_the_table_says_by_how_much_ours_is_better_row_by_row():
    scores = {"ours": [-1.0, -2.0], "kernels": [-2.0, -3.5], "mixture": [-1.0, -2.0], "copula": [-4.0, -4.0]}
    found = {"density/iris/0": {"scores": scores, "seconds": 3.2, "rows": 150, "columns": 4}}
    cells = [cell.strip() for cell in lines_of(found)[2].strip("|").split("|")]
    assert cells[:4] == ["density", "iris", "150 x 4", "1"]
    assert cells[4:] == ["1.50 ± 0.50", "2.75 (1.25 ± 0.25)", "1.50 (0.00 ± 0.00)", "4.00 (2.50 ± 0.50)", "3"]


def test_a_fold_is_done_while_what_decides_it_is_the_same(tmp_path):
    record, rows = folds.Record(tmp_path / "folds.jsonl"), np.arange(6.0).reshape(3, 2)
    digests = {"rows": folds.digest_of(rows), "code": folds.digest_of_code()}
    record.add("iris/0", digests, {"nats": 2.5})
    record.add("iris/1", digests, {"nats": 3.5})
    assert record.has("iris/0", **digests)
    assert not record.has("iris/2", **digests)
    assert not record.has("iris/0", **digests | {"rows": folds.digest_of(rows + 1e-9)})
    assert not record.has("iris/0", **digests | {"code": folds.digest_of_code(Path(__file__))})
    record.place.write_bytes(record.place.read_bytes()[:-9])  # as if it had been interrupted while it wrote
    assert record.figures() == {"iris/0": {"nats": 2.5}}
    record.add("iris/1", digests, {"nats": 3.0})
    assert record.figures() == {"iris/0": {"nats": 2.5}, "iris/1": {"nats": 3.0}}


def test_the_tables_of_sizes_stand_between_their_marks():
    said = {"elements": 640, "examples": 10, "bytes_out": 900, "code_bytes": 700, "model_bytes": 90, "side_bytes": 10}
    said |= {"seconds": 1.0, "checked_seconds": 2.0, "others": {"xz": 1000, "bz2": 1100}}
    given = said | {"ideal": 699.5, "minutes": None}
    found = {"given/digits": given, "given/nltcs": given | {"minutes": 1}, "alone/msnbc": said | {"bytes_in": 5000}}
    before = (ROOT / "docs" / "coding.md").read_text()
    text = coded_sizes.written(before, found)
    assert "| digits, 10 x 64 | by steps | 699.5 | 700 | +0.07 % | 900 | 1,000 | 1,100 | 1, 2 |" in text
    assert "| msnbc.csv | 5,000 | **900** | 700, 90, 10 | 1,000 | 1,100 | - | - | 1, 2 |" in text
    assert coded_sizes.written(text, {}) == coded_sizes.written(before, {})


def test_processor_time_of_another_process_counts_as_that_of_the_function():
    there = window(lambda: Elsewhere(2.5))
    assert 2.5 <= there.processor < 2.6
    assert window(lambda: 2.5).processor < 0.1
