"""`Run.sample`: draws from the model, as raw data and as the kind of file that the data is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from chainrule.data.encodings.base import Encoding
from chainrule.data.sources.memory import available_bytes
from chainrule.errors import InputError
from chainrule.models.base import Sample
from chainrule.runs.drawing import Drawing, refusal_of_orders
from chainrule.runs.prefixes import Completion, prefixes
from chainrule.runs.progress import Progress, silent
from chainrule.runs.sample_files import check_place, write_samples_to
from chainrule.sampling.chosen_step import is_by_program

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["SampleResult", "default_sample_file", "sample"]

BYTES_PER_ELEMENT = 32  # the element, its noise and its log-probability


@dataclass(frozen=True, eq=False)
class SampleResult:
    """What was drawn, as raw data.

    run, seed: the model and the key of the draws.
    raw: one item per example: an image, a row, a text; a list or an array.
    sample: the elements, and ln p of each example.
    text: the content of a file of these samples, where that is text and none was written; None for other data.
    out: the file or folder that was written, None if none was.
    passes: parallel passes that were taken, None where elements were drawn one by one.
    steps: steps that drawing one by one takes.
    compiled: whether the step was a compiled one.
    """

    run: str
    seed: int
    raw: Any
    sample: Sample
    text: str | None = None
    out: Path | None = None
    passes: int | None = None
    steps: int = 0
    compiled: bool = False

    def __len__(self) -> int:
        return len(self.sample)

    def to_json(self) -> dict[str, Any]:
        """Where the samples stand, or the samples themselves where no file was written, and ln p of each."""
        out, log_q = None if self.out is None else str(self.out), self.sample.log_q
        record: dict[str, Any] = {"run": self.run, "n": len(self), "seed": self.seed, "out": out}
        record["compiled"] = self.compiled
        record["log_prob"] = self.sample.log_prob.tolist()
        record["log_q"] = None if log_q is None else log_q.tolist()
        if self.out is None:
            record["text"] = [
                piece.decode(errors="replace") if isinstance(piece, bytes) else piece for piece in self.raw
            ]
        return record


def default_sample_file(run: Run, seed: int) -> Path | None:
    """Where the command line writes samples that are not text, without --out."""
    encoding = run.encoding()
    return None if encoding.is_text else run.directory / f"samples-seed{seed}{encoding.file_endings[0]}"


def sample(
    run: Run,
    n: int | None = None,
    *,
    given: str | None = None,
    prefix: str | None = None,
    length: int | None = None,
    out: Path | str | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stream: bool | Callable[[str], Any] = False,
    compile: bool | None = None,
    parallel: bool = False,
    moved_to: Path | str | None = None,
    progress: Progress = silent,
    group: int = 512,
) -> SampleResult:
    """Draw examples from the model: its own distribution, nothing cut off, unless a filter is asked for.

    n: number of examples, by default 64, or 1 with `stream`.
    given: the condition of p(x | c): a label, or "age=39,sex=F".
    prefix: what each example starts with: text, a .npy file, or "test:0.5" for half of a test example; ln p is that of
        the rest.
    length: text: symbols of an example, its prefix among them; by default those that the model reads at once. What is
        longer is drawn in windows that move on, as `evaluate` scores a text.
    out: a file of the data's own kind (.png, .npy, .csv or text) or a folder of PNG, by default none.
    seed: draws are keyed by (seed, example, element).
    temperature: 1 is the model itself.
    top_k: keep only the k most probable symbols.
    top_p: keep only the most probable symbols up to this mass.
    stream: text: show each symbol as it is drawn, on standard output or by a function of yours.
    compile: whether a compiled step is taken, several times as fast for few examples of many elements: True compiles it
        if it is not in the cache (20 s), False never takes it. By default it is taken where it is in the cache, and
        compiled where that pays: from 30,000 steps on, for up to eight examples side by side.
    parallel: the same draws by fixed-point iteration, in fewer passes.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    progress: shows how far it is.
    group: examples that are drawn at once, a bound on memory.
    """
    run = run.moved(moved_to)
    encoding, out = run.encoding(), None if out is None else Path(out)
    n = n if n is not None else 1 if stream else 64
    if n < 1:
        raise InputError(f"a sample has at least one example, got n={n}")
    if stream and (encoding.alphabet is None or n != 1):
        what = f"{n} examples" if encoding.alphabet is not None else f"samples of kind {encoding.kind}"
        raise InputError(
            f"--stream shows one text while it is drawn, not {what}; leave it out, or ask for -n 1 of text"
        )
    if length is not None:
        _refuse_length(length, encoding)
    _refuse_too_many(n, length or encoding.domain.length)
    begun = Completion(None) if prefix is None else prefixes(run, prefix, n)
    context = begun.context if begun.context is not None and given is None else _context(encoding, given, n)
    if out is not None:
        check_place(encoding, out)
    end = encoding.domain.end
    drawing = Drawing(
        n, seed, progress, context, begun.prefix, end, temperature, top_k, top_p, group, length, encoding.moves_on or 0
    )
    sample, passes, compiled = _draw(run, drawing, stream=stream, compiled=compile, parallel=parallel)
    raw = encoding.decode(sample.x.cpu().numpy())
    if out is not None:
        write_samples_to(out, encoding, raw, given=given, title=f"seed {seed}")
    text = encoding.write(raw, given).decode(errors="replace") if encoding.is_text and out is None else None
    steps = -(-n // group) * sample.x.shape[1]
    return SampleResult(run.name, seed, raw, sample, text, out, passes, steps, compiled)


def _draw(
    run: Run, drawing: Drawing, *, stream: bool | Callable[[str], Any], compiled: bool | None, parallel: bool
) -> tuple[Sample, int | None, bool]:
    """The draws, by the way that was asked for; how many parallel passes they took; whether the step was compiled."""
    model = run.model()
    if not model.has_conditionals:
        if stream or compiled or parallel:
            raise refusal_of_orders(model)
        return drawing.in_orders(model), None, False
    if parallel:
        if stream or compiled:
            raise InputError("--parallel draws whole examples at once; leave out --stream and --compile, or --parallel")
        return (*drawing.in_passes(model.single_chain()), False)
    chain, alphabet = drawing.stepping(model.single_chain(), compiled), run.encoding().alphabet
    if stream and alphabet is not None:
        return drawing.shown(chain, alphabet, _show if stream is True else stream), None, is_by_program(chain)
    return drawing.one_by_one(chain), None, is_by_program(chain)


def _refuse_length(length: int, encoding: Encoding) -> None:
    """Refuse a length where examples have one of their own."""
    if encoding.moves_on is None:
        raise InputError(
            f"--length {length}: examples of kind {encoding.kind} have a length of their own; leave --length out"
        )
    if length < 1:
        raise InputError(f"--length {length}: a text has at least one symbol")


def _refuse_too_many(n: int, length: int) -> None:
    """Refuse more examples than memory holds."""
    needed, free = n * length * BYTES_PER_ELEMENT, available_bytes()
    if needed > free:
        raise InputError(
            f"{n:,} examples of {length:,} elements need some {needed / 1e9:,.0f} GB, there are "
            f"{free / 1e9:,.1f} GB; draw fewer at a time, with another --seed each time"
        )


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _context(encoding: Encoding, given: str | None, n: int) -> torch.Tensor | None:
    """The context of n examples, for a model that has one."""
    conditions = encoding.conditions
    if conditions is None:
        if given is not None:
            raise InputError(f"--given {given}: the model is of p(x) and takes no condition; leave --given out")
        return None
    if given is None:
        raise InputError(f"the model is of p(x | {conditions.description}); say what is given with --given")
    context = torch.from_numpy(conditions.parse(given))
    return context.expand(n, *context.shape[1:])
