"""The sampler: what is drawn has the scored distribution, alone and after what is given."""

from __future__ import annotations

import torch

from chainrule.batch import Batch
from chainrule.models.base import Sample
from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.certificate.check import Check, difference, skipped
from chainrule.verification.certificate.draws import Shown, look_at
from chainrule.verification.certificate.normalisation import every_example
from chainrule.verification.certificate.sampling import chi_square
from chainrule.verification.certificate.statistics import allowed
from chainrule.verification.certificate.tested import ModelUnderTest

__all__ = ["fits"]

LOG_PROB = 1e-2  # relative difference of ln p of a whole draw, in the step and in the pass, that is rounding
MISSING = 1e300  # in place of NaN, which is not equal to itself; no other value
STATES = 4096  # examples up to which draws are counted example by example


def fits(tested: ModelUnderTest, draws: int, length: int, prefixes: int = 64) -> Check:
    """What `sample` draws has the scored distribution: of each element, of pairs of draws, of whole examples.

    tested: the model.
    draws: number of examples to draw.
    length: number of elements of each.
    prefixes: number of draws after a given beginning that are looked at, too.

    The figure is the worst statistic as a share of what a sound sampler may show, so that the bound is 1.
    """
    name, model = "sampling.fits", tested.chain
    if model is None:
        return skipped(name, "it has no sampler of ours")
    c = tested.contexts(draws)
    sample = model.sample(draws, seed=5, length=length, context=c)
    shown = look_at(model, sample.x, sample.mask, c)
    found = [shown.worst(whole=True), _own_log_prob(sample, shown)]
    found += [_every_state(model, sample, tested, length), _seen_before(sample, shown)]
    tried = f"{draws} draws of {length} elements"
    if prefixes and length > 1:
        after = _after_prefix(tested, model, prefixes, length)
        found += [] if after is None else [after]
        tried += ", a prefix is not kept by its sampler" if after is None else f", and {prefixes} after a prefix"
    figure, where = max(found)
    return Check.of(name, figure, 1.0, tried, where, shown.power)


def _own_log_prob(sample: Sample, shown: Shown) -> tuple[float, str]:
    """ln p that comes with each draw is that of the draw, up to rounding."""
    apart = difference(torch.cat(shown.log_prob), sample.log_prob.double())
    return float(apart.max()) / LOG_PROB, "the ln p that comes with a draw is not that of the draw"


def _every_state(model: AutoregressiveModel, sample: Sample, tested: ModelUnderTest, length: int) -> tuple[float, str]:
    """Where the examples are few, each comes as often as its probability says (chi-square)."""
    v = tested.num_symbols
    if v is None or model.head.num_symbols is None or v**length > STATES or tested.context is not None:
        return 0.0, ""
    if not bool(sample.mask.all()):
        return 0.0, ""  # examples that end early are not those that are summed over
    pmf = model.log_prob(Batch(every_example(v, length))).double().exp()
    code = (sample.x * v ** torch.arange(length - 1, -1, -1)).sum(1)
    statistic, bound = chi_square(torch.bincount(code, minlength=len(pmf)), pmf * len(sample))
    return statistic / bound, f"how often each of {len(pmf)} examples is drawn (chi-square {statistic:.4g})"


def _seen_before(sample: Sample, shown: Shown) -> tuple[float, str]:
    """Examples come twice as often as their probabilities say, and not more often."""
    rows = sample.x.double().nan_to_num(nan=MISSING) if sample.x.is_floating_point() else sample.x
    log_p, seen, mass = torch.cat(shown.log_prob), set(), 0.0
    if float(log_p.max()) > 0:
        return 0.0, ""  # densities
    excess, variance = 0.0, 0.0
    for row, value in zip(map(tuple, rows.tolist()), log_p.exp().tolist(), strict=True):
        expected = min(mass, 1.0)
        excess += (row in seen) - expected
        variance += expected * (1 - expected)
        if row not in seen:
            seen.add(row)
            mass += value
    bound = float(allowed(torch.tensor(variance, dtype=torch.float64), 1.0, 10))
    return max(excess, 0.0) / bound, f"whole draws are repeated ({len(rows) - len(seen)} of {len(rows)})"


def _after_prefix(
    tested: ModelUnderTest, model: AutoregressiveModel, draws: int, length: int
) -> tuple[float, str] | None:
    """Draws after a given beginning go on by the conditionals that follow it; None where the sampler takes none."""
    rows = tested.elements(1, draws)
    given, c = rows[:, : max(1, length // 2)], tested.contexts(draws)
    sample = model.sample(draws, seed=8, length=length, context=c, prefix=given)
    width = given.shape[1]
    kept = torch.equal(sample.x[:, :width].double().nan_to_num(), given.double().nan_to_num())
    if not kept:
        return None
    counts = sample.mask.clone()
    counts[:, :width] = False
    shown = look_at(model, sample.x, counts, c)
    own = _own_log_prob(sample, shown)
    figure, where = max(shown.worst(whole=False), own)
    return figure, f"after a prefix of {width}: {where}"
