"""What holds on a GPU, and how fast it is there: one script, within 12 minutes on one CUDA device.

    python -m benchmarks.gpu [PART ...] [--device cuda] [--quick] [--out gpu.json]

Each part is a check with its figures, or a figure alone; all are lines of JSON in the file, with versions and the
device. A part that fails or raises is told and the others go on; the exit code is 1 then. `--device cpu --quick` is the
smoke test of the script itself.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

Figures = dict[str, Any]
ROUNDING = 1e-3  # of ln p of an element in float32 on two devices, absolute and relative
CLOSE = 0.02  # of the nats, between float32 and bfloat16


@dataclass(frozen=True)
class Options:
    """device: of torch; quick: whether sizes are those of a smoke test."""

    device: torch.device
    quick: bool

    def waited(self) -> float:
        """The time, once the device has done what it was asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def equal_ln_p(options: Options) -> Iterator[Figures]:
    """ln p of every network and of every head is that of the processor, up to rounding."""
    from chainrule import AutoregressiveModel, Batch
    from tests.laws.head_instances import HEADS
    from tests.laws.network_instances import LENGTH, NETWORKS
    from tests.laws.test_laws import pairs

    chosen = [pair.values for pair in pairs() if not pair.marks]
    for network, head in chosen[:6] if options.quick else chosen:
        torch.manual_seed(0)
        instance, built = NETWORKS[network], HEADS[head]()
        model = AutoregressiveModel(instance.build(built.num_symbols), built).eval()
        context = None if instance.context is None else instance.context[torch.arange(8) % len(instance.context)]
        x = model.sample(8, seed=0, length=LENGTH, context=context).x
        with torch.no_grad():
            here = model.element_log_prob(Batch(x, context=context)).double()
            there = deepcopy(model).to(options.device).element_log_prob(Batch(x, context=context).to(options.device))
        apart = float(((there.double().cpu() - here).abs() / (1 + here.abs())).max())
        yield {"what": f"{network}; {head}", "ok": apart < ROUNDING, "largest relative difference": apart}


