"""Means over orders through the command line: fit, resume, evaluate, compare, sample, score, verify, report."""

import csv
import json

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.cli.app import main
from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import random_orders, scan_orders
from chainrule.reproduction.recipe import Recipe
from chainrule.runs import start
from chainrule.runs.run import Run
from chainrule.runs.specification import specification
from chainrule.training.forward import TrainingForward
from chainrule.training.precision import Precision
from chainrule.training.regularisers import Regularisers
from tests.support.command_line import run, run_json

V, D, ORDERS = 3, 5, 4
QUICK = ["--steps", "6", "--evaluate-every", "3"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A mean over orders of rows, one chain of the same, and the rows."""
    home = tmp_path_factory.mktemp("orders")
    np.save(home / "rows.npy", np.random.default_rng(0).integers(0, V, (200, D)))
    (home / "small.toml").write_text("[network]\nhidden = 12\ndropout = 0.2\n")
    small = ["--config", str(home / "small.toml"), *QUICK]
    rows = str(home / "rows.npy")
    assert main(["fit", rows, "--out", str(home / "run"), "--orders", str(ORDERS), *small]) == 0
    assert main(["fit", rows, "--out", str(home / "chain"), "--network", "made", *QUICK]) == 0
    return home


def test_the_run_is_the_mean_of_the_probabilities_of_its_orders(home):
    fitted = Run.open(home / "run")
    spec = fitted.config["model"]
    assert (spec["orders"], spec["network"]["name"], spec["network"]["hidden"]) == (ORDERS, "made", 12)
    density, test = fitted.model(), fitted.data().test
    assert isinstance(density, OrderMixture)
    assert torch.equal(density.orders, random_orders(D, ORDERS))
    x = test.batch(np.arange(len(test))).x
    with torch.no_grad():
        each = np.stack([density.member(o).log_prob(x).numpy() for o in range(ORDERS)])
    assert each.std(0).max() > 1e-4
    report = json.loads((home / "run" / "report.json").read_text())["results"]["test"]
    assert report["total_nats"] == pytest.approx(np.log(np.exp(each).mean(0)).sum(), rel=1e-9)


def test_what_one_chain_has_is_refused_by_name(home):
    with pytest.raises(InputError, match="run: a mixture over 4 orders does not have one chain of conditionals"):
        Run.open(home / "run").chain()
    assert isinstance(Run.open(home / "chain").model(), AutoregressiveModel)


def test_evaluate_and_score_agree_to_the_example(home, capsys, tmp_path):
    record = run_json(capsys, "evaluate", home / "run", home / "rows.npy", "--save", tmp_path / "nats.csv")
    scored = run_json(capsys, "score", home / "run", home / "rows.npy")["log_prob"]
    with open(tmp_path / "nats.csv") as file:
        assert [float(row["log_prob"]) for row in csv.DictReader(file)] == pytest.approx(scored, rel=1e-12)
    assert record["total_nats"] == pytest.approx(sum(scored), rel=1e-12)
    novel = run_json(capsys, "score", home / "run", home / "rows.npy", "--background", home / "run")
    assert novel["ratio"] == pytest.approx([0.0] * len(scored), abs=1e-12)


def test_compare_is_paired_and_says_nothing_of_elements(home, capsys):
    (compared,) = run_json(capsys, "compare", home / "chain", home / "run")["comparisons"]
    chain, mean = (evaluate(r.model(), r.data().test).nats for r in map(Run.open, (home / "chain", home / "run")))
    assert compared["difference"] == pytest.approx((chain - mean).mean(), abs=1e-12)
    assert compared["where_b_wins"]["positions"] == []
    assert main(["compare", str(home / "run"), str(home / "chain")]) == 0


def test_samples_come_with_ln_p_of_the_mean(home, capsys, tmp_path):
    out = tmp_path / "drawn.npy"
    record = run_json(capsys, "sample", home / "run", "-n", "5", "--seed", "3", "--out", out)
    density, drawn = Run.open(home / "run").model(), torch.from_numpy(np.load(out))
    with torch.no_grad():
        assert record["log_prob"] == pytest.approx(density.log_prob(drawn.long()).tolist(), abs=1e-6)
    again = Run.open(home / "run").sample(5, seed=3, group=2)
    assert np.array_equal(again.sample.x, drawn)


@pytest.mark.parametrize("form", [["--quick"], pytest.param([], marks=pytest.mark.slow)])
def test_verify_certifies_members_and_mean(home, capsys, form):
    record = run_json(capsys, "verify", home / "run", *form)
    assert record["passed"]
    assert record["subject"] == "OrderMixture"
    checks = {check["name"]: check for check in record["checks"]}
    for name in ("orders.mean", "orders.mass", "causality.suffix.evaluation", "accounting.examples"):
        assert checks[name]["passed"]
    assert f"of {ORDERS} orders" in checks["causality.suffix.evaluation"]["tried"]
    assert checks["orders.fits"]["passed"]
    assert ("orders.choice" in checks) is (form == [])


def test_an_ensemble_that_averages_logs_fails_with_code_1(home, capsys, monkeypatch):
    def bound(*arguments):
        mixture = build_model(*arguments)
        mixture.log_prob = lambda batch: mixture.order_log_prob(batch).mean(0)
        return mixture

    monkeypatch.setattr("chainrule.runs.run.build_model", bound)
    record = run_json(capsys, "verify", home / "run", "--quick", code=1)
    assert "orders.mean" in [check["name"] for check in record["checks"] if check["passed"] is False]


@pytest.mark.whole_fit
def test_a_leak_in_an_order_stops_a_fit(home, capsys, monkeypatch, tmp_path):
    def leaky(*arguments):
        model = build_model(*arguments)
        model.chains[0].network.direct.register_forward_hook(lambda part, _, out: out + out.roll(-1, 1))
        return model

    monkeypatch.setattr(start, "build_model", leaky)
    code, _, err = run(capsys, "fit", home / "rows.npy", "--orders", "2", "--out", tmp_path / "run", *QUICK)
    assert code == 2
    assert "causality.suffix" in err
    assert not (tmp_path / "run").exists()


def test_the_report_leaves_out_what_needs_one_chain(home, capsys):
    run_json(capsys, "report", home / "run")
    page = (home / "run" / "report.html").read_text()
    for section in ("Log-likelihood", "Learning curve", "Samples and test examples", "Certificate", "Protocol"):
        assert f"<h2>{section}</h2>" in page
    for section in ("Bits by position", "Calibration"):
        assert f"<h2>{section}</h2>" not in page


def test_resuming_recalls_the_orders(home, capsys, tmp_path):
    again = run_json(capsys, "fit", "--resume", "--out", home / "run")
    assert again["results"]["test"]["total_nats"] == pytest.approx(
        json.loads((home / "run" / "report.json").read_text())["results"]["test"]["total_nats"], rel=1e-12
    )
    code, _, err = run(capsys, "fit", "--resume", "--out", home / "run", "--orders", "3")
    assert code == 2
    assert "model.orders is 4 there and 3 here" in err


@pytest.mark.slow
def test_an_interrupted_run_ends_as_one_that_was_not(home, capsys, tmp_path):
    config = ["--config", str(home / "small.toml"), "--orders", "3", *QUICK]
    whole = run_json(capsys, "fit", home / "rows.npy", "--out", tmp_path / "whole", *config)
    cut = tmp_path / "cut"
    assert main(["fit", str(home / "rows.npy"), "--out", str(cut), "--checkpoint-every", "2", *config]) == 0
    for kept in sorted((cut / "checkpoints").glob("step-*"))[1:]:  # as if it had been killed in the middle
        for file in kept.iterdir():
            file.unlink()
        kept.rmdir()
    resumed = run_json(capsys, "fit", "--resume", "--out", cut)
    assert (cut / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert resumed["results"] == whole["results"]


@pytest.mark.slow
def test_a_time_budget_is_for_one_set_of_weights(home, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("chainrule.runs.plan._budget", lambda options: None)
    arguments = [
        "fit",
        home / "rows.npy",
        "--out",
        tmp_path / "run",
        "--orders",
        "2",
        "--minutes",
        "2",
        "--epochs",
        "1",
    ]
    run_json(capsys, *arguments, "--config", home / "small.toml")
    assert "members" not in Run.open(tmp_path / "run").config["model"]


@pytest.mark.slow
@pytest.mark.parametrize("network", ['name = "made"\nhidden = 8', 'name = "pixelcnn"\nwidth = 8\ndepth = 1'])
def test_classes_and_pictures_have_orders_too(capsys, tmp_path, network):
    (tmp_path / "small.toml").write_text(f"[network]\n{network}\n")
    out = tmp_path / "digits"
    arguments = ["--given", "label", "--orders", "2", "--steps", "2", "--evaluate-every", "2"]
    run_json(capsys, "fit", "digits", "--out", out, "--config", tmp_path / "small.toml", *arguments)
    groups = run_json(capsys, "evaluate", out)["by_group"]
    assert len(groups) == 10
    assert len(run_json(capsys, "sample", out, "-n", "3", "--given", "7")["log_prob"]) == 3
    code, _, err = run(capsys, "classify", out)
    assert code == 2
    assert "a mixture over 2 orders" in err


def test_a_recipe_of_orders_has_a_record(capsys, home, monkeypatch, tmp_path):
    from chainrule.reproduction import reproduce, run_recipe

    options = {"network": {"name": "made", "hidden": 8}, "orders": 3, "steps": 2, "evaluate_every": 2}
    rows = Recipe("rows", "rows", "nats/row", "rows.npy", ("rows.npy",), options, None)
    monkeypatch.setattr(reproduce, "find_recipes", lambda: {"rows": (rows,)})
    for module in (reproduce, run_recipe):
        monkeypatch.setattr(module, "records_folder", lambda: tmp_path / "records")
    (record,) = run_json(capsys, "reproduce", "rows", "--data", home, "--out", tmp_path / "runs")["records"]
    assert record["model"]["orders"] == 3
    assert record["certificate"]["passed"]
    assert "orders.mean" in record["certificate"]["made"]
    fitted = Run.open(tmp_path / "runs" / "rows")
    assert record["figure"] == pytest.approx(-evaluate(fitted.model(), fitted.data().test).nats.mean(), rel=1e-12)


TEXT = "\n".join("a" * (1 + n % 20) + "bc"[n % 2] * (n % 11) for n in range(400))
REFUSED = {
    "no order": (["--orders", "0"], "orders must be at least 1 (32 is a good number), got 0"),
    "another network": (["--orders", "2", "--network", "nade"], "needs --network made, whose weights all orders share"),
    "members, too": (["--orders", "2", "--members", "2"], "--members 2 averages conditionals, --orders whole examples"),
    "compiling": (["--orders", "2", "--compile"], "trains another chain in every batch and is not compiled"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_averaged_over_orders_is_refused(home, capsys, tmp_path, case):
    arguments, words = REFUSED[case]
    code, _, err = run(capsys, "fit", home / "rows.npy", "--out", tmp_path / "run", *arguments, *QUICK)
    assert code == 2
    assert words in err
    assert not (tmp_path / "run").exists()


def test_examples_of_many_lengths_have_no_orders(capsys, tmp_path):
    (tmp_path / "lines.txt").write_text(TEXT)
    code, _, err = run(capsys, "fit", tmp_path / "lines.txt", "--orders", "2", "--documents", "line", *QUICK)
    assert code == 2
    assert "--orders needs examples of one length, those of" in err


def test_columns_of_several_kinds_have_no_orders(capsys, tmp_path):
    lines = [f"{'cat' if n % 3 else 'dog'},{n / 10:.1f}" for n in range(300)]
    (tmp_path / "table.csv").write_text("\n".join(["animal,weight", *lines]) + "\n")
    code, _, err = run(capsys, "fit", tmp_path / "table.csv", "--orders", "2", "--out", tmp_path / "run", *QUICK)
    assert code == 2
    assert "a ColumnsHead has a part for each" in err


def test_a_number_of_orders_in_a_file_is_a_number(home, capsys, tmp_path):
    (tmp_path / "orders.toml").write_text('orders = "many"\n')
    code, _, err = run(capsys, "fit", home / "rows.npy", "--config", tmp_path / "orders.toml", *QUICK)
    assert code == 2
    assert "orders must be of type int, got 'many'" in err


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A mean over two scans of images, and the images."""
    home = tmp_path_factory.mktemp("scans")
    np.save(home / "images.npy", np.random.default_rng(0).integers(0, V, (60, 4, 4)))
    steps = ["--steps", "24", "--evaluate-every", "24"]  # enough that chance picks every scan
    small = ["--width", "8", "--depth", "1", "--batch-size", "10", "--orders", "2", *steps]
    assert main(["fit", str(home / "images.npy"), "--out", str(home / "run"), *small]) == 0
    return home


def test_images_are_scanned_by_a_model_for_each_order(images):
    fitted = Run.open(images / "run")
    assert (fitted.config["model"]["orders"], fitted.config["model"]["network"]["name"]) == (2, "pixelcnn")
    density, data = fitted.model(), fitted.data()
    assert torch.equal(density.orders, scan_orders((4, 4))[:2])
    assert len(density.models) == 2
    x = data.test.batch(np.arange(len(data.test))).x
    with torch.no_grad():
        each = torch.stack([m.log_prob(x[:, o]) for m, o in zip(density.models, density.orders, strict=True)])
    report = json.loads((images / "run" / "report.json").read_text())["results"]["test"]
    assert float((each[0] - each[1]).abs().max()) > 1e-3
    assert report["total_nats"] == pytest.approx(float((each.logsumexp(0) - np.log(2)).sum()), rel=1e-6)


def test_every_scan_is_trained(images):
    torch.manual_seed(0)
    spec = Run.open(images / "run").config["model"]
    domain = Run.open(images / "run").encoding().domain
    begun = build_model(spec, domain).state_dict()
    ended = Run.open(images / "run").model().state_dict()
    for o in ("0", "1"):
        inside = [name for name in begun if name.startswith(f"models.{o}.") and "weight" in name]
        assert inside
        assert not any(torch.equal(begun[name], ended[name]) for name in inside if begun[name].any())


def test_scans_are_verified_drawn_and_trained_as_long_as_one(images, capsys, tmp_path):
    record = run_json(capsys, "verify", images / "run", "--quick")
    assert record["passed"]
    drawn = run_json(capsys, "sample", images / "run", "-n", "6", "--out", tmp_path / "drawn.npy")
    x = torch.from_numpy(np.load(tmp_path / "drawn.npy")).flatten(1).long()
    with torch.no_grad():
        assert drawn["log_prob"] == pytest.approx(Run.open(images / "run").model().log_prob(x).tolist(), abs=1e-6)
    data = load(str(images / "images.npy"))
    one, two = (specification(asked, data)[1] for asked in ({}, {"orders": 2}))
    assert (two.steps, two.evaluate_every) == (2 * one.steps, 2 * one.evaluate_every)
    assert (one.common_start, two.common_start) == (0.0, 0.5)
    assert specification({"orders": 2, "common_start": 0.0}, data)[1].common_start == 0.0
    assert specification({"orders": 2, "network": "made"}, data)[1].common_start == 0.0


@pytest.mark.filterwarnings("ignore:bfloat16 on this processor")
def test_a_training_step_is_that_of_one_chain_in_its_order(images):
    ensemble, data = Run.open(images / "run").model().train(), Run.open(images / "run").data()
    batch = data.train.batch(np.arange(9))
    smooth, half = (
        TrainingForward(ensemble, Regularisers(label_smoothing=0.1)),
        TrainingForward(ensemble, precision=Precision("bfloat16")),
    )
    for seed in range(4):
        torch.manual_seed(seed)
        o = int(torch.randint(2, ()))
        alone, inside = ensemble.models[o], Batch(batch.x[:, ensemble.orders[o]])
        for climb, same in (
            (smooth, TrainingForward(alone, Regularisers(label_smoothing=0.1))),
            (half, TrainingForward(alone, precision=Precision("bfloat16"))),
        ):
            torch.manual_seed(seed)
            ours = climb(batch)
            torch.manual_seed(seed)
            torch.randint(2, ())
            assert all(torch.equal(a, b) for a, b in zip(ours, same(inside), strict=True))
            assert ours[0].dtype == torch.float32


def test_an_image_has_so_many_scans(images, capsys):
    code, _, err = run(capsys, "fit", images / "images.npy", "--orders", "9", *QUICK)
    assert code == 2
    assert "--orders 9: an image of shape (4, 4) is scanned in 8 ways" in err


@pytest.mark.slow
def test_scans_that_began_apart_go_on_apart(images, tmp_path, monkeypatch):
    with monkeypatch.context() as earlier:
        earlier.setattr("chainrule.runs.specification.COMMON_START", 0.0)
        asked = ["--width", "8", "--depth", "1", "--orders", "2", *QUICK]
        assert main(["fit", str(images / "images.npy"), "--out", str(tmp_path / "run"), *asked]) == 0
    assert main(["fit", "--resume", "--out", str(tmp_path / "run")]) == 0
    assert main(["fit", "--resume", "--out", str(tmp_path / "run"), "--common-start", "0.5"]) == 2


@pytest.mark.slow
def test_scans_have_counted_heads_laid_out_alike(images, capsys, tmp_path):
    asked = ["--out", tmp_path / "run", "--orders", "2", "--head", "hierarchical_softmax", *QUICK]
    run_json(capsys, "fit", images / "images.npy", *asked)
    first, second = (chain.head for chain in Run.open(tmp_path / "run").model().models)
    layout = dict(first.named_buffers())
    assert layout
    assert all(torch.equal(buffer, layout[name]) for name, buffer in second.named_buffers())
    plain = build_model({"network": {"name": "pixelcnn"}, "head": {"name": "hierarchical_softmax"}}, Domain((4, 4), V))
    assert any(not torch.equal(buffer, layout[name]) for name, buffer in plain.head.named_buffers())
    assert run_json(capsys, "verify", tmp_path / "run", "--quick")["passed"]


def test_scans_are_not_sharded(images, capsys, tmp_path):
    asked = ["--out", tmp_path / "run", "--orders", "2", "--engine", "fsdp", *QUICK]
    code, _, err = run(capsys, "fit", images / "images.npy", *asked)
    assert code == 2
    assert "--engine ddp" in err
    assert not (tmp_path / "run").exists()


NOT_OF_A_MEAN = {
    "calibration": (["evaluate", "--calibration"], "a mixture over 4 orders"),
    "other windows": (["evaluate", "--window", "3"], "a mixture over 4 orders"),
    "a carried state": (["evaluate", "--carry"], "a mixture over 4 orders"),
    "a probe": (["probe"], "a mixture over 4 orders"),
    "a filter": (["sample", "--top-k", "1"], "a mixture over 4 orders is sampled as it is"),
    "a temperature": (["sample", "--temperature", "0.5"], "a mixture over 4 orders is sampled as it is"),
    "a compiled step": (["sample", "--compile"], "a mixture over 4 orders is sampled as it is"),
    "a fixed point": (["sample", "--parallel"], "a mixture over 4 orders is sampled as it is"),
    "a prefix that is not read first": (["sample", "-n", "2", "--prefix", "test:0.5"], "must read 0 to 2 first"),
}


@pytest.mark.parametrize("case", NOT_OF_A_MEAN)
def test_what_a_mean_over_orders_has_not_is_refused(home, capsys, case):
    (command, *options), words = NOT_OF_A_MEAN[case]
    code, _, err = run(capsys, command, home / "run", *options)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
