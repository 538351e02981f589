"""Muon against its definition in float64, and the kinds of parameters that each optimizer moves."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError, PixelCNN, Transformer
from chainrule.data import ArrayExamples
from chainrule.training.fit import begin, fit
from chainrule.training.muon import Muon, orthogonalised
from chainrule.training.optimizers import adamw, muon, optimizer_of
from chainrule.training.schedule_free import ScheduleFree
from chainrule.training.settings import TrainingSettings


def newton_schulz(m):
    """Five steps of x <- a x + (b g + c g^2) x, g = x x^T, for one matrix in float64 (Jordan et al. 2024)."""
    m = m.T if m.shape[0] > m.shape[1] else m
    x = m / np.linalg.norm(m)
    for _ in range(5):
        g = x @ x.T
        x = 3.4445 * x + (-4.7750 * g + 2.0315 * g @ g) @ x
    return x


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_orthogonalised_is_the_iteration_for_each_matrix_of_a_stack(shape):
    m = np.random.default_rng(0).normal(size=(3, *shape))
    for ours, one in zip(orthogonalised(torch.from_numpy(m)).numpy(), m, strict=True):
        expected = newton_schulz(one)
        np.testing.assert_allclose(ours, expected.T if shape[0] > shape[1] else expected, atol=1e-12)


def test_two_steps_of_muon_are_its_formula():
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=(4, 6)), rng.normal(size=(2, 4, 6))
    weight = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = Muon([{"params": [weight], "muon": True}], lr=0.01, weight_decay=0.1)
    w, momentum = start, np.zeros((4, 6))
    for gradient in gradients:
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        momentum = 0.95 * momentum + gradient
        w = w * (1 - 0.01 * 0.1) - 0.01 * 0.2 * 6**0.5 * newton_schulz(gradient + 0.95 * momentum)
    np.testing.assert_allclose(weight.detach().numpy(), w, atol=1e-12)
    np.testing.assert_array_equal(weight.grad.numpy(), gradients[1])


def test_what_muon_does_not_move_is_moved_by_adamw():
    torch.manual_seed(0)
    models = [AutoregressiveModel(Transformer(5, 6, 8, 1, 2), CategoricalHead(8, 5)) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    x = torch.randint(0, 5, (4, 6))
    for model, optimizer in zip(models, (muon(models[0], 1e-2, 0.1), adamw(models[1], 1e-2, 0.1)), strict=True):
        (-model(x).mean()).backward()
        optimizer.step()
    inside = {name for name, p in models[0].named_parameters() if name.startswith("network.blocks") and p.ndim == 2}
    assert inside
    for name, ours in models[0].named_parameters():
        same = torch.equal(ours, models[1].get_parameter(name))
        assert same == (name not in inside) or not ours.grad.any(), name


def test_a_kernel_is_moved_as_the_matrix_from_all_that_it_sees_to_its_outputs():
    kernel = torch.nn.Parameter(torch.randn(4, 3, 2, 3, dtype=torch.float64))
    matrix = torch.nn.Parameter(kernel.detach().flatten(1).clone())
    gradient = torch.randn(4, 3, 2, 3, dtype=torch.float64)
    for parameter in (kernel, matrix):
        parameter.grad = gradient.view_as(parameter)
        Muon([{"params": [parameter], "muon": True}], lr=0.1, weight_decay=0.0).step()
    assert torch.equal(kernel.flatten(1), matrix)
    assert not torch.equal(kernel.grad, kernel)


def test_the_convolutions_of_a_network_are_moved_by_muon():
    model = AutoregressiveModel(PixelCNN(3, (4, 4), 8, 1), CategoricalHead(8, 3))
    groups = muon(model, 1e-2, 0.1).param_groups
    inside = {id(p) for group in groups if group["muon"] for p in group["params"]}
    moved = {name for name, p in model.named_parameters() if id(p) in inside}
    assert {"network.above.conv.weight", "network.blocks.0.left_out.taps.weight"} <= moved
    assert not any("bias" in name or "table" in name or name.startswith("head") for name in moved)


def test_in_half_precision_the_iteration_is_in_bfloat16_and_the_weights_are_not():
    weights = [torch.nn.Parameter(torch.eye(8)) for _ in range(2)]
    gradient = torch.randn(8, 8)
    for weight, half in zip(weights, (False, True), strict=True):
        weight.grad = gradient.clone()
        Muon([{"params": [weight], "muon": True}], lr=0.1, weight_decay=0.0, half=half).step()
    exact, rounded = (weight.detach() - torch.eye(8) for weight in weights)
    assert weights[1].dtype == torch.float32
    assert 0 < (exact - rounded).norm() < 0.1 * exact.norm()


def test_muon_goes_on_from_its_state():
    weight = torch.nn.Parameter(torch.eye(3))
    first = Muon([{"params": [weight], "muon": True}], lr=0.1)
    weight.grad = torch.arange(9.0).view(3, 3)
    first.step()
    copy = torch.nn.Parameter(weight.detach().clone())
    second = Muon([{"params": [copy], "muon": True}], lr=0.1)
    second.load_state_dict(deepcopy(first.state_dict()))
    copy.grad = weight.grad.clone()
    first.step()
    second.step()
    assert torch.equal(weight, copy)


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(InputError, match="muon"):
        optimizer_of("moun", torch.nn.Linear(2, 2), 0.1, 0.0)


def test_schedule_free_is_its_formula():
    rng = np.random.default_rng(2)
    start, gradients = rng.normal(size=5), rng.normal(size=(4, 5))
    weight = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = ScheduleFree([weight], lr=0.0, betas=(0.8, 0.9), weight_decay=0.1)
    x, z, v, mass = start, start, np.zeros(5), 0.0
    for t, (rate, gradient) in enumerate(zip([0.01, 0.02, 0.02, 0.02], gradients, strict=True), 1):
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = torch.from_numpy(gradient.copy())
        optimizer.step()
        y = 0.2 * z + 0.8 * x
        v = 0.9 * v + 0.1 * gradient**2
        z = z - rate * (gradient / (np.sqrt(v / (1 - 0.9**t)) + 1e-8) + 0.1 * y)
        mass += rate**2
        x = (1 - rate**2 / mass) * x + rate**2 / mass * z
        np.testing.assert_allclose(weight.detach().numpy(), 0.2 * z + 0.8 * x, atol=1e-12)
        np.testing.assert_allclose(optimizer.averaged(weight).numpy(), x, atol=1e-12)


def test_schedule_free_trains_and_keeps_its_average():
    x = np.random.default_rng(0).integers(0, 2, (64, 5)) * 2
    examples = ArrayExamples(x)
    settings = TrainingSettings(steps=40, batch_size=16, optimizer="schedule_free", evaluate_every=20)
    torch.manual_seed(0)
    model = AutoregressiveModel(CausalConv(3, 5, 8, 2), CategoricalHead(8, 3))
    state = begin(model, settings)
    before = state.ema.model(examples.batch(np.arange(64))).mean()
    fit(model, examples, examples, settings, state=state)
    for mine, theirs in zip(state.ema.model.parameters(), state.model.parameters(), strict=True):
        assert mine.shape == theirs.shape
    assert model(examples.batch(np.arange(64))).mean() > before + 1


def test_a_sharded_schedule_free_is_refused():
    with pytest.raises(InputError, match="ddp"):
        TrainingSettings(optimizer="schedule_free", engine="fsdp")
