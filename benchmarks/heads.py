"""Heads for many symbols: time and memory of a training step's loss, and nats per word of a real text.

    python -m benchmarks.heads loss [--case full|128000|8192|256] [--rounds 5] [--processor-time] [--record FILE]
    python -m benchmarks.heads words --data DIR [--seconds 60] [--record FILE]

`loss` runs forward and backward of every head on the same random features, beside the cross entropy of a linear map
and PyTorch's own chunked one, and takes each one's peak of resident memory. Targets follow Zipf's law, as words do.

`words` trains one small network under every head on *War and Peace*, word by word, each for the same processor time on
one thread, and scores every word of the test split exactly. DIR holds warpeace_input.txt.gz. A word that occurs once in
the training split is the symbol "unknown", in all splits.
"""

import argparse
import gzip
import json
import re
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from benchmarks.losses import CHUNKED, PEERS, PLAIN, Linear, climb, problem, taken
from benchmarks.windows import Timing, Window, side_by_side
from chainrule.data.examples.stream import StreamExamples
from chainrule.heads import AdaptiveSoftmaxHead, CategoricalHead, HierarchicalSoftmaxHead, SampledSoftmaxHead
from chainrule.likelihood import LogLikelihood
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv

HEADS = {
    "exact softmax": lambda h, v, counts: CategoricalHead(h, v),
    "adaptive softmax": AdaptiveSoftmaxHead,
    "hierarchical softmax": HierarchicalSoftmaxHead,
    "sampled softmax": lambda *a: SampledSoftmaxHead(*a, estimate="sampled_softmax"),
    "NCE": lambda *a: SampledSoftmaxHead(*a, estimate="nce"),
    "negative sampling": lambda *a: SampledSoftmaxHead(*a, estimate="negative_sampling"),
}


def objective(head, h, x):
    """What training climbs: the estimate of a head that has one, the exact log-probability of all others."""
    return head.training_estimate(h, x) if isinstance(head, SampledSoftmaxHead) else head(h).log_prob(x)


# --- time and memory ------------------------------------------------------------------------------------------------

CASES = {"full": 50_257, "128000": 128_000, "8192": 8192, "256": 256}


