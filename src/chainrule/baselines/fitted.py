"""Which baselines a data set gets, fitted on its training split."""

from __future__ import annotations

from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.baselines.independent import IndependentElements
from chainrule.baselines.independent_columns import IndependentColumns
from chainrule.baselines.kneser_ney import KneserNey
from chainrule.baselines.markov import MarkovChain
from chainrule.data.encodings.data_set import DataSet
from chainrule.domain import Domain
from chainrule.models.base import Model

__all__ = ["fit_baselines"]

LARGEST_TABLE = 1 << 24  # cells of a Markov chain's table
MOST_INDICATORS = 2048  # elements times symbols of a tree, whose pairs are counted


def fit_baselines(data: DataSet) -> dict[str, Model]:
    """Baselines by name, all of them static: fitted once, then fixed.

    Positions share a distribution where they mean the same: everywhere in a text, a voice or key in music, a column.
    """
    domain, step = data.encoding.domain, data.encoding.step
    if domain.num_symbols is None:
        columns = domain.columns
        return {"independent elements": IndependentColumns.fit(data.train, columns)} if columns else {}
    symbols = domain.num_symbols
    alike = sizes(domain) is None
    running = data.train.is_stream or domain.variable_length
    period = step if running else domain.length
    independent = IndependentElements.fit(data.train, symbols, period=period, sizes=sizes(domain))
    found: dict[str, Model] = {"independent elements": independent}
    lag = step if running else 1
    if alike and period * (symbols + 1) * symbols <= LARGEST_TABLE:
        found["Markov chain"] = MarkovChain.fit(data.train, symbols, period=period, lag=lag)
    if not running and domain.length * symbols <= MOST_INDICATORS:
        found["Chow-Liu tree"] = ChowLiuTree.fit(data.train, symbols, sizes(domain))
    if running and step == 1:
        found["Kneser-Ney 5-gram"] = KneserNey.fit(data.train, symbols)
    return found


def sizes(domain: Domain) -> list[int] | None:
    """How many outcomes each column of a table has; None where all elements have the same symbols."""
    return [(column.num_symbols or 0) + column.missing for column in domain.columns] or None
