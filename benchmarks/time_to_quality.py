"""Training to a quality: a byte model of tinyshakespeare against nanoGPT's recipe for a laptop's processor.

    python -m benchmarks.time_to_quality --data DIR [--steps 150] [--threads 2]

DIR holds `input.txt`. Theirs, written out from its published settings: a GPT-2 of 4 layers, 4 heads and 128 features
with learned positions and tied embeddings, 65 characters, context 64, batches of 12, 2000 steps of AdamW at 1e-3 with
100 steps of warm-up, a cosine to 1e-4, beta_2 0.99, decay 0.1, no dropout. Ours: a transformer of the same layers and
width with this library's defaults for text, over 256 bytes. Both learn from the first 90 % and are scored on every
element of the last 10 % once, each from at least half a window. Seconds are those of training; evaluation is apart.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.data.text import StreamExamples
from chainrule.evaluation import evaluate
from chainrule.heads.categorical import CategoricalHead
from chainrule.model import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.training.fit import fit
from chainrule.training.settings import TrainingSettings

GOAL = 1.88


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

    def __init__(self, symbols: int, context: int, width: int = 128, depth: int = 4, heads: int = 4) -> None:
        super().__init__()
        self.table, self.place = nn.Embedding(symbols, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                last = name.endswith(("mixed.weight", "down.weight"))
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * depth) if last else 0.02)

    def logits(self, x: Tensor) -> Tensor:
        h = self.table(x) + self.place.weight[: x.shape[1]]
        for block in self.blocks:
            h = block(h)
        return F.linear(self.norm(h), self.table.weight)


def theirs(train: np.ndarray, test: np.ndarray, steps: int) -> tuple[float, float, float]:
    """Nats per character, seconds and processor seconds of the recipe."""
    alphabet, coded = np.unique(np.concatenate([train, test]), return_inverse=True)
    learned, scored = torch.from_numpy(coded[: len(train)]), torch.from_numpy(coded[len(train) :])
    torch.manual_seed(1337)
    model, context, batch = GPT(len(alphabet), 64), 64, 12
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": [p for p in model.parameters() if p.ndim < 2]}]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0, fused=True)
    wall, processor = perf_counter(), process_time()
    for step in range(steps):
        cosine = 0.5 * (1 + math.cos(math.pi * (step - 100) / max(steps - 100, 1)))
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * (step + 1) / 101 if step < 100 else 1e-4 + cosine * 9e-4
        start = torch.randint(len(learned) - context, (batch,))
        x = torch.stack([learned[at : at + context + 1] for at in start.tolist()])
        loss = F.cross_entropy(model.logits(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    wall, processor = perf_counter() - wall, process_time() - processor
    return _nats(model.eval(), scored, context), wall, processor


@torch.no_grad()
def _nats(model: GPT, x: Tensor, context: int) -> float:
    """Every symbol but the very first once, from at least half a window."""
    stride = context // 2
    total, count = 0.0, 0
    windows = [(start, 0 if start == 0 else stride) for start in range(0, len(x) - 1, stride)]
    for start, known in windows:
        window = x[start : start + context + 1]
        if len(window) - 1 <= known:
            continue
        nats = F.cross_entropy(model.logits(window[None, :-1])[0, known:], window[known + 1 :], reduction="none")
        total, count = total + float(nats.sum(dtype=torch.float64)), count + len(nats)
    return total / count


def ours(train: np.ndarray, test: np.ndarray, steps: int, window: int) -> tuple[float, float, float]:
    """The same three of this library's default."""
    settings = TrainingSettings(
        steps=steps,
        batch_size=16,
        normalisation="per_element",
        optimizer="muon",
        learning_rate=2e-2,
        average=0.9,
        evaluate_every=steps,
        seed=0,
    )
    torch.manual_seed(0)
    model = AutoregressiveModel(Transformer(256, window, 128, 4, 4), CategoricalHead(128, 256))
    examples = StreamExamples(train, window, window // 2)
    few = StreamExamples(train[:window], window, window // 2)
    wall, processor = perf_counter(), process_time()
    fit(model, examples, few, settings)
    wall, processor = perf_counter() - wall, process_time() - processor
    return evaluate(model, StreamExamples(test, window, window // 2)).likelihood.nats_per_element.value, wall, processor


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_to_quality", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds input.txt")
    parser.add_argument("--steps", type=int, default=150, help="of ours")
    parser.add_argument("--window", type=int, default=128, help="elements that ours reads at once")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    text = np.frombuffer((options.data / "input.txt").read_bytes(), dtype=np.uint8)
    train, test = text[: len(text) * 9 // 10], text[len(text) * 9 // 10 :]
    for _ in range(options.rounds):
        nats, seconds, processor = ours(train, test, options.steps, options.window)
        their_nats, their_seconds, their_processor = theirs(train, test, 2000)
        print(
            f"ours {nats:.4f} nats/byte after {seconds:.0f} s ({processor:.0f} s of processor time), "
            f"nanoGPT's recipe {their_nats:.4f} after {their_seconds:.0f} s ({their_processor:.0f} s): "
            f"{their_seconds / seconds:.1f} times faster, {their_processor / processor:.1f} in processor time "
            f"(goal: {GOAL} in a quarter of the time)",
            flush=True,
        )


if __name__ == "__main__":
    main()
