"""Networks that are fitted without gradients, through `fit` and the verbs of a run."""

import numpy as np
import pytest
import torch

from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import ELEMENTS
from chainrule.errors import InputError, Interrupted
from chainrule.runs.archiving import work_of_file
from chainrule.runs.decompress import decoded_file
from chainrule.runs.fit import fit
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from chainrule.training import fitted
from tests.support.command_line import run as command


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Ages, sizes that follow them, some missing, counts and names."""
    random = np.random.default_rng(0)
    lines = ["age,size,visits,sex"]
    for _ in range(150):
        age = random.integers(20, 80)
        size = "" if random.random() < 0.2 else f"{150 + age / 4 + random.normal():.1f}"
        lines.append(f"{age},{size},{random.poisson(age / 10)},{'ab'[random.integers(2)]}")
    path = tmp_path_factory.mktemp("fitted") / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(table, tmp_path_factory):
    return fit(str(table), network="boosted_trees", out=tmp_path_factory.mktemp("runs") / "trees")


def test_the_command_line_gives_the_same_trees(run, table, tmp_path, capsys):
    code, _, err = command(capsys, "fit", table, "--network", "boosted_trees", "--out", tmp_path / "run")
    assert code == 0, err
    there = Run.open(tmp_path / "run").model().state_dict()
    assert all(torch.equal(value, there[name]) for name, value in run.model().state_dict().items())


def test_every_verb_works(run, tmp_path):
    report = run.report_dict
    assert (report["stopped"], report["steps"], report["kept_step"]) == ("fitted", 4, 4)
    assert len(run.metrics()) == 1
    again = run.evaluate().likelihood.nats_per_example.value
    assert again == pytest.approx(report["results"]["test"]["nats_per_example"])
    assert run.verify().passed
    run.sample(20, seed=0)
    run.report(tmp_path / "page.html")


def test_its_archives_are_portable_and_as_short_as_its_likelihood_says(run, table):
    work = work_of_file(run, table, 32)
    assert work.profile == "portable"
    archive = read_archive(archive_bytes(*work.archive(silent)))
    assert decoded_file(archive, run, silent) == table.read_bytes()
    coded = 8 * sum(len(group.code) for group in archive.of_kind(ELEMENTS))
    bits = -float(run.score(table).log_prob.sum()) / np.log(2)
    assert bits - 64 <= coded <= 1.001 * bits + 64
    assert work_of_file(run, table, 32, "native").profile == "native"


def test_interrupted_and_resumed_it_is_the_same(run, table, tmp_path, monkeypatch):
    loop = fitted.fit_parts
    place = tmp_path / "run"

    def two_parts(fitting, checkpoints, stop, on_part):
        return loop(fitting, checkpoints, lambda: fitting.step == 2, on_part)

    with monkeypatch.context() as changed:
        changed.setattr("chainrule.runs.train.fit_parts", two_parts)
        with pytest.raises(Interrupted, match="interrupted at step 2"):
            fit(str(table), network="boosted_trees", out=place)
    resumed = fit(out=place, resume=True).model().state_dict()
    assert all(torch.equal(value, resumed[name]) for name, value in run.model().state_dict().items())


def test_options_that_it_does_not_read_are_refused(table):
    with pytest.raises(InputError, match="does not read steps"):
        fit(str(table), network="boosted_trees", steps=5)
    with pytest.raises(InputError, match="has no width"):
        fit(str(table), network="boosted_trees", width=5)
    with pytest.raises(InputError, match="have no 'categorical' head"):
        fit("digits", network="boosted_trees", head="categorical")
    with pytest.raises(InputError, match="takes no context"):
        fit("digits", network="boosted_trees", given="label")


def test_a_chow_liu_tree_through_every_verb(tmp_path):
    noise = np.random.default_rng(0)
    x = noise.integers(0, 2, (200, 5))
    x[:, 0] = np.where(noise.random(200) < 0.9, x[:, 4], 1 - x[:, 4])
    np.save(tmp_path / "bits.npy", x)
    run = fit(str(tmp_path / "bits.npy"), network="chow_liu", out=tmp_path / "run")
    tree = run.report_dict["baselines"]["Chow-Liu tree"]["nats_per_example"]
    assert run.report_dict["results"]["test"]["nats_per_example"] <= tree + 0.02
    assert run.verify().passed
    assert run.sample(20, seed=0).sample.x.shape == (20, 5)
    weights = run.files.read("model.safetensors")
    (run.path / "report.json").unlink()
    fit(out=run.path, resume=True)
    assert run.files.read("model.safetensors") == weights


def test_texts_are_refused(tmp_path):
    (tmp_path / "book.txt").write_text("the cat sat on the mat " * 60)
    with pytest.raises(InputError, match="not for texts"):
        fit(str(tmp_path / "book.txt"), network="boosted_trees")
    with pytest.raises(InputError, match="a Chow-Liu tree is for rows"):
        fit(str(tmp_path / "book.txt"), network="chow_liu")


@pytest.mark.slow
def test_n_grams_of_a_text_alone_and_beside_a_network(tmp_path):
    (tmp_path / "book.txt").write_text("the cat sat on the mat and the dog sat on the cat and ran " * 40)
    alone = fit(str(tmp_path / "book.txt"), network="ngram", window=32, documents="stream")
    assert alone.verify(quick=True).passed
    assert alone.report_dict["results"]["test"]["nats_per_element"] < 0.5
    both = fit(str(tmp_path / "book.txt"), experts="ngram", window=32, documents="stream", steps=4, width=8, depth=1)
    assert [member["expert"] for member in both.report_dict["members"]] == [None, "ngram"]
    assert both.verify(quick=True).passed
    assert len(both.sample(1, seed=0).sample.x[0]) == 32


@pytest.mark.slow
def test_n_grams_that_a_network_corrects_are_one_run(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat and the dog sat on the cat and ran " * 40)
    network = {"name": "corrected_ngram", "network": "state_space", "width": 8, "depth": 1, "orders": [2, 3, 4]}
    given = {"network": network, "window": 32, "documents": "stream", "evaluate_every": 2}
    run = fit(str(book), steps=4, out=tmp_path / "run", **given)
    assert run.verify(quick=True).passed
    assert run.report_dict["results"]["test"]["nats_per_element"] < 0.5  # as the n-grams that it begins with
    assert "train_estimate_per_example" in run.metrics()[-1]
    assert len(run.sample(1, seed=0).sample.x[0]) == 32
    (tmp_path / "run" / "report.json").unlink()
    again = fit(out=tmp_path / "run", resume=True)
    assert again.report_dict["results"] == run.report_dict["results"]


@pytest.mark.slow
def test_a_text_with_minutes_has_n_grams_and_a_network(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat and the dog sat on the cat and ran " * 40)
    run = fit(str(book), minutes=0.02, window=32, documents="stream")
    assert run.config["model"]["network"]["name"] == "corrected_ngram"
    assert run.report_dict["results"]["test"]["nats_per_element"] < 0.5
