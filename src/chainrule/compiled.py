"""Steps compiled ahead of time: one C++ program a step, where the eager step spends its time in dispatch.

The eager step is the oracle: same caches, same numbers up to rounding. One program serves every length of caches that
grow, so that it reads no more of them than the eager step does. Compiling takes about half a minute.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.model import AutoregressiveModel
from chainrule.networks.base import AutoregressiveNetwork

__all__ = ["CompiledStep", "compile_step"]

MANY = 16  # examples from which on matrix products gain by weights that are laid out anew for them


class Advance(nn.Module):
    """`network.advance` as a module of tensors alone, for the compiler."""

    def __init__(self, network: AutoregressiveNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_previous: Tensor, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        """The features at a position; writes into the caches."""
        return self.network.advance(x_previous, position, background, caches)  # type: ignore[operator]


class CompiledStep(AutoregressiveNetwork):
    """A network whose step is compiled for one batch size and for the weights that it has now.

    Everything else, and the step of other batch sizes, is the network's own. The first element, whose past is empty, is
    taken eagerly, too.
    """

    def __init__(
        self, network: AutoregressiveNetwork, batch_size: int, advance: Callable[[list[Tensor]], list[Tensor]]
    ) -> None:
        super().__init__(network.shape, network.features)
        self.network, self.batch_size, self.advance = network, batch_size, advance

    @property
    def receptive_field(self) -> int:
        return self.network.receptive_field

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        return self.network.layers(x, context)

    def packed(self, x: Tensor, document: Tensor) -> Tensor:
        return self.network.packed(x, document)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> Any:
        return self.network.initial_state(batch_size, context)

    def step(self, x_previous: Tensor | None, state: Any) -> tuple[Tensor, Any]:
        if x_previous is None or len(x_previous) != self.batch_size:
            return self.network.step(x_previous, state)
        if int(state.position) >= self.length:  # the program would write past the end of its caches
            raise InputError(
                f"a compiled step walks the {self.length} elements it was built for; sample no longer ones"
            )
        self.network.make_room(state)  # type: ignore[operator]
        (h,) = self.advance([x_previous, state.position, state.background, *state.caches])
        state.position += 1
        return h, state


def compile_step(model: AutoregressiveModel, batch_size: int = 1, context: Tensor | None = None) -> AutoregressiveModel:
    """The same model with a step compiled by AOTInductor for a batch size; the weights are those of now.

    context: of that many examples, for conditional models. Needs a C++ compiler. Sampling, stepwise scoring and coding
    take the compiled step by themselves, `compile_step(model).sample(1, seed=0)`.

    Raises InputError for networks whose step depends on the position in more than numbers: see their `advance`.
    """
    network = model.network
    if not hasattr(network, "advance"):
        raise InputError(
            f"{type(network).__name__} has no step that can be compiled; take a Transformer or a CausalConv, "
            "or sample with the eager step"
        )
    state = network.initial_state(batch_size, context)
    symbols = torch.zeros(batch_size, dtype=torch.long if network.embedding.num_symbols else torch.float64)  # type: ignore[union-attr]
    inputs = (symbols.to(model.device), torch.ones_like(state.position), state.background, state.caches)
    growing = network.growing(state)  # type: ignore[operator]
    room = torch.export.Dim("room", max=network.length)
    shapes = (None, None, None, [None if dim is None else {dim: room} for dim in growing])
    packed = torch._inductor.config.patch(freezing=batch_size >= MANY)
    with torch.no_grad(), warnings.catch_warnings(action="ignore"), tempfile.TemporaryDirectory() as folder, packed:
        exported = torch.export.export(Advance(network).eval(), inputs, dynamic_shapes=shapes)
        package = torch._inductor.aoti_compile_and_package(exported, package_path=str(Path(folder) / "step.pt2"))
        advance = torch._inductor.aoti_load_package(package).loader.boxed_run  # without the tree of arguments around it
    return AutoregressiveModel(CompiledStep(network, batch_size, advance), model.head).eval()
