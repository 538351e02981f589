import warnings

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError
from chainrule.data import ArrayExamples
from chainrule.training.fit import Callbacks, fit
from chainrule.training.forward import TrainingForward
from chainrule.training.precision import Precision, resolved
from chainrule.training.settings import TrainingSettings
from chainrule.verification.laws import randomised

X = np.random.default_rng(0).integers(0, 3, (40, 6))


@pytest.fixture(autouse=True)
def plain_processor(monkeypatch):
    """A processor that has no instructions for bfloat16, whatever runs the tests."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": False})


@pytest.fixture
def tile_processor(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})


def build(depth=2):
    torch.manual_seed(0)
    return AutoregressiveModel(CausalConv(3, 6, 16, depth=depth), CategoricalHead(16, 3))


def trained(depth=2, **changes):
    model, seen = build(depth), []
    settings = TrainingSettings(**({"steps": 10, "batch_size": 40, "ema": 0.0, "learning_rate": 1e-2} | changes))
    fit(model, ArrayExamples(X), ArrayExamples(X), settings, callbacks=Callbacks(on_step=seen.append))
    return model, seen


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_warns_on_a_cpu_and_ends_near_float32(name):
    with pytest.warns(UserWarning, match="slower than float32"):
        model, seen = trained(precision=name)
    _, exact = trained()
    assert seen[-1]["nats_per_example"] == pytest.approx(exact[-1]["nats_per_example"], rel=0.02)
    assert seen[-1]["nats_per_example"] != exact[-1]["nats_per_example"]
    assert seen[-1]["nats_per_example"] < seen[0]["nats_per_example"]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_auto_is_bfloat16_where_the_processor_multiplies_it_and_float32_elsewhere(tile_processor, monkeypatch):
    assert Precision("auto").name == resolved("auto") == "bfloat16"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {})
    assert Precision("auto").name == resolved("auto") == "float32"
    assert resolved("float16") == "float16"
    with pytest.raises(InputError, match="did you mean 'auto'"):
        resolved("autp")


def test_a_processor_that_multiplies_bfloat16_is_not_warned_about_it_but_about_float16(tile_processor):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, seen = trained(precision="auto")
    _, exact = trained()
    assert seen[-1]["nats_per_example"] == pytest.approx(exact[-1]["nats_per_example"], rel=0.02)
    assert seen[-1]["nats_per_example"] != exact[-1]["nats_per_example"]
    with pytest.warns(UserWarning, match="float16 on this processor"):
        Precision("float16")


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_full_precision_does_not_warn(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, _ = trained(precision=name)
    assert {parameter.dtype for parameter in model.parameters()} == {getattr(torch, name)}


def test_the_network_runs_in_half_precision_and_the_head_in_float32():
    with pytest.warns(UserWarning, match="slower"):
        forward = TrainingForward(randomised(build()), precision=Precision("bfloat16"))
    seen = {}

    def note(name):
        def hook(part, inputs, output):
            seen[name] = (inputs[0], output)

        return hook

    forward.model.head.register_forward_hook(note("head"))
    log_prob, _ = forward(Batch(torch.tensor(X)))
    assert seen["head"][0].dtype == torch.float32
    assert seen["head"][1].logits.dtype == torch.float32
    assert log_prob.dtype == torch.float32
    exact = forward.model(Batch(torch.tensor(X)))
    assert 1e-4 < (log_prob - exact).abs().max() < 0.5  # the network did not run in float32


def test_float16_scales_its_loss_and_unscales_its_gradient():
    with pytest.warns(UserWarning, match="slower"):
        _, seen = trained(precision="float16", steps=6, warmup=0.0, cooldown=0.0)
    _, exact = trained(steps=1)
    norms = [record["gradient_norm"] for record in seen]
    skipped = norms.index(min(norms, key=lambda norm: norm == float("inf")))
    assert skipped > 0  # the first scale is too large: steps are skipped, the weights stay, until one is not
    assert norms[skipped] == pytest.approx(exact[0]["gradient_norm"], rel=0.02)
    assert seen[skipped]["nats_per_example"] == seen[0]["nats_per_example"]


def test_unknown_precision_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'bfloat16'"):
        Precision("bflaot16")


def test_half_precision_needs_the_network_apart():
    with pytest.warns(UserWarning, match="slower"), pytest.raises(InputError, match="AutoregressiveModel"):
        TrainingForward(torch.nn.Linear(1, 1), precision=Precision("bfloat16"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, in torch
def test_a_compiled_network_takes_the_same_steps():
    _, compiled = trained(depth=1, compile=True, steps=3)
    _, exact = trained(depth=1, steps=3)
    for a, b in zip(compiled, exact, strict=True):
        assert a["nats_per_example"] == pytest.approx(b["nats_per_example"], rel=1e-5)
        assert a["gradient_norm"] == pytest.approx(b["gradient_norm"], rel=1e-4)
    assert compiled[0]["first_step_seconds"] > 0
    assert "first_step_seconds" not in compiled[1]
