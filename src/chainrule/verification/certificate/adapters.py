"""From what a user has (a model, a network, a head, a module, a function of prefixes) to the model under test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from types import CellType, FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.adaptive_softmax import AdaptiveSoftmaxHead
from chainrule.heads.base import Head
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.logits import LogitsHead
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.logits import LogitsModel, as_logits_model
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.embedding import ContextEmbedding
from chainrule.networks.huggingface import HuggingFace
from chainrule.verification.certificate.tested import EXAMPLES, ModelUnderTest, of_chain

__all__ = ["copied_function", "in_precision", "is_lazy", "model_under_test", "working_copy"]

LARGEST_COPY = 1 << 30  # bytes of parameters up to which a module is copied before it is tried


def model_under_test(
    thing: Any, num_symbols: int | None = None, length: int | None = None, context: Tensor | None = None
) -> ModelUnderTest:
    """One view of a model, a network, a head, a module from elements to logits or a function of prefixes.

    thing: what is verified.
    num_symbols: V, where the thing does not know it.
    length: D, where the thing does not know it.
    context: one entry for each of EXAMPLES examples, for conditional models.
    """
    if isinstance(thing, Model) and thing.chains:
        chain = thing.single_chain()
        tested = of_chain(chain, num_symbols, length, _context(chain.network) if context is None else context)
        return replace(tested, special=_special(chain))
    if isinstance(thing, AutoregressiveNetwork):
        return _of_network(thing, num_symbols, length, context)
    if isinstance(thing, Head):
        return replace(of_chain(_under(thing, length), num_symbols, length, context), title=type(thing).__name__)
    if _is_language_model(thing):
        model = AutoregressiveModel(HuggingFace(thing, length), LogitsHead(thing.config.vocab_size))
        tested = of_chain(model, num_symbols, length, context)
        return replace(tested, title=type(thing).__name__, special=_special(model))
    if not callable(thing):
        raise InputError(f"cannot verify {type(thing).__name__}; give a model, a module, or a function of prefixes")
    num_symbols = getattr(thing, "num_symbols", None) if num_symbols is None else num_symbols
    length = getattr(thing, "length", None) if length is None else length
    if not isinstance(num_symbols, int) or not isinstance(length, int):
        raise InputError(f"{type(thing).__name__} does not say its alphabet and length; give num_symbols=V, length=D")
    if isinstance(thing, nn.Module):
        return _of_logits(as_logits_model(thing), num_symbols, length, thing)
    return _of_prefixes(thing, num_symbols, length)


def _special(model: AutoregressiveModel) -> tuple[int, ...]:
    """Symbols with a meaning of their own: the start of a language model, the cutoffs of an adaptive head."""
    found = [model.network.start] if isinstance(model.network, HuggingFace) else []
    if isinstance(model.head, AdaptiveSoftmaxHead):
        found += [start + shift for start in model.head.starts.tolist() for shift in (-1, 0)]
    return tuple(found)


def _under(head: Head, length: int | None) -> AutoregressiveModel:
    """A copy of a head on top of a small network of our own, because a head reads features."""
    head = deepcopy(head)
    head.tied = False  # to the table of a network that is not here
    length = length or (len(head.heads) if isinstance(head, ColumnsHead) else 6)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = CausalConv(head.num_symbols, length, head.features, depth=2)
    return AutoregressiveModel(network.to(next((p.dtype for p in head.parameters()), torch.float32)), head)


def _is_language_model(thing: Any) -> bool:
    """Whether this is a causal language model of Hugging Face, seen without importing that library."""
    return (
        isinstance(thing, nn.Module) and hasattr(thing, "generate") and hasattr(thing, "prepare_inputs_for_generation")
    )


def _of_network(
    network: AutoregressiveNetwork, symbols: int | None, length: int | None, context: Tensor | None
) -> ModelUnderTest:
    symbols = network.symbols_read if symbols is None else symbols
    context = _context(network) if context is None else context
    length = length or network.length
    return ModelUnderTest(network, network, length, symbols, network, None, None, None, context, any_length=True)


def _context(network: nn.Module) -> Tensor | None:
    """A context for each example of a conditional network, from what its embedding expects; every class if possible."""
    for part in network.modules():
        if isinstance(part, ContextEmbedding):
            if part.num_classes is not None:
                return torch.arange(max(EXAMPLES, min(part.num_classes, 16))) % part.num_classes
            if part.context_size is not None:
                return torch.randn(EXAMPLES, part.context_size, generator=torch.Generator().manual_seed(0))
    return None


def _of_logits(model: LogitsModel, num_symbols: int, length: int, thing: nn.Module) -> ModelUnderTest:
    def logits(x: Tensor, c: Tensor | None) -> Tensor:
        return model.logits(x)

    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return model.element_log_prob(Batch(x))

    def log_pmf(x: Tensor, c: Tensor | None) -> Tensor:
        return model.logits(x).log_softmax(-1)

    return ModelUnderTest(thing, model, length, num_symbols, logits, scores, log_pmf, None, None, model=model)


def _of_prefixes(function: Callable[[Sequence[int]], Any], num_symbols: int, length: int) -> ModelUnderTest:
    """A function of prefixes: what can be wrong is its sum, its memory, and the alphabet."""

    def pmf(x: Tensor, c: Tensor | None) -> Tensor:
        made = torch.stack([_asked(function, row, num_symbols) for row in x.tolist()])
        if made.shape[-1] != num_symbols:
            raise InputError(f"the function gives {made.shape[-1]} probabilities, expected {num_symbols}")
        return made

    def log_pmf(x: Tensor, c: Tensor | None) -> Tensor:
        return pmf(x, c).log()

    def scores(x: Tensor, c: Tensor | None) -> Tensor:
        return pmf(x, c).gather(-1, x.unsqueeze(-1)).squeeze(-1).log()

    return ModelUnderTest(function, None, length, num_symbols, pmf, scores, log_pmf, None, None)


def _asked(function: Callable[[Sequence[int]], Any], row: list[int], num_symbols: int) -> Tensor:
    """The probabilities after each prefix of a row, (D, V); after a prefix of probability zero, nothing is asked."""
    made: list[Tensor] = []
    for d in range(len(row)):
        p = torch.as_tensor(function(row[:d])).detach().double()
        made.append(p)
        if row[d] < len(p) and float(p[row[d]]) == 0.0:
            uniform = torch.full_like(p, 1 / len(p))
            made += [uniform] * (len(row) - d - 1)
            break
    return torch.stack(made)


def working_copy(thing: Any) -> tuple[Any, bool]:
    """A copy of a module, so that nothing of what is tried stays in it, and whether it is one.

    A module is tried itself where it is large, cannot be copied, or has a method that was replaced by a function, which
    would go on to read the weights of the original.
    """
    if not isinstance(thing, nn.Module):
        return copied_function(thing)
    size = 0 if is_lazy(thing) else sum(p.numel() * p.element_size() for p in thing.parameters())
    replaced = any(callable(value) for part in thing.modules() for value in vars(part).values() if _is_function(value))
    if size > LARGEST_COPY or replaced:
        return thing, False
    try:
        return deepcopy(thing), True
    except (RuntimeError, TypeError, NotImplementedError, AttributeError, ValueError):
        return thing, False


def is_lazy(thing: Any) -> bool:
    """Whether a module has parameters that its first batch makes, at random."""
    return isinstance(thing, nn.Module) and any(
        isinstance(p, nn.parameter.UninitializedParameter) for p in thing.parameters()
    )


def copied_function(function: Any) -> tuple[Any, bool]:
    """A copy of a function or of a callable object with all that it keeps, and whether it is one."""
    try:
        if not isinstance(function, FunctionType):
            return deepcopy(function), True
        return _copy_of(function, {}), True
    except Exception:  # whatever a user's object raises that cannot be copied
        return function, False


def _copy_of(function: FunctionType, memo: dict[int, Any]) -> FunctionType:
    """A copy of a function with all that it encloses, functions too; memo: what was copied before."""
    cells = []
    for cell in function.__closure__ or ():
        kept = cell.cell_contents
        cells.append(CellType(_copy_of(kept, memo) if isinstance(kept, FunctionType) else deepcopy(kept, memo)))
    defaults = tuple(
        _copy_of(kept, memo) if isinstance(kept, FunctionType) else deepcopy(kept, memo)
        for kept in function.__defaults__ or ()
    )
    copy = FunctionType(function.__code__, function.__globals__, function.__name__, defaults or None, tuple(cells))
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _is_function(value: Any) -> bool:
    return isinstance(value, FunctionType) and value.__closure__ is not None


def in_precision(tested: ModelUnderTest, dtype: torch.dtype) -> ModelUnderTest | None:
    """A copy that computes in another type; None where there is none: some modules insist on their own type."""
    if tested.module is None or tested.dtype == dtype:
        return tested
    x = tested.elements(0, 1)
    with torch.no_grad():
        try:
            copy = deepcopy(tested.thing).to(dtype)
            context = tested.context
            context = context.to(dtype) if context is not None and context.is_floating_point() else context
            made = model_under_test(copy, tested.num_symbols, tested.length, context)
            out = made.outputs(x.to(dtype) if x.is_floating_point() else x, None if context is None else context[:1])
        except Exception:  # whatever a user's module raises in a type that it was not made for
            return None
    return made if out.dtype == dtype else None
