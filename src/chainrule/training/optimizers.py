"""The optimizer of a model's parameters."""

from __future__ import annotations

import torch
from torch import nn

from chainrule.errors import unknown_name
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.training.muon import Muon
from chainrule.training.schedule_free import ScheduleFree

__all__ = ["OPTIMIZERS", "adamw", "muon", "optimizer_of", "schedule_free"]

BETAS = (0.9, 0.98)
LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d)


def optimizer_of(
    name: str, model: nn.Module, learning_rate: float, weight_decay: float, *, half: bool = False
) -> torch.optim.Optimizer:
    """The optimizer of that name; raises InputError for others.

    name: "adamw", "muon" or "schedule_free".
    model: the model whose parameters are optimized.
    learning_rate: peak learning rate.
    weight_decay: decoupled decay of weight matrices.
    half: whether the network is trained in half precision; Muon then iterates in bfloat16.
    """
    if name not in OPTIMIZERS:
        raise unknown_name("optimizer", name, OPTIMIZERS)
    options = {"half": True} if half and name == "muon" else {}
    return OPTIMIZERS[name](model, learning_rate, weight_decay, **options)


def adamw(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; the decoupled decay acts on weight matrices, not on embeddings or gains.

    The decay is not a Gaussian prior: its strength does not scale with 1 / N and is not divided by Adam's denominator.
    """
    matrices, tables, rest = _kinds(model)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": tables + rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=learning_rate, betas=BETAS, fused=True)


def muon(model: nn.Module, learning_rate: float, weight_decay: float, *, half: bool = False) -> torch.optim.Optimizer:
    """Muon for the linear maps and convolutions of networks, AdamW for tables, gains and heads; one learning rate.

    model: the model whose parameters it updates.
    learning_rate: peak learning rate.
    weight_decay: decoupled weight decay.
    half: iterate in bfloat16.
    """
    networks = [module for module in model.modules() if isinstance(module, AutoregressiveNetwork)]
    hidden = {id(part.weight) for net in networks for part in net.modules() if isinstance(part, LINEAR)}
    matrices, tables, rest = _kinds(model)
    groups = [
        {"params": [p for p in matrices if id(p) in hidden], "muon": True, "weight_decay": weight_decay},
        {"params": [p for p in matrices if id(p) not in hidden], "weight_decay": weight_decay},
        {"params": tables + rest, "weight_decay": 0.0},
    ]
    return Muon([group for group in groups if group["params"]], learning_rate, half=half, betas=BETAS, fused=True)


def schedule_free(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Optimizer:
    """Schedule-free AdamW; decay as in `adamw`. Its own average replaces the EMA of the weights."""
    matrices, tables, rest = _kinds(model)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": tables + rest, "weight_decay": 0.0}]
    return ScheduleFree([group for group in groups if group["params"]], learning_rate, betas=BETAS)


OPTIMIZERS = {"adamw": adamw, "muon": muon, "schedule_free": schedule_free}


def _kinds(model: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Weight matrices and kernels; tables of embeddings; everything else."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    kinds: tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]] = ([], [], [])
    for parameter in model.parameters():
        kinds[1 if id(parameter) in embeddings else 0 if parameter.ndim >= 2 else 2].append(parameter)
    return kinds
