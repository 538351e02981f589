"""Networks that code by whole numbers, as models of their own, and what the run itself says of the same rows."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING

import numpy as np
import torch

from chainrule.coding.coded import Coded
from chainrule.coding.portable_chain import rounded_networks
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.runs.code_examples import ROWS

if TYPE_CHECKING:
    from chainrule.runs.archiving import Work

__all__ = ["own_bytes", "rounded_of"]

AT_ONCE = 256  # rows


def rounded_of(work: Work) -> tuple[str, ...]:
    """The networks of what was coded that do so by whole numbers, by name."""
    if work.chain is None or work.coded is None or not work.coded.layout.portable:
        return ()
    return tuple(rounded_networks(work.chain))


def own_bytes(work: Work) -> float | None:
    """What the nats of the run itself come to for the coded rows, in bytes; None for anything but rows."""
    if work.chain is None or work.coded is None or work.arranged != ROWS or not work.coded.sequences:
        return None
    return _nats(work.chain, work.coded) / log(2) / 8


@torch.no_grad()
def _nats(chain: AutoregressiveModel, coded: Coded) -> float:
    """-ln p of all rows together."""
    total, dtype = 0.0, torch.float64 if coded.layout.real else torch.long
    with evaluating(chain):
        for start in range(0, len(coded.sequences), AT_ONCE):
            rows = torch.from_numpy(np.stack(coded.sequences[start : start + AT_ONCE])).to(chain.device, dtype)
            total -= float(chain.log_prob(rows).double().sum())
    return total
