"""Baselines: what a model has to beat before its number means anything. One file each."""

from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.baselines.independent import IndependentElements
from chainrule.baselines.independent_columns import IndependentColumns
from chainrule.baselines.kneser_ney import KneserNey
from chainrule.baselines.markov import MarkovChain

__all__ = ["ChowLiuTree", "IndependentColumns", "IndependentElements", "KneserNey", "MarkovChain"]
