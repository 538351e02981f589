"""A run as its files: the same in a directory and in memory."""

import json

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.errors import RunError
from chainrule.likelihood import LogLikelihood
from chainrule.runs.new import configuration_of
from chainrule.runs.run import Run


@pytest.fixture(scope="module")
def data():
    return load(np.random.default_rng(0).integers(0, 3, (40, 5)))


@pytest.fixture(scope="module")
def spec(data):
    spec = default_spec(data.encoding.domain, data.encoding.group)
    spec["network"] = {"name": "causal_conv", "width": 4, "depth": 1}
    return spec


@pytest.fixture
def model(data, spec):
    return build_model(spec, data.encoding.domain).eval()


@pytest.fixture
def in_memory(data, spec, model):
    run = Run.create(None, configuration_of(data, spec, {"seed": 0})).with_data(data)
    run.save_model(model)
    return run


def test_a_run_in_memory_gives_back_model_data_metrics_and_report(in_memory, data, model):
    x = Batch(torch.zeros(2, 5, dtype=torch.long))
    assert torch.equal(in_memory.model()(x), model(x))
    assert in_memory.data() is data
    assert in_memory.encoding().domain == data.encoding.domain
    assert in_memory.path is None
    assert in_memory.report_dict is None
    in_memory.logger([{"step": 1}]).log({"step": 2})
    assert in_memory.metrics() == [{"step": 1}, {"step": 2}]
    report = {"results": {"train": LogLikelihood.zero().to_json()}}
    in_memory.write_report(report)
    assert in_memory.report_dict == report


def test_a_saved_run_is_the_same_run(in_memory, data, tmp_path):
    in_memory.log({"step": 1})
    saved = in_memory.save(tmp_path / "run")
    again = Run.open(tmp_path / "run")
    assert saved.path == again.path == tmp_path / "run"
    assert again.config == json.loads((tmp_path / "run" / "config.json").read_text())
    assert again.identity == in_memory.identity
    assert again.metrics() == [{"step": 1}]
    assert saved.data() is data
    x = Batch(torch.zeros(2, 5, dtype=torch.long))
    assert torch.equal(again.model()(x), in_memory.model()(x))


def test_a_run_is_not_saved_over_something_else(in_memory, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        in_memory.save(tmp_path)
    with pytest.raises(RunError, match="copy the directory"):
        in_memory.save(tmp_path / "run").save(tmp_path / "other")


def test_what_needs_a_directory_says_how_to_get_one(in_memory):
    with pytest.raises(RunError, match=r"run\.save"):
        in_memory.directory  # noqa: B018


def test_a_run_without_weights_says_so(data, spec):
    with pytest.raises(RunError, match="there are no weights"):
        Run.create(None, configuration_of(data, spec, {})).model()


def test_metrics_begin_with_those_of_the_checkpoint(in_memory, tmp_path):
    run = in_memory.save(tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st')  # killed within a line
    assert run.metrics() == [{"step": 1}, {"step": 2}]
    run.logger([{"step": 1}]).log({"step": 2, "nats": 1.5})
    assert run.metrics() == [{"step": 1}, {"step": 2, "nats": 1.5}]
