"""Which baselines a data set gets, fitted on its training split."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.baselines.independent import IndependentElements
from chainrule.baselines.independent_columns import IndependentColumns
from chainrule.baselines.kneser_ney import KneserNey
from chainrule.baselines.markov import MarkovChain
from chainrule.data.encodings.data_set import DataSet
from chainrule.domain import Domain
from chainrule.models.base import Model

__all__ = ["baselines_of", "fit_baselines"]

LARGEST_TABLE = 1 << 24  # cells of a Markov chain's table
MOST_INDICATORS = 4096  # elements times symbols of a tree, whose pairs are counted


def fit_baselines(data: DataSet) -> dict[str, Model]:
    """Baselines by name, all of them static: fitted once, then fixed."""
    return {name: fit() for name, fit in baselines_of(data).items()}


def baselines_of(data: DataSet) -> dict[str, Callable[[], Model]]:
    """The baselines that a data set gets by name, each fitted when it is called.

    Positions share a distribution where they mean the same: everywhere in a text, a voice or key in music, a column.
    """
    domain, step, train = data.encoding.domain, data.encoding.step, data.train
    if domain.num_symbols is None:
        columns = domain.columns
        return {"independent elements": partial(IndependentColumns.fit, train, columns)} if columns else {}
    symbols = domain.num_symbols
    alike = sizes(domain) is None
    running = train.is_stream or domain.variable_length
    period = step if running else domain.length
    found: dict[str, Callable[[], Model]] = {
        "independent elements": partial(IndependentElements.fit, train, symbols, period=period, sizes=sizes(domain))
    }
    lag = step if running else 1
    if alike and period * (symbols + 1) * symbols <= LARGEST_TABLE:
        found["Markov chain"] = partial(MarkovChain.fit, train, symbols, period=period, lag=lag)
    if not running and domain.length * symbols <= MOST_INDICATORS:
        found["Chow-Liu tree"] = partial(ChowLiuTree.fit, train, symbols, sizes(domain))
    if running and step == 1:
        found["Kneser-Ney 5-gram"] = partial(KneserNey.fit, train, symbols)
    return found


def sizes(domain: Domain) -> list[int] | None:
    """How many outcomes each column of a table has; None where all elements have the same symbols."""
    return [(column.num_symbols or 0) + column.missing for column in domain.columns] or None