class Climbed(torch.nn.Module):
    """The mean of what a head gives training to climb, as a loss."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, h, x):
        return -objective(self.head, h, x).mean()


def candidates(features, num_symbols, counts, chosen):
    """The losses that are compared, by name."""
    losses = {name: Linear(features, num_symbols, PEERS[name]) for name in (PLAIN, CHUNKED)}
    losses |= {name: Climbed(head(features, num_symbols, counts)) for name, head in HEADS.items()}
    return {name: loss for name, loss in losses.items() if chosen is None or name in chosen}


def processor_times(*functions, rounds):
    """On a machine that is never quiet: every window counts, by its processor time, which others disturb less."""
    timings = side_by_side(*functions, rounds=rounds, tolerance=-1.0)
    return [Timing(tuple(Window(spent, spent, 0.0) for spent in timing.processor)) for timing in timings]


def compare_losses(options):
    torch.set_num_threads(1 if options.processor_time else 2)
    rows, features, num_symbols = options.rows, options.features, CASES[options.case]
    h, x, counts = problem(rows, features, num_symbols)
    losses = candidates(features, num_symbols, counts, options.only)
    memory = {name: taken(loss, h, x) for name, loss in losses.items()}
    functions = [lambda loss=loss: climb(loss, h, x) for loss in losses.values()]
    timings = (processor_times if options.processor_time else side_by_side)(*functions, rounds=options.rounds)
    clock = "processor time of one thread" if options.processor_time else "two threads"
    print(f"N = {rows}, H = {features}, V = {num_symbols}, forward and backward, {clock}")
    print(f"{'':34}{'median (range)':>32}{'x plain':>9}{'MiB':>8}   windows thrown away")
    records = []
    plain = dict(zip(losses, timings, strict=True)).get(PLAIN)
    for (name, mib), timing in zip(memory.items(), timings, strict=True):
        ratio = timing.median / plain.median if plain else float("nan")
        note = "all disturbed" if timing.disturbed else timing.thrown_away
        print(f"{name:34}{timing!s:>32}{ratio:9.3f}{mib:8.0f}   {note}")
        records.append({"name": name, "seconds": timing.seconds, "mib": mib, "disturbed": timing.disturbed})
    return {"rows": rows, "features": features, "num_symbols": num_symbols, "losses": records}


# --- words ----------------------------------------------------------------------------------------------------------


def words(directory):
    """The splits of the text as symbols, in order 80/10/10, and the number of symbols; 0 is the unknown word."""
    text = gzip.decompress((directory / "warpeace_input.txt.gz").read_bytes()).decode("utf-8-sig")
    stream = re.findall(r"\w+|[^\w\s]", text)
    first, second = (len(stream) * tenths // 10 for tenths in (8, 9))
    count = Counter(stream[:first])
    symbols = {word: i for i, word in enumerate(sorted(w for w in count if count[w] > 1), 1)}
    ids = np.array([symbols.get(word, 0) for word in stream])
    return ids[:first], ids[first:second], ids[second:], len(symbols) + 1


def train(model, stream, options):
    """TrainingForward for the given processor time; returns the number of steps."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.learning_rate, weight_decay=0.01, fused=True)
    generator, start, steps = np.random.default_rng(0), time.process_time(), 0
    windows = StreamExamples(stream, options.window, options.window)
    while (spent := (time.process_time() - start) / options.seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1.0, (steps + 1) / 50, 2 * (1 - spent))
        x = windows.batch(generator.integers(len(windows) - 1, size=options.batch_size)).x
        optimizer.zero_grad()
        (-objective(model.head, model.network(x), x).mean()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        steps += 1
    return steps


@torch.inference_mode()
def evaluate(model, stream, options):
    """The exact log-likelihood of every word, each given at least half a window, and ln Z of a head that has one."""
    model.eval()
    windows = StreamExamples(stream, options.window, options.window // 2)
    total, features = LogLikelihood.zero(), []
    for rows in np.array_split(np.arange(len(windows)), len(windows) // 32 + 1):
        batch = windows.batch(rows)
        total += LogLikelihood.of(batch, model.log_prob(batch))
        features.append(model.network(batch.x)[batch.mask])
    log_z = model.head.log_z(torch.cat(features)) if isinstance(model.head, SampledSoftmaxHead) else None
    return total, log_z


def compare_words(options):
    torch.set_num_threads(1)
    training, validation, test, num_symbols = words(options.data)
    counts = torch.bincount(torch.from_numpy(training), minlength=num_symbols)
    unigram = -((counts + 1) / (counts + 1).sum()).log()[test].mean()
    print(
        f"{len(training)} + {len(validation)} + {len(test)} words, V = {num_symbols}; unigram {unigram:.3f} nats/word"
    )
    print(
        f"{'':22}{'test nats/word':>18}{'validation':>18}{'perplexity':>12}{'steps':>8}{'epochs':>8}   ln Z: mean, var"
    )
    records = [{"name": "unigram", "test": float(unigram)}]
    for name, head in HEADS.items():
        if options.only is not None and name not in options.only:
            continue
        torch.manual_seed(0)
        network = CausalConv(num_symbols, options.window, options.width, depth=options.depth)
        model = AutoregressiveModel(network, head(options.width, num_symbols, counts))
        steps = train(model, training, options)
        epochs = steps * options.batch_size * options.window / len(training)
        (held_out, _), (total, log_z) = (evaluate(model, stream, options) for stream in (validation, test))
        note = "" if log_z is None else f"{log_z.mean:.3f}, {log_z.variance:.4f}"
        print(
            f"{name:22}{total.nats_per_element!s:>18}{held_out.nats_per_element!s:>18}"
            f"{total.perplexity.value:12.1f}{steps:8}{epochs:8.2f}   {note}",
            flush=True,
        )
        record = {"name": name, "steps": steps, "epochs": epochs, "log_z": log_z and log_z._asdict()}
        records.append(record | {"validation": held_out.to_json(), "test": total.to_json()})
    return {"num_symbols": num_symbols, "seconds": options.seconds, "heads": records}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = parser.add_subparsers(required=True)
    loss, text = tables.add_parser("loss"), tables.add_parser("words")
    loss.set_defaults(table=compare_losses)
    loss.add_argument("--case", choices=CASES, default="full")
    loss.add_argument("--rows", type=int, default=4096)
    loss.add_argument("--features", type=int, default=512)
    loss.add_argument("--rounds", type=int, default=5)
    loss.add_argument("--processor-time", action="store_true", help="on one thread, for a machine that is never quiet")
    text.set_defaults(table=compare_words)
    text.add_argument("--data", type=Path, required=True)
    text.add_argument("--seconds", type=float, default=60, help="processor time of one thread for each head")
    text.add_argument("--window", type=int, default=64)
    text.add_argument("--batch-size", type=int, default=16)
    text.add_argument("--width", type=int, default=128)
    text.add_argument("--depth", type=int, default=5)
    text.add_argument("--learning-rate", type=float, default=2e-3)
    for table in (loss, text):
        table.add_argument("--only", nargs="+", default=None, help="names of rows, by default all")
        table.add_argument("--record", type=Path, default=None, help="write the figures here, as JSON")
    options = parser.parse_args()
    torch.manual_seed(0)
    record = options.table(options) | {"torch": torch.__version__}
    if options.record is not None:
        options.record.write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
