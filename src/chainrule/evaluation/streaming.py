"""Streaming: a recurrent model reads a stream from its beginning to its end and keeps its state in between."""

from __future__ import annotations

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel

__all__ = ["STREAM_CONTEXT", "StreamModel", "side_by_side"]

STREAM_CONTEXT = "all of the stream before, state carried"  # of a `Protocol`


class StreamModel(Model):
    """A model that keeps its state from row to row: the rows are the parts of one stream, in order.

        ln p(x_d | x_<d),   x_<d everything since the beginning of the stream

    Windows cut the past off; a state of fixed size does not have to. The elements that count are read one at a time,
    each once, and the sum over a stream is its ln p(x_1, ..., x_T), whatever the windows. Elements that do not count
    are skipped: they were read before. `StreamModel(model)` starts at the beginning of a stream.

    model: a model whose network carries its state (`Recurrent`, on sequences), without a context.

    >>> from chainrule import CategoricalHead, Recurrent
    >>> stream = StreamModel(AutoregressiveModel(Recurrent(3, 4, width=8), CategoricalHead(8, 3)).eval())
    >>> whole = stream.model.log_prob(torch.tensor([[0, 1, 2, 2, 1, 0]]))
    >>> parts = stream(Batch(torch.tensor([[0, 1, 2], [2, 1, 0]])))
    >>> bool(torch.isclose(whole.sum().double(), parts.sum()))
    True
    """

    def __init__(self, model: AutoregressiveModel) -> None:
        super().__init__()
        if not model.network.carries_state:
            raise InputError(
                f"only a recurrent network on sequences carries its state, got {type(model.network).__name__}; "
                "leave out --carry and give --window and --stride"
            )
        self.model = model
        self.state = model.network.initial_state(1)
        self.previous: Tensor | None = None

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p of each element that counts given all elements before it in the stream, shape (B, D)."""
        log_prob = torch.zeros(batch.x.shape, dtype=torch.float64, device=batch.x.device)
        for row, mask in enumerate(batch.mask):
            features = []
            for x in batch.x[row, mask][:, None]:
                h, self.state = self.model.network.step(self.previous, self.state)
                features.append(h)
                self.previous = x
            if features:
                scored = self.model.head(torch.stack(features, 1)).log_prob(batch.x[row, mask][None])
                log_prob[row, mask] = scored[0].double()
        return log_prob


def side_by_side(examples: Examples) -> Examples:
    """The windows of a stream, each beginning where the one before it ends, for a state that is carried over them."""
    if not examples.is_stream or examples.windows is None:
        raise InputError("a state is carried over the windows of one long stream; leave out --carry")
    window, _ = examples.windows
    return examples.with_windows(window, window)
