"""LightGBM grows the trees of one fit; the only file that knows the library."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array

__all__ = ["MISSING", "Boosted", "GrownTree", "Settings", "boost", "grown", "layout", "load_library"]

WHOLE = ("split_feature", "left_child", "right_child")
MISSING = 1e300  # what stands for a missing number: larger than any other, so that it goes right


@dataclass(frozen=True)
class Settings:
    """How trees are boosted.

    rounds: largest number of rounds.
    patience: rounds without improvement on the validation rows after which boosting stops.
    learning_rate, leaves, leaf_rows, l2, column_share, row_share: as in `BoostedTrees`.
    seed: of the shares of rows and columns.
    threads: number of threads.
    """

    rounds: int
    patience: int
    learning_rate: float
    leaves: int
    leaf_rows: int
    l2: float
    column_share: float
    row_share: float
    seed: int = 0
    threads: int = 1

    def to_lightgbm(self, binary_inputs: bool) -> dict[str, Any]:
        """The same in LightGBM's words."""
        return {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.leaves,
            "min_data_in_leaf": self.leaf_rows,
            "lambda_l2": self.l2,
            "feature_fraction": self.column_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "max_bin": 2 if binary_inputs else 255,
            "use_missing": False,
            "seed": self.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": self.threads,
            "verbosity": -1,
        }


@dataclass(frozen=True)
class GrownTree:
    """A regression tree: inner node 0 is the root, children below 0 are leaves, ~child their number.

    feature, threshold: what an inner node asks, x_feature <= threshold goes left, shape (nodes,).
    left, right: children, shape (nodes,).
    value: of the leaves, shape (nodes + 1,).
    """

    feature: Array
    threshold: Array
    left: Array
    right: Array
    value: Array


@dataclass(frozen=True)
class Boosted:
    """Trees for a binary outcome.

    trees: the trees up to the best round; none where a constant is better.
    rounds: number of rounds that were grown.
    late: whether they ended because the time was over.
    loss: nats per validation row, of the constant where it is better.
    """

    trees: list[GrownTree]
    rounds: int
    late: bool
    loss: float


class _Watch:
    """Ends boosting when the time is over, at the best round so far."""

    order = 40  # after the library's own

    def __init__(self, late: Callable[[], bool]) -> None:
        self.late, self.rounds, self.was_late = late, 0, False
        self.best: tuple[int, float, Any] = (0, float("inf"), [])

    def __call__(self, env: Any) -> None:
        import lightgbm

        self.rounds = env.iteration + 1
        loss = env.evaluation_result_list[0][2]
        if loss < self.best[1]:
            self.best = (env.iteration, loss, env.evaluation_result_list)
        if env.iteration + 1 < env.end_iteration and self.late():
            self.was_late = True
            raise lightgbm.callback.EarlyStopException(self.best[0], self.best[2])


def load_library() -> None:
    """Load LightGBM, which takes a second or so the first time."""
    import lightgbm  # noqa: F401


def grown(rows: tuple[Array, Array], valid: tuple[Array, Array], settings: Settings, watch: Any = None) -> Any:
    """LightGBM's booster for a binary outcome, with the number of rounds that is best on the validation rows."""
    import lightgbm

    x, y = rows
    options = settings.to_lightgbm(bool(len(x)) and float(x.max()) <= 1 and float(x.min()) >= 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = lightgbm.Dataset(x, y, params=options)
        watched = lightgbm.Dataset(*valid, reference=data, params=options)
        stopping: list[Any] = [lightgbm.early_stopping(settings.patience, verbose=False)]
        stopping += [] if watch is None else [watch]
        return lightgbm.train(options, data, settings.rounds, valid_sets=[watched], callbacks=stopping)


def boost(
    rows: tuple[Array, Array],
    valid: tuple[Array, Array],
    settings: Settings,
    late: Callable[[], bool] = lambda: False,
) -> Boosted:
    """Boost trees for a binary outcome; none where a constant is better.

    rows: inputs (N, C) and outcomes (N,) to fit.
    valid: the same, by which the number of rounds is found.
    settings: how trees are boosted.
    late: asked after each round whether the time is over.
    """
    watch = _Watch(late)
    booster = grown(rows, valid, settings, watch)
    share = (rows[1].sum() + 0.5) / (len(rows[1]) + 1)
    constant = -float(np.where(valid[1] > 0, np.log(share), np.log1p(-share)).mean())
    best = float(booster.best_score["valid_0"]["binary_logloss"])
    if constant <= best:
        return Boosted([], watch.rounds, watch.was_late, constant)
    trees = _parsed(booster.model_to_string(num_iteration=booster.best_iteration))
    return Boosted(trees, watch.rounds, watch.was_late, best)


def _parsed(text: str) -> list[GrownTree]:
    """The trees in a model as LightGBM writes it."""
    trees = []
    for block in text.split("\nTree=")[1:]:
        entries = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if int(entries["num_leaves"]) == 1:
            empty = np.zeros(0, dtype=np.int64)
            trees.append(GrownTree(empty, np.zeros(0), empty, empty, np.array([float(entries["leaf_value"])])))
            continue
        whole = {name: np.array(entries[name].split(), dtype=np.int64) for name in WHOLE}
        real = {name: np.array(entries[name].split(), dtype=np.float64) for name in ("threshold", "leaf_value")}
        left, right = whole["left_child"], whole["right_child"]
        trees.append(GrownTree(whole["split_feature"], real["threshold"], left, right, real["leaf_value"]))
    return trees


def layout(tree: GrownTree, known: Array, first_known: int, leaves: int) -> tuple[Array, Array, Array, Array]:
    """A tree in the layout of `Forest`: elements, thresholds, bits that are kept, values.

    known: values of the inputs from number `first_known` on, which are resolved.
    leaves: number of leaves that there is room for.
    """
    feature, threshold = np.zeros(leaves - 1, dtype=np.int32), np.zeros(leaves - 1)
    kept, value = np.full(leaves - 1, -1, dtype=np.int32), np.zeros(leaves)
    nodes = reached = 0

    def grow(node: int) -> None:
        nonlocal nodes, reached
        while node >= 0 and tree.feature[node] >= first_known:
            goes_left = known[tree.feature[node] - first_known] <= tree.threshold[node]
            node = tree.left[node] if goes_left else tree.right[node]
        if node < 0:
            value[reached] = tree.value[~node]
            reached += 1
            return
        place, nodes, before = nodes, nodes + 1, reached
        feature[place], threshold[place] = tree.feature[node], tree.threshold[node]
        grow(tree.left[node])
        kept[place] = ~((1 << reached) - (1 << before))
        grow(tree.right[node])

    grow(0 if len(tree.feature) else ~0)
    return feature, threshold, kept, value
