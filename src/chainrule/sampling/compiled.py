"""Steps compiled ahead of time: one C++ program per step, where the eager step spends its time in dispatch.

The eager step is the oracle: same caches, same numbers up to rounding. One program serves every length of caches that
grow, so that it reads no more of them than the eager step does. Compiling takes about 20 seconds.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.heads.base import Head
from chainrule.heads.logits import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.sampling.program_key import program_key
from chainrule.sampling.programs import is_at_hand, program

__all__ = ["CompiledStep", "compile_step", "is_compiled"]

TILE = 16  # places of a cache that are summed for themselves; a divisor of the places by which it grows
MANY = 16  # examples from which on matrix products gain by weights that are laid out anew for them


def product(a: Tensor, b: Tensor) -> Tensor:
    """The batched product of (N, P, R) and (N, R, Q) as a sum of products, which the compiler fuses with what follows.

    Attention's products of one step have one row (P = 1): they are bound by reading b, and a library's call per product
    keeps them from sharing that with the softmax. Where R grows, the values in a tile of `TILE` places are summed
    first, then the tiles: the loop then reads b once from its beginning to its end, not once for every vector of Q.
    """
    if isinstance(b.shape[1], int):
        return (a.unsqueeze(-1) * b.unsqueeze(1)).sum(2)
    tiles = a.unflatten(2, (-1, TILE)).unsqueeze(-1) * b.unflatten(1, (-1, TILE)).unsqueeze(1)
    return tiles.sum(3).sum(2)


def scaled_product(plus: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
    """beta * plus + alpha * product(a, b)."""
    return beta * plus + product(alpha * a, b)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """W x + b as a sum of products.

    For a single example it is bound by reading W, which the compiler's loop does faster than a library's product of a
    matrix with one row. Rows copied by their numbers are computed before the loop; x by itself would be computed anew
    inside it for every row of W: a norm, or the taps of a convolution.
    """
    copied = torch.empty_like(x).index_copy(0, torch.arange(len(x), device=x.device), x)
    y = (copied.unsqueeze(-2) * weight).sum(-1)
    return y if bias is None else y + bias


def softmax(x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Tensor:
    """exp(x - max x) times the inverse of its sum, which the loop that reads it then need not divide by every time."""
    x = x if dtype is None else x.to(dtype)
    e = (x - x.amax(dim, keepdim=True)).exp()
    return e * e.sum(dim, keepdim=True).reciprocal()


LOOPS = {
    torch.ops.aten.bmm.default: product,
    torch.ops.aten.baddbmm.default: scaled_product,
    torch.ops.aten.softmax.int: softmax,
}
OF_ONE = LOOPS | {torch.ops.aten.linear.default: linear}


class Advance(nn.Module):
    """`network.advance` and the last layer as a module of tensors alone, for the compiler."""

    def __init__(self, network: AutoregressiveNetwork, last: nn.Module) -> None:
        super().__init__()
        self.network, self.last = network, last

    def forward(self, x_previous: Tensor, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        """What the head reads at a position; writes into the caches."""
        return self.last(self.network.advance(x_previous, position, background, caches))


class CompiledStep(AutoregressiveNetwork):
    """A network whose step is compiled for one batch size and for the weights that it has now.

    Everything else, and the step of other batch sizes, is the network's own. The first element, whose past is empty, is
    taken eagerly, too.

    last: what is compiled with the network and follows it, from its features to `features` of them: the logits of a
        categorical head, which then are the last layer. By default nothing.
    """

    def __init__(
        self,
        network: AutoregressiveNetwork,
        batch_size: int,
        program: Callable[[list[Tensor]], list[Tensor]],
        last: nn.Module | None = None,
        features: int | None = None,
    ) -> None:
        super().__init__(network.shape, features or network.features)
        self.network, self.batch_size, self.program = network, batch_size, program
        self.last = last or nn.Identity()
        self.dtype = dtype_of_elements(network)

    @property
    def receptive_field(self) -> int:
        return self.network.receptive_field

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        *below, h = self.network.layers(x, context)
        return [*below, self.last(h)]

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        return self.last(self.network.packed(x, segment_ids))

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> Any:
        return self.network.initial_state(batch_size, context)

    def step(self, x_previous: Tensor | None, state: Any) -> tuple[Tensor, Any]:
        if x_previous is None or len(x_previous) != self.batch_size:
            h, state = self.network.step(x_previous, state)
            return self.last(h), state
        if int(state.position) >= self.length:  # the program would write past the end of its caches
            raise InputError(
                f"a compiled step walks the {self.length} elements it was built for; "
                "sample examples of at most that length"
            )
        self.network.make_room(state)
        x = x_previous.to(self.dtype).contiguous()  # the program reads memory as it lies
        (h,) = self.program([x, state.position, state.background, *state.caches])
        state.position += 1
        return h, state


def dtype_of_elements(network: AutoregressiveNetwork) -> torch.dtype:
    """The type in which the elements enter a compiled step: integers for symbols, float64 for real numbers."""
    return torch.float64 if network.symbols_read is None else torch.long


def divided(head: Head) -> tuple[nn.Module, Head]:
    """Split a head into a layer that is compiled with the network and the head that reads its output.

    The layer computes the logits, where the head has a layer for them; otherwise it is the identity.
    """
    layer = head.logits_layer()
    return (nn.Identity(), head) if layer is None else (layer, LogitsHead(head.num_symbols or 0))


def compile_step(model: AutoregressiveModel, batch_size: int = 1, context: Tensor | None = None) -> AutoregressiveModel:
    """The same model with a step compiled by AOTInductor for a batch size, with the weights that it has now.

    model: model whose network has a step that can be compiled.
    batch_size: number of examples per step.
    context: context of that many examples, for conditional models.

    Needs a C++ compiler, and some 20 seconds once: the program is kept in the user's cache (`CHAINRULE_CACHE`), for
    these weights, shapes and versions, on this kind of processor. Sampling, stepwise scoring and coding then use the
    compiled step, `compile_step(model).sample(1, seed=0)`. Categorical logits are compiled with it, and the compiled
    model computes all of them at once; score whole examples of many symbols with the original model.

    Raises InputError for networks whose step depends on the position in more than numbers: see their `advance`.
    """
    network = model.network
    if isinstance(network, CompiledStep):
        raise InputError("this model already has a compiled step; compile the original model")
    if not network.can_compile:
        raise InputError(
            f"{type(network).__name__} has no step that can be compiled; take a Transformer or a CausalConv, "
            "or sample with the eager step"
        )
    training = model.training
    made, key = _parts(model, batch_size, context)
    found = program(key, made.build)
    compiled = AutoregressiveModel(CompiledStep(network, batch_size, found, made.last, made.head.features), made.head)
    return compiled.train(training)


def is_compiled(model: AutoregressiveModel, batch_size: int = 1, context: Tensor | None = None) -> bool:
    """Whether the step of a model is in the cache, so that `compile_step` takes no time."""
    network = model.network
    return (
        network.can_compile
        and not isinstance(network, CompiledStep)
        and is_at_hand(_parts(model, batch_size, context)[1])
    )


@dataclass
class Parts:
    """What a step is compiled from.

    network: whose step it is.
    last: the layer that is compiled with it.
    head: what reads the output of that layer.
    inputs: the first arguments of the step.
    state: of the network, before the first element.
    batch_size: examples per step.
    """

    network: AutoregressiveNetwork
    last: nn.Module
    head: Head
    inputs: tuple[Any, ...]
    state: Any
    batch_size: int

    def build(self, package: Path) -> None:
        """Compile the step and write it to a path, which takes most of a minute of a processor."""
        room = TILE * torch.export.Dim("tiles")
        growing = self.network.growing_axes(self.state)
        shapes = (None, None, None, [None if dim is None else {dim: room} for dim in growing])
        packed = torch._inductor.config.patch(freezing=self.batch_size >= MANY)
        with torch.no_grad(), warnings.catch_warnings(action="ignore"), packed:
            exported = torch.export.export(Advance(self.network, self.last).eval(), self.inputs, dynamic_shapes=shapes)
            exported = exported.run_decompositions(OF_ONE if self.batch_size == 1 else LOOPS)
            torch._inductor.aoti_compile_and_package(exported, package_path=str(package))


def _parts(model: AutoregressiveModel, batch_size: int, context: Tensor | None) -> tuple[Parts, str | None]:
    """What the step of a model is compiled from, and the key of the program."""
    network = model.network
    state = network.initial_state(batch_size, context)
    symbols = torch.zeros(batch_size, dtype=dtype_of_elements(network))
    inputs = (symbols.to(model.device), torch.ones_like(state.position), state.background, state.caches)
    last, head = divided(model.head)
    key = program_key([network, last], batch_size, *inputs[:3], *state.caches, network.growing_axes(state))
    return Parts(network, last, head, inputs, state, batch_size), key
