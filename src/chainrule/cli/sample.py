"""`chainrule sample`: draws from the model, as a picture, an array or text."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from chainrule.atomic_files import write_file
from chainrule.cli.stream import TextStream
from chainrule.data.alphabets.alphabet import Alphabet
from chainrule.data.encodings.base import Encoding
from chainrule.errors import InputError
from chainrule.models.base import Model, Sample
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.sampler import prefix_batch
from chainrule.reporting.console import Console
from chainrule.runs.prefix import Completion, prefixes
from chainrule.runs.run import Run
from chainrule.sampling.compiled import compile_step
from chainrule.sampling.parallel import parallel_sample

__all__ = ["sample_run"]

GROUP = 512  # examples that are drawn at once, a bound on the memory of their caches
PLAIN = {"temperature": 1.0, "top_k": None, "top_p": None}


def sample_run(
    path: Path,
    n: int,
    out: Path | None,
    seed: int,
    filters: dict[str, Any],
    console: Console,
    given: str | None = None,
    prefix: str | None = None,
    stream: bool = False,
    compiled: bool = False,
    parallel: bool = False,
) -> Path | None:
    """Draw n examples and write them: images as PNG, rows as .npy, tables as CSV, text as text, on standard output
    without --out. given: the condition of all of them, "3" or "age=39,sex=F". prefix: what they start with, see
    `prefixes`; ln p is that of the rest. stream: show a single text while it is drawn. compiled: with a compiled step.
    parallel: the same draws by fixed-point iteration.
    """
    if n < 1:
        raise InputError(f"a sample has at least one example, got n={n}")
    run = Run.open(path)
    encoding = run.encoding()
    alphabet = encoding.alphabet
    if stream and (alphabet is None or n != 1):
        what = f"{n} examples" if alphabet is not None else f"samples of kind {encoding.kind}"
        raise InputError(
            f"--stream shows one text while it is drawn, not {what}; leave it out, or ask for -n 1 of text"
        )
    begun = Completion(None) if prefix is None else prefixes(run, prefix, n)
    context = begun.context if begun.context is not None and given is None else _context(encoding, given, n)
    if out is None and not encoding.is_text:
        out = path / f"samples-seed{seed}{encoding.file_endings[0]}"
    endings = set(encoding.file_endings)
    if out is not None:
        if out.suffix not in endings:
            raise InputError(
                f"{out}: these samples are written as {' or '.join(sorted(endings - {''}))}; change the ending"
            )
        if not out.suffix and out.exists():
            raise InputError(f"{out}: exists already; name another folder with --out")
        if not out.parent.is_dir():
            raise InputError(f"{out.parent}: there is no such directory; make it, or name another place with --out")
    options = {"seed": seed, "end": encoding.domain.end, "context": context, "prefix": begun.prefix} | filters
    density = run.model()
    if not density.has_conditionals:
        sample = _in_orders(density, n, options, console, stream or compiled or parallel)
    elif parallel:
        sample = _iterated(density.single_chain(), n, options, console, stream or compiled)
    else:
        chain = density.single_chain()
        model = _compiled(chain, n, options, console) if compiled else chain
        sample = _draw(model, n, options, console, alphabet if stream else None)
    raw = encoding.decode(sample.x.cpu().numpy())
    if out is not None and not out.suffix:
        content = None
    elif out is not None and out.suffix == ".png":
        from chainrule.reporting.pictures import image_grid

        content = image_grid(np.asarray(raw), encoding.picture_levels, f"seed {seed}")
    else:
        content = encoding.write(raw, given)
    if out is None:
        if not console.json and not stream and content is not None:
            _say(console, content.decode(errors="replace") + "\n")
    else:
        try:
            if content is None:
                _write_folder(out, encoding.write_folder(raw))
            else:
                write_file(out, content)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
        console.print(f"{n} samples: [bold]{out}[/], mean ln p {float(sample.log_prob.mean()):.2f} nats")
    record: dict[str, Any] = {"run": str(path), "n": n, "seed": seed, "out": None if out is None else str(out)}
    record["log_prob"] = sample.log_prob.tolist()
    record["log_q"] = None if sample.log_q is None else sample.log_q.tolist()
    if out is None:
        record["text"] = [piece.decode(errors="replace") if isinstance(piece, bytes) else piece for piece in raw]
    console.result(record)
    return out


def _draw(
    model: AutoregressiveModel, n: int, options: dict[str, Any], console: Console, alphabet: Alphabet | None
) -> Sample:
    """Draw, and show how far it is; with an alphabet, show the text itself instead."""
    prefix_batch(options["prefix"], n, model.network.length)  # refused before anything is drawn, not group by group
    if alphabet is None:
        starts = range(0, max(n, 1), GROUP)
        with console.progress("sampling", len(starts) * model.network.length) as update:
            shown = options | {"on_element": lambda d, x: update(1)}
            parts = [model.sample(min(GROUP, n - start), first=start, **_from(start, shown)) for start in starts]
        return _joined(parts, options["end"])
    stream = TextStream(alphabet, options["end"], partial(_say, console))
    sample = model.sample(n, on_element=stream, **options)
    stream.close()
    _say(console, "\n")
    return sample


def _compiled(model: AutoregressiveModel, n: int, options: dict[str, Any], console: Console) -> AutoregressiveModel:
    """The model with a step that is compiled for a group of examples; what is left over of n takes the eager one."""
    prefix_batch(options["prefix"], n, model.network.length)
    at_once = min(n, GROUP)
    console.print(f"compiling the step for {at_once} at once")
    return compile_step(model, at_once, _from(0, options)["context"])


def _iterated(model: AutoregressiveModel, n: int, options: dict[str, Any], console: Console, other: bool) -> Sample:
    """The same draws in parallel passes, of whole examples and from the model itself."""
    if other or options["prefix"] is not None or options["end"] is not None or options | PLAIN != options:
        raise InputError(
            "--parallel draws whole examples of one length from the model itself; leave out --prefix, filters, "
            "--stream and --compile, or --parallel"
        )
    starts = range(0, n, GROUP)
    groups = [min(GROUP, n - start) for start in starts]
    drawn = []
    with console.progress("sampling", n) as update:
        for start, size in zip(starts, groups, strict=True):
            context = _from(start, options)["context"]
            seed = options["seed"]
            drawn.append(parallel_sample(model, size, seed=seed, first=start, context=context, on_pass=update))
    passes = sum(part.passes for part in drawn)
    console.print(f"{passes} passes for {len(groups) * model.network.length} steps")
    return _joined([part.sample for part in drawn], None)


def _in_orders(mixture: Model, n: int, options: dict[str, Any], console: Console, other: bool) -> Sample:
    """Each example in an order of its own, from the mean over orders itself."""
    plain = {"end": None} | PLAIN
    if other or options | plain != options:
        raise InputError(
            f"a {mixture.describe()} is sampled as it is, whole examples, each in an order of its own; "
            "leave out filters, --stream, --compile and --parallel"
        )
    told = {name: value for name, value in options.items() if name not in plain}
    with console.progress("sampling", n) as update:
        parts = []
        for start in range(0, n, GROUP):
            parts.append(mixture.sample(min(GROUP, n - start), first=start, **_from(start, told)))
            update(len(parts[-1]))
    return _joined(parts, None)


def _from(start: int, options: dict[str, Any]) -> dict[str, Any]:
    """The options of the group of examples that starts there: their conditions and their prefixes."""
    context, prefix = options["context"], options["prefix"]
    rows = slice(start, start + GROUP)
    if context is not None:
        context = context[rows]
    if prefix is not None and not (isinstance(prefix, torch.Tensor) and prefix.ndim == 1):
        prefix = prefix[rows]
    return options | {"context": context, "prefix": prefix}


def _joined(parts: list[Sample], end: int | None) -> Sample:
    """Groups of examples as one sample; where one group was over before another, `end` fills it up."""
    length = max(part.x.shape[1] for part in parts)
    short = [length - part.x.shape[1] for part in parts]
    x = [pad(part.x, (0, more), value=end if more else 0) for part, more in zip(parts, short, strict=True)]
    mask = [pad(part.mask, (0, more), value=False) for part, more in zip(parts, short, strict=True)]
    log_q = [part.log_q for part in parts if part.log_q is not None]
    log_p = torch.cat([part.log_prob for part in parts])
    return Sample(torch.cat(x), torch.cat(mask), log_p, torch.cat(log_q) if log_q else None)


def _say(console: Console, text: str) -> None:
    """Text as it is, at once; a table or a line of rich would expand its tabs."""
    console.console.file.write(text)
    console.console.file.flush()


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


def _write_folder(out: Path, files: dict[str, bytes]) -> None:
    """A new folder of files, there only when it is whole."""
    if out.exists():
        raise InputError(f"{out}: exists already; name another folder with --out")
    beside = out.with_name(f".{out.name}.{os.getpid()}")
    beside.mkdir()
    for name, content in files.items():
        write_file(beside / name, content)
    beside.rename(out)