def packed_rows(options: Options) -> Iterator[Figures]:
    """Examples next to each other in one row have the ln p that each has alone (flex attention on CUDA)."""
    from chainrule import AutoregressiveModel, Batch, CategoricalHead, Transformer

    torch.manual_seed(0)
    length = 64 if options.quick else 1024
    model = AutoregressiveModel(Transformer(50, length, 64, 2, 4), CategoricalHead(64, 50)).to(options.device).eval()
    x = torch.randint(50, (4, length), device=options.device)
    cuts = [0, length // 4, length // 3, length - 1, length]
    segment_ids = torch.bucketize(torch.arange(length), torch.tensor(cuts[1:-1]), right=True).to(options.device)
    with torch.no_grad():
        packed = model.element_log_prob(Batch(x, segment_ids=segment_ids.expand(4, -1)))
        alone = torch.cat([model.element_log_prob(Batch(x[:, a:b])) for a, b in pairwise(cuts)], 1)
    apart = float((packed - alone).abs().max())
    yield {"what": f"4 rows of {length} elements", "ok": apart < ROUNDING, "largest difference": apart}


def resumed_bits(options: Options) -> Iterator[Figures]:
    """A fit that was interrupted and resumed ends with the bits of one that was left alone."""
    words = ["fit", "digits", "--steps", "24", "--evaluate-every", "12", "--checkpoint-every", "4", "--dropout", "0.2"]
    words += ["--width", "8", "--depth", "1"] if options.quick else []
    with tempfile.TemporaryDirectory() as folder:
        whole, cut = Path(folder) / "whole", Path(folder) / "cut"
        _command(*words, "--out", whole)
        process = subprocess.Popen(_words(*words, "--out", cut), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (cut / "checkpoints" / "step-00000004").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        code = process.wait(120)
        _command(*words, "--out", cut, "--resume")
        same = (whole / "model.safetensors").read_bytes() == (cut / "model.safetensors").read_bytes()
    yield {"what": "digits, 24 steps, interrupted", "ok": same and code == 130, "exit code": code}


def ways_to_fit(options: Options) -> Iterator[Figures]:
    """Microbatches that were found, bfloat16 and a compiled network give the nats of a plain fit, nearly."""
    import chainrule as cr

    sizes: Any = {"steps": 20, "evaluate_every": 10, "batch_size": 64}
    sizes |= {"width": 8, "depth": 1} if options.quick else {}
    ways: dict[str, Any] = {
        "plain": {},
        "microbatch auto": {"microbatch": "auto"},
        "bfloat16": {"precision": "bfloat16"},
    }
    if not options.quick:
        ways["compiled"] = {"compile": True}
    plain = None
    for way, more in ways.items():
        begin = options.waited()
        run = cr.fit("digits", **sizes, **more)
        nats = run.report_dict["results"]["test"]["nats_per_example"]
        plain = nats if plain is None else plain
        ok = abs(nats - plain) < (CLOSE if way == "bfloat16" else ROUNDING) * plain
        found = {"microbatch": run.config["training"]["microbatch"]} if way.startswith("micro") else {}
        yield {"what": way, "ok": ok, "test nats": nats, "seconds": options.waited() - begin} | found


def one_process_of_a_job(options: Options) -> Iterator[Figures]:
    """A job of one process, by nccl where there is CUDA, fits as a plain command does."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "fit",
            "digits",
            "--steps",
            "4",
            "--width",
            "8",
            "--depth",
            "1",
            "--engine",
            "ddp",
            "--out",
            folder + "/run",
        ]
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1"]
        done = subprocess.run([*launcher, "-m", "chainrule", *words], capture_output=True, text=True, timeout=300)
    yield {"what": "ddp, 4 steps", "ok": done.returncode == 0, "said": done.stderr[-300:] if done.returncode else ""}


def steps(options: Options) -> Iterator[Figures]:
    """Training steps of our transformer beside nanoGPT's network, written out, in one plain loop; peak of memory."""
    from benchmarks.nanogpt import GPT
    from chainrule import AutoregressiveModel, CategoricalHead, Transformer

    symbols, length, width, depth, batch = (65, 32, 128, 1, 2) if options.quick else (50_304, 1024, 768, 12, 12)
    x = torch.randint(symbols, (batch, length), device=options.device)

    def ours() -> Callable[[], torch.Tensor]:
        network = Transformer(symbols, length, width, depth, max(4, width // 64))
        model = AutoregressiveModel(network, CategoricalHead(width, symbols)).to(options.device)
        return _loop(model, options, lambda: -model.log_prob(x).sum() / x.numel())

    def theirs() -> Callable[[], torch.Tensor]:
        network = GPT(symbols, length, width, depth).to(options.device)
        return _loop(
            network, options, lambda: F.cross_entropy(network(x)[:, :-1].flatten(0, 1).float(), x[:, 1:].flatten())
        )

    for name, made in (("our transformer", ours), ("nanoGPT's network", theirs)):
        if options.device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        step, count = made(), 2 if options.quick else 20
        step()
        begin = options.waited()
        for _ in range(count):
            step()
        seconds = (options.waited() - begin) / count
        peak = torch.cuda.max_memory_allocated() / 2**20 if options.device.type == "cuda" else None
        yield {"what": f"{name}, {depth} x {width}", "tokens per second": x.numel() / seconds, "peak MiB": peak}


def _loop(module: nn.Module, options: Options, loss: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """One step: forward in bfloat16 on CUDA, backward, fused AdamW."""
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-4, fused=options.device.type == "cuda")
    half = torch.autocast("cuda", torch.bfloat16) if options.device.type == "cuda" else nullcontext()

    def step() -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        with half:
            value = loss()
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def draws(options: Options) -> Iterator[Figures]:
    """Elements a second of the cached walk, for one example and for many."""
    from chainrule import AutoregressiveModel, CategoricalHead, Transformer

    length, width, depth = (32, 32, 1) if options.quick else (512, 384, 6)
    model = AutoregressiveModel(Transformer(256, length, width, depth, 4), CategoricalHead(width, 256)).to(
        options.device
    )
    for n in (1, 8 if options.quick else 256):
        model.sample(n, seed=0, length=8)
        begin = options.waited()
        model.sample(n, seed=0)
        yield {
            "what": f"{depth} x {width}, {n} examples",
            "elements per second": n * length / (options.waited() - begin),
        }


EVERY = (equal_ln_p, packed_rows, resumed_bits, ways_to_fit, one_process_of_a_job, steps, draws)
PARTS = {part.__name__: part for part in EVERY}


def _words(*words: Any) -> list[str]:
    return [sys.executable, "-m", "chainrule", *map(str, words)]


def _command(*words: Any) -> None:
    subprocess.run(_words(*words), check=True, capture_output=True, timeout=600)


def main(words: list[str] | None = None) -> int:
    """Run the parts, print a line of each, and write the JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} [default: all]")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--quick", action="store_true", help="sizes of a smoke test")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    asked = parser.parse_args(words)
    if unknown := set(asked.parts) - PARTS.keys():
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if asked.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the commands and fits below take what they see
    elif not torch.cuda.is_available():
        parser.error("torch sees no CUDA device; --device cpu --quick tries the script itself")
    options = Options(torch.device(asked.device), asked.quick)
    found: list[Figures] = []
    for part in asked.parts or PARTS:
        begin = options.waited()
        try:
            rows = [{"part": part} | figures for figures in PARTS[part](options)]
        except Exception:  # the other parts are still wanted
            rows = [{"part": part, "what": "it raised", "ok": False, "said": traceback.format_exc()[-2000:]}]
        found += rows
        failed = [row["what"] for row in rows if row.get("ok") is False]
        print(f"{part}: {len(rows)} rows, {f'FAILED: {failed}' if failed else 'all right'}, "
              f"{options.waited() - begin:.0f} s", flush=True)  # fmt: skip
    name = torch.cuda.get_device_name() if asked.device == "cuda" else "cpu"
    asked.out.write_text(json.dumps({"device": name, "torch": torch.__version__, "rows": found}, indent=1) + "\n")
    return int(any(row.get("ok") is False for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
