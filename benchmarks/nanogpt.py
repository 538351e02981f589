"""The peer of training: nanoGPT's recipe for a laptop's processor, written out from its published settings.

A GPT-2 of 4 layers, 4 heads and 128 features with learned positions and tied embeddings, 65 characters, context 64,
batches of 12, 2000 steps of AdamW at 1e-3 with 100 steps of warm-up, a cosine to 1e-4, beta_2 0.99, decay 0.1, no
dropout. It runs eagerly, and its AdamW is the plain one, since the recipe fuses it on a GPU only.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["BATCH", "CONTEXT", "DEPTH", "GPT", "HEADS", "STEPS", "WIDTH", "Recipe", "nats", "text"]

WIDTH, DEPTH, HEADS, CONTEXT, BATCH, STEPS = 128, 4, 4, 64, 12, 2000
WARMUP, PEAK, FLOOR = 100, 1e-3, 1e-4


class Block(nn.Module):
    """Pre-norm attention and a GELU layer of four times the width (Radford et al. 2019), without biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, bias=False) for _ in range(2))
        self.qkv, self.mixed = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.up, self.down = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(self.norms[0](x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.mixed(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class GPT(nn.Module):
    """From symbols to the logits of the ones after them."""

    def __init__(self, symbols: int, context: int = CONTEXT, width: int = WIDTH, depth: int = DEPTH) -> None:
        super().__init__()
        self.table, self.place = nn.Embedding(symbols, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, HEADS) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                last = name.endswith(("mixed.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth) if last else 0.02)

    def forward(self, x: Tensor) -> Tensor:
        h = self.table(x) + self.place.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return F.linear(self.norm(h), self.table.weight)


class Recipe:
    """The training loop: `step` by `step`, or `run` to the end."""

    def __init__(self, train: Tensor, symbols: int, steps: int = STEPS, seed: int = 1337) -> None:
        torch.manual_seed(seed)
        self.train, self.steps, self.taken = train, steps, 0
        self.model = GPT(symbols)
        matrices = [p for p in self.model.parameters() if p.ndim >= 2]
        rest = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.99))

    def rate(self, step: int) -> float:
        """Up to the peak over the warm-up, down to the floor as a cosine."""
        if step < WARMUP:
            return PEAK * (step + 1) / (WARMUP + 1)
        way = min(1.0, (step - WARMUP) / max(self.steps - WARMUP, 1))
        return FLOOR + 0.5 * (1 + math.cos(math.pi * way)) * (PEAK - FLOOR)

    def step(self) -> None:
        """One batch of random crops."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.taken)
        start = torch.randint(len(self.train) - CONTEXT, (BATCH,))
        x = torch.stack([self.train[at : at + CONTEXT + 1] for at in start.tolist()])
        loss = F.cross_entropy(self.model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.taken += 1

    def run(self) -> nn.Module:
        """The trained model."""
        while self.taken < self.steps:
            self.step()
        return self.model.eval()


@torch.no_grad()
def nats(model: nn.Module, x: Tensor, context: int = CONTEXT) -> float:
    """Nats per symbol: each but the very first once, from at least half a window."""
    stride = context // 2
    total, count = 0.0, 0
    for start in range(0, len(x) - 1, stride):
        known = 0 if start == 0 else stride
        window = x[start : start + context + 1]
        if len(window) - 1 <= known:
            continue
        scored = F.cross_entropy(model(window[None, :-1])[0, known:], window[known + 1 :], reduction="none")
        total, count = total + float(scored.sum(dtype=torch.float64)), count + len(scored)
    return total / count


def text(data: Path | None, quick: bool = False) -> tuple[np.ndarray, np.ndarray, int]:
    """The first 90 % of tinyshakespeare, its last 10 %, and how many symbols; DATA/input.txt or below it.

    quick: a made-up text in its place, for a smoke test.
    """
    if quick:
        raw = np.frombuffer(b"to be, or not to be: that is the question. " * 200, dtype=np.uint8)
    else:
        folder = data or Path()
        place = next((p for p in (folder / "tinyshakespeare/input.txt", folder / "input.txt") if p.is_file()), None)
        if place is None:
            raise FileNotFoundError(f"tinyshakespeare's input.txt is not in {folder}; give --data DIR")
        raw = np.frombuffer(place.read_bytes(), dtype=np.uint8)
    alphabet, coded = np.unique(raw, return_inverse=True)
    ninety = len(coded) * 9 // 10
    return coded[:ninety], coded[ninety:], len(alphabet)
