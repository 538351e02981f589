"""Training to a quality: 1.88 nats a character on all of tinyshakespeare's last 10 %, against nanoGPT's recipe.

    python -m benchmarks quality --data DIR

Each training is a process of its own. Warm is its training alone; cold is everything from the start of the process,
imports and reading included; scoring is apart. Both sides learn from the same characters of the first 90 %, and every
character of the last 10 % is scored once, from at least half a window. Ours is trained with another seed in each round,
and every one of them has to reach the quality.

Three ways of ours: the fastest, one block and a table of n-grams beside it; the peer's four layers with that table; and
the peer's layers and number of parameters, without it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

from benchmarks.row import Options, Row
from benchmarks.windows import TOLERANCE, Window, window

__all__ = ["ROWS"]

GOAL = 1.88
GOALS = {"warm": 5.0, "cold": 3.0}  # times as fast
RECIPE = "nanogpt"


@dataclass(frozen=True)
class Way:
    """How ours is trained: steps of 32 windows of 64 characters; blocks, and rows of the table of n-grams."""

    steps: int
    depth: int
    ngrams: int


WAYS = {
    "fastest": Way(steps=85, depth=1, ngrams=16_384),
    "same layers": Way(steps=70, depth=4, ngrams=16_384),
    "equal parameters": Way(steps=115, depth=4, ngrams=0),
}
WINDOW, BATCH = 64, 32


class Trained(NamedTuple):
    """Nats a character; seconds on the clock and of the processor, of training and of scoring."""

    nats: float
    training: tuple[float, float]
    scoring: tuple[float, float]


def spent(start: tuple[float, float]) -> tuple[float, float]:
    """Seconds on the clock and of the processor since then."""
    return perf_counter() - start[0], process_time() - start[1]


def ours(way: Way, data: Path | None, seed: int, quick: bool) -> Trained:
    """Train and score."""
    import torch

    from benchmarks.nanogpt import HEADS, WIDTH, text
    from chainrule.data.examples.stream import StreamExamples
    from chainrule.evaluation.evaluate import evaluate
    from chainrule.heads.categorical import CategoricalHead
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.networks.transformer import Transformer
    from chainrule.training.fit import fit
    from chainrule.training.settings import TrainingSettings

    train, test, symbols = text(data, quick)
    steps = 2 if quick else way.steps
    settings = TrainingSettings(
        steps=steps,
        batch_size=BATCH,
        normalisation="per_element",
        optimizer="muon",
        learning_rate=2e-2,
        weight_decay=0.2,
        warmup=0.02,
        ema=0.9,
        evaluate_every=steps,
        seed=seed,
    )
    torch.manual_seed(seed)
    network = Transformer(symbols, WINDOW, WIDTH, way.depth, HEADS, ngrams=way.ngrams)
    model = AutoregressiveModel(network, CategoricalHead(WIDTH, symbols))
    few = StreamExamples(train[:WINDOW], WINDOW, WINDOW)
    start = perf_counter(), process_time()
    fit(model, StreamExamples(train, WINDOW, WINDOW), few, settings)
    trained = spent(start)
    start = perf_counter(), process_time()
    nats = evaluate(model, StreamExamples(test, WINDOW, WINDOW // 2)).likelihood.nats_per_element.value
    return Trained(nats, trained, spent(start))


def theirs(data: Path | None, seed: int, quick: bool) -> Trained:
    """The same of the recipe."""
    import torch

    from benchmarks import nanogpt

    train, test, symbols = nanogpt.text(data, quick)
    recipe = nanogpt.Recipe(torch.from_numpy(train), symbols, 2 if quick else nanogpt.STEPS, seed)
    start = perf_counter(), process_time()
    model = recipe.run()
    trained = spent(start)
    start = perf_counter(), process_time()
    return Trained(nanogpt.nats(model, torch.from_numpy(test)), trained, spent(start))


def child(side: str, options: Options, seed: int) -> Trained:
    """Train one side in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.quality", side, "--seed", str(seed)]
    command += ["--threads", str(options.threads)]
    command += ["--quick"] if options.quick else ["--data", str(options.data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1])
    return Trained(*json.loads(done.stdout.splitlines()[-1]))


def quality(options: Options) -> list[Row]:
    """Rows of each of our ways, warm and cold; the recipe is trained once a round."""
    sides = [*WAYS, RECIPE]
    results: dict[str, list[Trained]] = {side: [] for side in sides}
    windows: dict[str, list[Window]] = {side: [] for side in sides}
    for seed in range(options.rounds):
        for side in sides:
            windows[side].append(window(lambda s=side, n=seed: results[s].append(child(s, options, n))))
    disturbed = any(each.others > TOLERANCE for side in sides for each in windows[side])
    clock = int(disturbed)  # on the clock or of the processor
    seconds = {(side, "warm"): tuple(result.training[clock] for result in results[side]) for side in sides} | {
        (side, "cold"): tuple(
            each[clock] - result.scoring[clock] for result, each in zip(results[side], windows[side], strict=True)
        )
        for side in sides
    }
    worst = {side: max(result.nats for result in results[side]) for side in sides}
    return [
        Row(
            f"training to {GOAL} nats/character, {way}, {kind}",
            "nanoGPT's recipe",
            seconds[way, kind],
            seconds[RECIPE, kind],
            goal=goal,
            clock="processor" if disturbed else "wall",
            note=f"{worst[way]:.3f} nats{'' if worst[way] <= GOAL else ', NOT reached'}, theirs {worst[RECIPE]:.3f}",
            reached=worst[way] <= GOAL,
        )
        for way in WAYS
        for kind, goal in GOALS.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description="One training, as JSON.")
    parser.add_argument("side", choices=[*WAYS, RECIPE])
    parser.add_argument("--data", type=Path, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()

    import torch

    torch.set_num_threads(options.threads)
    train = theirs if options.side == RECIPE else partial(ours, WAYS[options.side])
    print(json.dumps(train(options.data, options.seed, options.quick)))


ROWS = {"quality": quality}

if __name__ == "__main__":
    main()
