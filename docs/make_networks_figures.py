"""The figures of networks.md: what each network sees, as the gradient of one feature to all inputs.

python docs/make_networks_figures.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch

from chainrule.networks import MADE, NADE, AutoregressiveNetwork, CausalConv, PixelCNN, Recurrent, Transformer
from chainrule.verification.laws import randomised

IMAGES = Path(__file__).parent / "img"
SIDE, WIDTH = 11, 16
HERE = 7 * SIDE + 5  # the element whose features are looked at

NETWORKS: dict[str, Callable[[], AutoregressiveNetwork]] = {
    "CausalConv, kernel 3, dilations 1 2 4": lambda: CausalConv(None, (SIDE, SIDE), WIDTH, 3),
    "CausalConv, dilations 1 and the row": lambda: CausalConv(None, (SIDE, SIDE), WIDTH, 4, dilations=(1, SIDE)),
    "PixelCNN, 1 block": lambda: PixelCNN(None, (SIDE, SIDE), WIDTH, 1),
    "PixelCNN, 2 blocks": lambda: PixelCNN(None, (SIDE, SIDE), WIDTH, 2),
    "PixelCNN, 1 block, attention": lambda: PixelCNN(None, (SIDE, SIDE), WIDTH, 1, attention=[1]),
    "Transformer on an image": lambda: Transformer(None, (SIDE, SIDE), WIDTH, 2, 2),
    "Transformer, window 12": lambda: Transformer(None, (SIDE, SIDE), WIDTH, 2, 2, window=12),
    "MADE": lambda: MADE(None, (SIDE, SIDE)),
    "NADE": lambda: NADE(None, (SIDE, SIDE)),
    "Recurrent (GRU)": lambda: Recurrent(None, (SIDE, SIDE), WIDTH, 1),
}


def influence(network: AutoregressiveNetwork) -> np.ndarray:
    """|d h_HERE / d x_j| for every element j, the mean over some random images and all features."""
    network = randomised(network.double())
    x = torch.randn(8, SIDE * SIDE, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    h = network(x)[:, HERE]
    weight = torch.randn(h.shape, dtype=h.dtype, generator=torch.Generator().manual_seed(1))
    (gradient,) = torch.autograd.grad((h * weight).sum(), x)
    return gradient.abs().mean(0).reshape(SIDE, SIDE).numpy()


def main() -> None:
    """Draw all networks into one picture."""
    figure, axes = plt.subplots(2, 5, figsize=(12.5, 6), layout="constrained")
    for axis, (name, build) in zip(axes.flat, NETWORKS.items(), strict=True):
        seen = influence(build())
        shade = np.full(seen.shape, np.nan)
        shade[seen > 0] = np.log10(seen[seen > 0] / seen.max())
        axis.imshow(np.zeros_like(seen), cmap="Greys", vmin=0, vmax=8)
        axis.imshow(shade, cmap="Blues", vmin=-4, vmax=0)
        axis.add_patch(plt.Rectangle((HERE % SIDE - 0.5, HERE // SIDE - 0.5), 1, 1, color="#d1495b"))
        axis.set_title(f"{name}\n{int((seen > 0).sum())} of {HERE} before it", fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
    figure.suptitle("What the red element's features see (darker: more), drawn from gradients", fontsize=11)
    figure.savefig(IMAGES / "networks.png", dpi=90)


if __name__ == "__main__":
    main()
