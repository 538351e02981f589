"""Layers that recurrent networks and convolutions share, by portable arithmetic: the way in, norms and gates."""

from __future__ import annotations

from functools import cache

import numpy as np
from torch import Tensor, nn

from chainrule.batch import Array
from chainrule.coding.exact_products import ExactProduct, on_grid
from chainrule.coding.portable_elements import PortableElements, as_float64
from chainrule.coding.portable_numbers import halved_sum, portable_exp, portable_sigmoid
from chainrule.networks.embedding import ElementEmbedding

__all__ = ["LARGEST", "ExactLinear", "PortableEmbedding", "PortableNorm", "concat_elu", "gate", "gate_tanh"]

FARTHEST, FINENESS = 32, 256  # of tables: their ends, and steps per unit
LARGEST = 2.0**10  # at which units without a norm are cut


@cache
def _table() -> tuple[Array, Array]:
    """The sigmoid at multiples of 1/256 from -32 to 32, and how much it rises to the next."""
    value = portable_sigmoid(np.arange(-FARTHEST * FINENESS, FARTHEST * FINENESS + 1) / FINENESS)
    return value, np.append(np.diff(value), 0.0)


def gate(s: Array) -> Array:
    """The sigmoid between the points of a table, on a line; 2e-7 from it at most.

    >>> gate(np.array([0.0, 1.0, -1e9])).round(6).tolist()
    [0.5, 0.731059, 0.0]
    """
    value, rise = _table()
    t = np.clip(s, -FARTHEST, FARTHEST)
    t *= FINENESS
    t += FARTHEST * FINENESS
    k = t.astype(np.int64)  # t is not negative
    t -= k
    t *= rise[k]
    t += value[k]
    return np.asarray(t)


def gate_tanh(s: Array) -> Array:
    """2 gate(2 s) - 1."""
    t = gate(2.0 * s)
    t *= 2.0
    t -= 1.0
    return t


@cache
def _decay() -> tuple[Array, Array]:
    """e^-t at multiples of 1/256 up to 32, and how much it falls to the next."""
    value = portable_exp(-np.arange(FARTHEST * FINENESS + 1) / FINENESS)
    return value, np.append(np.diff(value), 0.0)


def concat_elu(x: Array) -> Array:
    """elu(x) and elu(-x) side by side, multiples of 2^-16, cut at 1024; 2e-6 from them at most.

    >>> concat_elu(np.array([[2.0, -1.0]])).round(4).tolist()
    [[2.0, -0.6321, -0.8647, 1.0]]
    """
    value, fall = _decay()
    t = np.minimum(np.abs(x), FARTHEST) * FINENESS
    k = t.astype(np.int64)
    less = value[k] + (t - k) * fall[k] - 1.0
    above = x > 0
    size = np.minimum(np.abs(x), LARGEST)
    return on_grid(np.concatenate([np.where(above, size, less), np.where(above, less, size)], -1))


class ExactLinear:
    """x -> W x + b, the products exact.

    weight: W, shape (N, K).
    bias: b, shape (N,).
    bound: largest absolute value of each input, shape (K,).
    """

    def __init__(self, weight: Tensor, bias: Tensor, bound: Array) -> None:
        self.product, self.bias = ExactProduct(as_float64(weight).T, bound), as_float64(bias)

    def of(self, x: Array) -> Array:
        """The outputs, shape (B, N)."""
        y = self.product.of(x)
        y += self.bias
        return y


class PortableNorm:
    """g (x - mean) / sqrt(variance + epsilon) as multiples of 2^-16.

    norm: the layer with g, and a bias that is added if it has one.
    """

    def __init__(self, norm: nn.LayerNorm) -> None:
        self.gain, self.epsilon = as_float64(norm.weight), norm.eps
        bias: Tensor | None = norm.bias
        self.bias = np.zeros(len(self.gain)) if bias is None else as_float64(bias)
        self.bound = np.abs(self.gain) * np.sqrt(len(self.gain)) + np.abs(self.bias) + 2.0**-16

    def of(self, x: Array) -> Array:
        """The normed values, shape of x."""
        x = x - halved_sum(x) / x.shape[-1]
        x /= np.sqrt(halved_sum(x * x) / x.shape[-1] + self.epsilon)
        x *= self.gain
        x += self.bias
        return on_grid(x)


class PortableEmbedding:
    """e_d of an `ElementEmbedding`, without a context.

    embedding: the embedding, its positions included.
    """

    def __init__(self, embedding: ElementEmbedding) -> None:
        self.elements = PortableElements(embedding, np.zeros((1, embedding.width)))
        self.start = on_grid(as_float64(embedding.start))
        positions = embedding.positions()
        self.positions = as_float64(positions) if isinstance(positions, Tensor) else None

    def of(self, d: int, x_previous: Tensor | None, batch_size: int) -> Array:
        """e_d, shape (B, width). x_previous: the elements before it, None for the first."""
        e = np.repeat(self.start[None], batch_size, 0) if x_previous is None else self.elements.of(x_previous, d - 1)
        return e if self.positions is None else e + self.positions[d]
