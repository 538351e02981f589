"""JSB chorales (quarter notes) and Nottingham folk tunes: the keys that sound in each time step.

    python -m recipes.music --data DIR         both;  chainrule reproduce jsb_chorales for one

A chorale's step is the numbers of its keys in ascending order and then "."; a folk tune's, whose chords are held for
long, the keys that begin and, as -key, those that end, in ascending order of the keys, and then ".". Both are
one-to-one with the 88 binary keys: so nats a step are those of the papers. ln p of a piece of N steps is the sum over
its tokens; strings that do not ascend, or end what does not sound, are no pieces, and what the model gives them is
lost: its probabilities of pieces sum to less than one, and the figure is an upper bound. For the chorales `also` has
the model whose symbols below the last key of the step are ruled out, which sums to one over sets.

Training sees every piece in twelve keys, from 5 semitones below to 6 above as far as they stay on the keyboard; valid
and test are as they stand. The convention of the TCN paper, which the figure follows, leaves the first step of each
piece unscored. RNN-NADE chains the keys within a step, as we do; the figures of TCN, GRU, LSTM and RNN do not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.sources.sequence_files import read_sequences
from chainrule.errors import InputError
from chainrule.likelihood import LogLikelihood, Ratio
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.reproduction.recipe import Published, Recipe

END = "."  # of a step; sorts after every key
LOWEST, HIGHEST = 21, 108
SHIFTS = range(-5, 7)
LATER, ALL = "nats/step, first steps not scored", "nats/step"
TCN = "Bai, Kolter, Koltun, An Empirical Evaluation of Generic Convolutional and Recurrent Networks, 2018, table 1"
BOULANGER = "Boulanger-Lewandowski, Bengio, Vincent, Modeling Temporal Dependencies, ICML 2012"

Steps = list[list[int]]
Writing = Callable[..., list[int | str]]
Nats = npt.NDArray[np.float64]


def tokens(piece: Steps, shift: int = 0) -> list[int | str]:
    """The keys of each step in ascending order, each step with its end.

    >>> tokens([[64, 60], []], shift=2)
    [62, 66, '.', '.']
    """
    found: list[int | str] = []
    for step in piece:
        found += [*(key + shift for key in sorted(set(step))), END]
    return found


def changes(piece: Steps, shift: int = 0) -> list[int | str]:
    """The keys that begin and, as -key, end with each step, in ascending order of the keys, each step with its end.

    >>> changes([[64, 60], [64], []])
    [60, 64, '.', -60, '.', -64, '.']
    """
    found: list[int | str] = []
    before: set[int] = set()
    for step in piece:
        now = {key + shift for key in step}
        found += [*(key if key in now else -key for key in sorted(now ^ before)), END]
        before = now
    return found


def on_keyboard(piece: Steps, shift: int) -> bool:
    """Whether all keys of a piece are on the keyboard after a shift by so many semitones."""
    return all(LOWEST <= key + shift <= HIGHEST for step in piece for key in step)


def prepared(file: Path, written: Writing = tokens) -> bytes:
    """The three splits as token sequences in JSON, written as `tokens` or `changes`, train in all transpositions."""
    parts = read_sequences(str(file))
    known = {key + shift for p in parts["train"] for shift in SHIFTS if on_keyboard(p, shift) for s in p for key in s}
    odd = {key for name in ("valid", "test") for piece in parts[name] for step in piece for key in step} - known
    if odd:
        raise InputError(f"{file}: the keys {sorted(odd)} occur in valid or test alone; restore the file")
    splits = {name: [written(piece) for piece in parts[name]] for name in ("valid", "test")}
    train = [written(piece, shift) for shift in SHIFTS for piece in parts["train"] if on_keyboard(piece, shift)]
    return json.dumps({"train": train} | splits).encode()


def token_nats(model: AutoregressiveModel, examples: SequenceExamples, ruled: int | None = None) -> Nats:
    """ln p of every token, in order, shape (sum of T,).

    ruled: the number of END, where keys that do not ascend are ruled out. Symbols are numbered by their keys and END is
    the last: what may follow symbol k within a step are the symbols above k, so that it is
    ln p(x_d) - ln sum_{j > x_{d-1}} p(j), and ln p(x_d) where a step begins.
    """
    nats = []
    with evaluating(model):
        for start in range(0, len(examples), 16):
            batch = examples.batch(np.arange(start, min(start + 16, len(examples)))).to(model.device)
            log_prob = model.element_log_prob(batch).double()
            if ruled is not None:
                before = torch.nn.functional.pad(batch.x[:, :-1], (1, 0), value=ruled)
                above = torch.arange(ruled + 1, device=model.device) > torch.where(
                    before == ruled, -1, before
                ).unsqueeze(-1)
                log_prob = log_prob - (model.head(model.conditioning(batch)).pmf().double() * above).sum(-1).log()
            nats.append(log_prob[batch.mask].cpu().numpy())
    return np.concatenate(nats)


def per_step(nats: Nats, examples: SequenceExamples, end: int, first: int) -> Ratio:
    """-ln p a step over the steps of all pieces from number `first` on; pieces are the independent unit."""
    totals, counts = [], []
    for begin, stop in zip(examples.start[:-1], examples.start[1:], strict=True):
        ends = np.flatnonzero(examples.flat[begin:stop] == end)
        if not len(ends) or ends[-1] != stop - begin - 1:
            raise InputError(f"a piece ends without {END!r}; prepare the data again")
        skipped = 0 if first == 0 else int(ends[first - 1]) + 1
        totals.append(float(nats[begin + skipped : stop].sum()))
        steps = len(ends) - first
        counts.append([steps, steps, 0])
    return LogLikelihood.of_counts(np.array(totals), np.array(counts)).nats_per_element


def measure_steps(model: AutoregressiveModel, data: DataSet) -> dict[str, Ratio]:
    """Nats a step of the test pieces by both conventions."""
    examples, end = test_of(data)
    nats = token_nats(model, examples)
    return {LATER: per_step(nats, examples, end, first=1), ALL: per_step(nats, examples, end, first=0)}


def measure_sets(model: AutoregressiveModel, data: DataSet) -> dict[str, Ratio]:
    """The same, and of the model that is ruled to ascend."""
    examples, end = test_of(data)
    nats = token_nats(model, examples, ruled=end)
    return measure_steps(model, data) | {
        f"{LATER}, one over sets": per_step(nats, examples, end, first=1),
        f"{ALL}, one over sets": per_step(nats, examples, end, first=0),
    }


def test_of(data: DataSet) -> tuple[SequenceExamples, int]:
    """The test pieces, and the number of END among the symbols."""
    if not isinstance(data.test, SequenceExamples):
        raise InputError(f"expected sequences of tokens, got {type(data.test).__name__}")
    return data.test, (data.encoding.domain.num_symbols or 0) - 1


def _published(rnn: float, lstm: float, gru: float, tcn: float, rbm: float, nade: float) -> tuple[Published, ...]:
    independent = zip(("RNN", "LSTM", "GRU", "TCN"), (rnn, lstm, gru, tcn), strict=True)
    chained = zip(("RNN-RBM", "RNN-NADE"), (rbm, nade), strict=True)
    return (
        *(Published(nats, f"{model}, keys of a step independent", TCN) for model, nats in independent),
        *(Published(nats, model, BOULANGER, checked=False) for model, nats in chained),
    )


def _recipe(
    name: str, title: str, file: str, written: Writing, minutes: float, options: dict[str, Any], *figures: float
) -> Recipe:
    return Recipe(
        name=name,
        title=title,
        unit=LATER,
        source=file,
        files=(file,),
        options={"end": "given"} | options,
        minutes=minutes,
        published=_published(*figures),
        prepared=f"{name}.json",
        prepare=lambda data: prepared(data / file, written),
        measure=measure_sets if written is tokens else measure_steps,
    )


RECIPES = (
    _recipe(
        "jsb_chorales",
        "JSB chorales, quarter notes, 88 keys",
        "jsb_chorales/jsb-chorales-quarter.json",
        tokens,
        15,
        {},
        *(8.91, 8.45, 8.43, 8.10, 6.27, 5.56),
    ),
    _recipe(
        "nottingham",
        "Nottingham folk tunes, 88 keys",
        "nottingham/nottingham.json.gz",
        changes,
        45,
        {"window": 1024, "stride": 512, "dropout": 0.1, "batch_size": 6, "network": {"ngrams": 16384}},
        *(4.05, 3.29, 3.46, 3.07, 2.39, 2.31),
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "music", *sys.argv[1:]]))
