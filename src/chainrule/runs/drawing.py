"""Draws from a model, group by group: plainly, with a compiled step, in parallel passes, in many orders, or shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from chainrule.data.alphabets.alphabet import Alphabet
from chainrule.errors import InputError
from chainrule.models.base import Model, Sample
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.sampler import prefix_batch
from chainrule.runs.progress import Progress
from chainrule.runs.text_stream import TextStream
from chainrule.sampling.chosen_step import chosen_step
from chainrule.sampling.parallel import parallel_sample
from chainrule.sampling.windows import sample_windows

__all__ = ["Drawing"]

GROUP = 512  # examples that are drawn at once, a bound on the memory of their caches


@dataclass(frozen=True)
class Drawing:
    """What is to be drawn.

    n: number of examples.
    seed: draws are keyed by (seed, example, element).
    progress: shows how far it is.
    context: what the examples are conditioned on, shape (n, ...), None for p(x).
    prefix: elements that are given, one tensor per example, None for nothing.
    end: the symbol with which an example is over, None where there is none.
    temperature, top_k, top_p: the filter; by default nothing is cut off.
    group: examples that are drawn at once.
    length: elements of a text, None for those of the model's window.
    moves_on: elements by which the window moves on where the text is longer; 0 where it cannot.
    """

    n: int
    seed: int
    progress: Progress
    context: Tensor | None = None
    prefix: Sequence[Tensor] | None = None
    end: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    group: int = GROUP
    length: int | None = None
    moves_on: int = 0

    @property
    def is_filtered(self) -> bool:
        """Whether the draws are from another distribution than the model itself."""
        return (self.temperature, self.top_k, self.top_p) != (1.0, None, None)

    def stepping(self, model: AutoregressiveModel, compiled: bool | None) -> AutoregressiveModel:
        """The model with the step that the walks take, see `chosen_step`; compiled: whether by a program."""
        prefix_batch(self.prefix, self.n, model.network.length)  # refused before anything is drawn, not group by group
        starts = self._starts()
        steps = len(starts) * (self.length or model.network.length)
        return chosen_step(model, self._size(0), steps, self._group_options(0)["context"], compiled)

    def one_by_one(self, model: AutoregressiveModel) -> Sample:
        """Draw element by element."""
        length = self.length or model.network.length
        starts = self._starts()
        with self.progress("sampling", len(starts) * length) as update:
            parts = [
                self._drawn(model, self._size(start), lambda d, x: update(1), first=start, **self._group_options(start))
                for start in starts
            ]
        return _joined(parts, self.end)

    def shown(self, model: AutoregressiveModel, alphabet: Alphabet, show: Callable[[str], Any]) -> Sample:
        """Draw one text, and show each piece of it as soon as it is drawn."""
        stream = TextStream(alphabet, self.end, show)
        sample = self._drawn(model, self.n, stream, **self._group_options(0))
        stream.close()
        return sample

    def _drawn(
        self, model: AutoregressiveModel, n: int, on_element: Callable[[int, Tensor], None], **options: Any
    ) -> Sample:
        """Some examples, element by element."""
        options |= self._filter_options()
        if self.length is None:
            return model.sample(n, on_element=on_element, **options)
        return sample_windows(model, n, self.length, self.moves_on, on_element=on_element, **options)

    def in_passes(self, model: AutoregressiveModel) -> tuple[Sample, int]:
        """The same draws by fixed-point iteration over whole examples, and how many passes that took."""
        if self.prefix is not None or self.end is not None or self.length is not None or self.is_filtered:
            raise InputError(
                "--parallel draws whole examples of one length from the model itself; leave out --prefix, --length, "
                "filters, --stream and --compile, or --parallel"
            )
        drawn = []
        with self.progress("sampling", self.n) as update:
            for start in self._starts():
                options = self._group_options(start)
                del options["prefix"]
                drawn.append(parallel_sample(model, self._size(start), first=start, on_pass=update, **options))
        return _joined([part.sample for part in drawn], None), sum(part.passes for part in drawn)

    def in_orders(self, model: Model) -> Sample:
        """Each example in an order of its own, from the mixture over orders itself."""
        if self.is_filtered:
            raise refusal_of_orders(model)
        parts = []
        with self.progress("sampling", self.n) as update:
            for start in self._starts():
                parts.append(model.sample(self._size(start), first=start, **self._group_options(start)))
                update(len(parts[-1]))
        return _joined(parts, None)

    def _starts(self) -> range:
        return range(0, self.n, self.group)

    def _size(self, start: int) -> int:
        return min(self.group, self.n - start)

    def _group_options(self, start: int) -> dict[str, Any]:
        """The seed, the conditions and the prefixes of the group of examples that starts there."""
        rows = slice(start, start + self.group)
        context = None if self.context is None else self.context[rows]
        prefix = None if self.prefix is None else self.prefix[rows]
        return {"seed": self.seed, "context": context, "prefix": prefix}

    def _filter_options(self) -> dict[str, Any]:
        return {"end": self.end, "temperature": self.temperature, "top_k": self.top_k, "top_p": self.top_p}


def refusal_of_orders(model: Model) -> InputError:
    """What a mixture over orders does not do."""
    return InputError(
        f"a {model.describe()} is sampled as it is, whole examples, each in an order of its own; "
        "leave out filters, --stream, --compile and --parallel"
    )


def _joined(parts: list[Sample], end: int | None) -> Sample:
    """Groups of examples as one sample; where one group was over before another, `end` fills it up."""
    length = max(part.x.shape[1] for part in parts)
    missing = [length - part.x.shape[1] for part in parts]
    x = [pad(part.x, (0, more), value=end if more else 0) for part, more in zip(parts, missing, strict=True)]
    mask = [pad(part.mask, (0, more), value=False) for part, more in zip(parts, missing, strict=True)]
    log_q = [part.log_q for part in parts if part.log_q is not None]
    log_p = torch.cat([part.log_prob for part in parts])
    return Sample(torch.cat(x), torch.cat(mask), log_p, torch.cat(log_q) if log_q else None)
