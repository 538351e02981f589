"""Sampling from a transformer against `generate` of Hugging Face with its cache, on the same architecture.

    python -m benchmarks.generate [--rounds 5] [--length 256]

Four layers, 128 wide, four heads, 256 symbols, random weights in float32. Both sides draw from the model itself,
nothing cut off; theirs is a GPT-2 of the same layers, whose end-of-text symbol is switched off.
"""

from __future__ import annotations

import argparse
from statistics import median
from time import perf_counter

import torch

from benchmarks.windows import side_by_side
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.sampling.compiled import compile_step

WIDTH, DEPTH, HEADS, SYMBOLS = 128, 4, 4, 256
GOALS = {1: 5.0, 64: 3.0}


def ours(length: int) -> AutoregressiveModel:
    return AutoregressiveModel(
        Transformer(SYMBOLS, length, WIDTH, DEPTH, HEADS), CategoricalHead(WIDTH, SYMBOLS)
    ).eval()


def theirs(length: int):
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=SYMBOLS,
        n_positions=length + 1,
        n_embd=WIDTH,
        n_layer=DEPTH,
        n_head=HEADS,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
    )
    return GPT2LMHeadModel(config).eval()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.generate", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model, peer = ours(options.length), theirs(options.length)

    def generate(batch_size: int) -> None:
        start = torch.zeros(batch_size, 1, dtype=torch.long)
        with torch.inference_mode():
            drawn = peer.generate(
                start,
                attention_mask=torch.ones_like(start),
                do_sample=True,
                top_k=0,
                top_p=1.0,
                max_new_tokens=options.length,
                min_new_tokens=options.length,
                use_cache=True,
            )
        assert drawn.shape == (batch_size, options.length + 1)

    print(f"{DEPTH} layers x {WIDTH}, {options.length} elements, {torch.get_num_threads()} threads; seconds a sample")
    for batch_size, step in ((1, "eager"), (1, "compiled"), (64, "eager"), (64, "compiled")):
        sampler = model
        if step == "compiled":
            start = perf_counter()
            sampler = compile_step(model, batch_size)
            print(f"compiling the step for {batch_size}: {perf_counter() - start:.0f} s")
        mine, other = side_by_side(
            lambda n=batch_size, s=sampler: s.sample(n, seed=0),
            lambda n=batch_size: generate(n),
            rounds=options.rounds,
        )
        rate = batch_size * options.length / mine.median
        quiet = "; never undisturbed" if mine.disturbed or other.disturbed else ""
        print(
            f"batch {batch_size:2}: {step} step {mine}, {rate:.0f} elements/s | generate {other} "
            f"| {other.median / mine.median:.1f} times (goal {GOALS[batch_size]:g}), "
            f"{median(other.processor) / median(mine.processor):.2f} in processor time{quiet}",
            flush=True,
        )


if __name__ == "__main__":
    main()
