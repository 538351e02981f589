"""CTranslate2, an engine in C++, as a peer for sampling: a GPT-2 of random weights in a process of its own.

    python -m benchmarks.ctranslate DEPTH WIDTH HEADS LENGTH THREADS

Two OpenMP runtimes in one process slow both down tenfold, so that this file, which is the other process, imports no
torch. It reads how many examples to draw, a number per line, and answers with the processor seconds that it took.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from benchmarks.windows import Elsewhere

__all__ = ["Engine"]

SYMBOLS, NEVER = 256, -1e4


class Engine:
    """The other process: call it with a number of examples, and it draws them.

    depth, width, heads: layers, features, heads. length: elements per example. threads: of a product.
    """

    def __init__(self, depth: int, width: int, heads: int, length: int, threads: int) -> None:
        words = [str(number) for number in (depth, width, heads, length, threads)]
        command = [sys.executable, "-m", "benchmarks.ctranslate", *words]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, n: int) -> Elsewhere:
        """Draw n examples."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(n, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("the process of CTranslate2 has ended; is it installed?")
        return Elsewhere(answer)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def gpt2(depth: int, width: int, heads: int, length: int) -> Any:
    """The specification of a GPT-2 with random weights in float32."""
    from ctranslate2.specs import common_spec, transformer_spec

    draw = partial(np.random.default_rng(0).normal, 0.0, 0.02)
    spec = transformer_spec.TransformerDecoderModelSpec.from_config(
        depth, heads, pre_norm=True, activation=common_spec.Activation.GELUTanh
    )

    def linear(part: Any, rows: int, columns: int) -> None:
        part.weight, part.bias = draw(size=(rows, columns)).astype(np.float32), np.zeros(rows, np.float32)

    def norm(part: Any) -> None:
        part.gamma, part.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    decoder = spec.decoder
    decoder.scale_embeddings = False
    decoder.embeddings.weight = draw(size=(SYMBOLS, width)).astype(np.float32)
    decoder.position_encodings.encodings = draw(size=(length + 1, width)).astype(np.float32)
    norm(decoder.layer_norm)
    for layer in decoder.layer:
        norm(layer.self_attention.layer_norm)
        linear(layer.self_attention.linear[0], 3 * width, width)
        linear(layer.self_attention.linear[1], width, width)
        norm(layer.ffn.layer_norm)
        linear(layer.ffn.linear_0, 4 * width, width)
        linear(layer.ffn.linear_1, width, 4 * width)
    linear(decoder.projection, SYMBOLS, width)
    decoder.projection.bias[-1] = NEVER  # the end, which is not to be drawn
    spec.register_vocabulary([f"s{symbol}" for symbol in range(SYMBOLS - 1)] + ["<end>"])
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "s0", "<end>", "s0"
    return spec


def main(depth: int, width: int, heads: int, length: int, threads: int) -> None:
    """Answer until there is no more to draw."""
    import ctranslate2

    spec = gpt2(depth, width, heads, length)
    with TemporaryDirectory() as folder:
        spec.validate()
        spec.optimize(quantization=None)
        spec.save(folder)
        engine = ctranslate2.Generator(folder, device="cpu", compute_type="float32", intra_threads=threads)
        for line in sys.stdin:
            start, n = process_time(), int(line)
            plain = {"sampling_topk": 0, "sampling_topp": 1.0, "sampling_temperature": 1.0, "beam_size": 1}
            drawn = engine.generate_batch([["s0"]] * n, max_length=length, include_prompt_in_result=False, **plain)
            if {len(example.sequences_ids[0]) for example in drawn} != {length}:
                raise ArithmeticError(f"drew {len(drawn[0].sequences_ids[0])} elements, expected {length}")
            print(process_time() - start, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
