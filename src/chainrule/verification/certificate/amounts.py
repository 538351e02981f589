"""How much each check tries in either form: the places, the rows, the draws."""

from __future__ import annotations

from dataclasses import replace

import torch

from chainrule.networks.huggingface import HuggingFace
from chainrule.verification.certificate import (
    accounting,
    causality,
    conditional_mass,
    determinism,
    normalisation,
    sampler,
    sampling,
)
from chainrule.verification.certificate.check import Check, skipped
from chainrule.verification.certificate.gradient import gradient as gradient_check
from chainrule.verification.certificate.tested import shorter
from chainrule.verification.certificate.trial import COARSE, Trial

__all__ = [
    "WITHOUT_CACHE",
    "elements",
    "enumeration",
    "fits",
    "gradient",
    "precision",
    "repeat",
    "steps",
    "suffix",
    "support",
    "truncation",
]

WITHOUT_CACHE = "without the cache of the model itself, whose steps are wrong"
ALONE = 16  # elements along which one row is walked alone
NUMBERS = 1 << 24  # of one tensor of a differentiated pass


def suffix(trial: Trial, training: bool, share: float) -> Check:
    """`causality.suffix`: in the full form in float64 and then in the model's own type, which has its own kernels."""
    tested = trial.tested
    tried = trial.suffixes(share, training=training)
    scored = min(16 if trial.quick else 64, max(2, len(tried) // 4))
    check = causality.suffix(tested, training, tried, trial.tight, scored)
    own = shorter(trial.own, tested.length)
    if check.passed is not True or own.dtype == tested.dtype:
        return check
    bound = max(COARSE, 16 * torch.finfo(own.dtype).eps)
    in_own = trial.with_tested(replace(own, examples=tested.examples))
    again_tried = in_own.suffixes(share / 4, least=4, training=training, most=120)
    again = causality.suffix(own, training, again_tried, bound, 2)
    kind = str(own.dtype).removeprefix("torch.")
    if again.passed is False:
        return replace(again, tried=f"{again.tried}, in {kind}", where=f"{again.where}; in {kind} only")
    return replace(check, tried=f"{check.tried}; {len(again_tried)} in {kind}")


def elements(trial: Trial) -> Check:
    """`accounting.elements`, with as many symbols as the work pays for."""
    sweep = trial.work.rows(0.02 if trial.quick else 0.05, trial.tested.length)
    return accounting.elements(trial.tested, trial.rows, trial.loose, sweep)


def steps(trial: Trial) -> Check:
    """`normalisation.steps`, at short prefixes first where the alphabet is large."""
    tested = trial.tested
    d = tested.length
    many = 24 if trial.quick else 64
    large = (tested.num_symbols or 1) * d > 1 << 17
    places = [0, min(1, d - 1), *tested.positions(many)] if large else tested.positions(many)
    rows = trial.rows if tested.module is not None else torch.cat([trial.every_row, trial.pairs])
    return normalisation.steps(tested, rows, places, (trial.work, 0.12), trial.loose)


def step(trial: Trial) -> Check:
    """`sampling.step` along the whole length, as far as the work goes; a wrong cache of Hugging Face is gone around."""
    rows = trial.few[: 4 if not trial.quick else 3]
    if trial.tested.context is not None:  # every class
        rows = trial.few[torch.arange(len(trial.tested.context)) % len(trial.few)]
    most = trial.work.rows(0.05 if trial.quick else 0.08, len(rows))
    length = min(trial.tested.length, max(most, 8), 384 if trial.quick else 4096)
    check = sampling.step(trial.tested, rows, length, trial.loose)
    if check.passed and len(rows) > 1:
        alone = sampling.step(trial.tested, rows[:1], min(length, ALONE), trial.loose)
        if alone.passed is False:
            check = replace(alone, where=f"{alone.where} where there is one row alone")
    network = None if trial.tested.chain is None else trial.tested.chain.network
    if check.passed is not False or not isinstance(network, HuggingFace):
        return check
    network.cached = False
    again = sampling.step(trial.tested, rows, min(length, 48), trial.loose)
    if not again.passed:
        return check
    return replace(again, tried=f"{again.tried}, {WITHOUT_CACHE} ({check.where}): take cached=False")


def enumeration(trial: Trial) -> Check:
    """`normalisation.enumeration` of as many examples as the work pays for."""
    tested = trial.near.tested
    most = min(256 if trial.quick else 16_384, trial.work.rows(0.05, tested.length))
    return normalisation.enumeration(tested, trial.near.rows, most, trial.loose)


def support(trial: Trial) -> Check:
    """`normalisation.support` of some elements, and of columns of different kinds of more, in the model's own type."""
    own = trial.with_tested(trial.own) if not trial.quick else trial.near
    chain = own.tested.chain
    alike = chain is None or chain.head.elementwise
    places = own.tested.positions(4 if trial.quick and alike else 12 if trial.quick else 24 if alike else 64)
    values = None if own.known is None else conditional_mass.repeated_values(own.known)
    return conditional_mass.support(own.tested, own.rows, places, 64 if trial.quick else 256, 1e-3, values)


def truncation(trial: Trial) -> Check:
    """`causality.truncation` at some lengths."""
    lengths = [j for j in trial.tested.positions(6 if trial.quick else 24) if j]
    lengths = lengths[: max(2, trial.work.rows(0.05, trial.tested.length * len(trial.few)))]
    return causality.truncation(trial.tested, trial.few, lengths, trial.loose)


def gradient(trial: Trial) -> Check:
    """`causality.gradient` of some elements."""
    tested = trial.near.tested
    if tested.length * (tested.num_symbols or 1) > NUMBERS:
        return skipped("causality.gradient", "its outputs are too many to differentiate; see causality.suffix")
    chance = torch.randperm(tested.length, generator=torch.Generator().manual_seed(1)).tolist()  # not those of suffixes
    places = list(dict.fromkeys([*tested.positions(2), *chance]))[: 4 if trial.quick else 48]
    return gradient_check(tested, trial.near.rows, places, trial.tight)


def repeat(trial: Trial) -> Check:
    """`determinism.repeat` in the model's own type."""
    own = trial.tested if trial.quick else trial.own
    crowd = trial.with_tested(own).crowd
    own, rows = crowd.tested, crowd.rows[:4]
    comparable = trial.original if own.dtype == trial.own.dtype else None
    return determinism.repeat(own, rows, comparable, trial.loose)


def precision(trial: Trial) -> Check:
    """`invariance.precision`, a finding."""
    exact = trial.tested if trial.tested.dtype == torch.float64 else None
    own = trial.with_tested(trial.own).crowd
    return determinism.precision(own.tested, exact, own.few)


def fits(trial: Trial) -> Check:
    """`sampling.fits` with as many draws as the work pays for."""
    half = trial.own.dtype in (torch.bfloat16, torch.float16)
    own = trial.tested if trial.quick or half else trial.own
    if own.chain is not None and trial.tested.chain is not None:
        network, checked = own.chain.network, trial.tested.chain.network
        if isinstance(network, HuggingFace) and isinstance(checked, HuggingFace):
            network.cached = checked.cached
    finite = own.num_symbols is not None
    most = (1 << 15 if trial.quick else 1 << 17) if finite else (1 << 12 if trial.quick else 1 << 15)
    if trial.quick and finite:
        most = min(most, NUMBERS // 8 // (own.num_symbols or 1))
    elements = min(trial.work.rows(0.1, 1), most)
    length = min(own.length, max(8, elements // 64), 160 if trial.quick else 1024)
    draws = min(max(elements // length, 32), 20_000)
    prefixes = min(32, max(8, draws // 4)) if trial.quick else max(64, draws // 4)
    return sampler.fits(own, draws, length, prefixes)
