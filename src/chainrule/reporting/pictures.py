"""PNG pictures of a run: samples beside test examples, and the learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from chainrule.batch import Array

__all__ = ["image_grid", "learning_curve", "samples_beside_data"]

INK, BLUE, ORANGE = "#24292f", "#2166ac", "#d6604d"
GRID_PIXELS, HEADLINE, MARGIN = 560, 40, 20  # of a grid that stands alone: its side, and what is left around it


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _tile(images: Array, columns: int) -> Array:
    """Images on a grid with one pixel of NaN between them.

    images: shape (n, H, W) or (n, H, W, C).
    columns: number of images per row of the grid.
    """
    n, height, width = images.shape[:3]
    rows = -(-n // columns)
    grid = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *images.shape[3:]), np.nan)
    for i, image in enumerate(images):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        grid[top : top + height, left : left + width] = image
    return grid


def _grid(images: Array, top: int) -> Array:
    """Images on a square grid, from 0 for black to 1 for white, with white between them."""
    grid = _tile(images.astype(float) / max(top, 1), max(1, round(len(images) ** 0.5)))
    return np.where(np.isnan(grid), 1.0, grid).clip(0, 1)


def _show(axis: Any, images: Array, top: int, title: str) -> None:
    axis.imshow(_grid(images, top), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_title(title, fontsize=10, color=INK)
    axis.set_axis_off()


def image_grid(images: Array, num_symbols: int, title: str = "samples") -> bytes:
    """A PNG of images on a square grid.

    images: levels 0 to num_symbols - 1, shape (n, H, W) or (n, H, W, 3).
    num_symbols: number of levels.
    title: text above the grid.
    """
    from PIL import Image, ImageDraw, ImageFont  # not matplotlib, which takes longer to import than a sample to draw

    grid = _grid(images, num_symbols - 1)
    enlarged = max(1, GRID_PIXELS // max(grid.shape[:2]))
    pixels = np.rint(255 * grid).astype(np.uint8).repeat(enlarged, 0).repeat(enlarged, 1)
    height, width = pixels.shape[:2]
    canvas = Image.new("RGB", (width + 2 * MARGIN, height + HEADLINE + MARGIN), "white")
    canvas.paste(Image.fromarray(pixels), (MARGIN, HEADLINE))
    place, font = (canvas.width // 2, HEADLINE // 2), ImageFont.load_default(20)
    ImageDraw.Draw(canvas).text(place, title, fill=INK, font=font, anchor="mm")
    buffer = BytesIO()
    canvas.save(buffer, format="PNG")
    return buffer.getvalue()


def samples_beside_data(samples: Array, data: Array, num_symbols: int, what: str = "test examples") -> bytes:
    """A PNG of two grids: samples of the model on the left, examples of the data on the right.

    samples: levels 0 to num_symbols - 1, shape (n, H, W) or (n, H, W, 3).
    data: examples of the same shape.
    num_symbols: number of levels.
    what: title above the examples.
    """
    figure, axes = _figure(8.2, 4.2, columns=2)
    figure.get_layout_engine().set(wspace=0.06)
    _show(axes[0], samples, num_symbols - 1, "samples of the model")
    _show(axes[1], data, num_symbols - 1, what)
    return _png(figure)


def learning_curve(records: Sequence[dict[str, Any]], best_step: int, baseline: float) -> bytes:
    """A PNG of the training and validation nats per example over the steps; a dot marks the kept weights.

    records: metrics of each validation; without validation examples, those of training.
    best_step: step of the kept weights.
    baseline: validation nats of the baseline of independent elements, drawn where it is near the curves.
    """
    figure, (axis,) = _figure(6, 3.6)
    steps = [record["step"] for record in records]
    train = [record["train_nats_per_example"] for record in records if "train_nats_per_example" in record]
    valid = [record["valid_nats_per_example"] for record in records if "valid_nats_per_example" in record]
    if len(train) == len(steps):  # a head that trains on an estimate reports none
        axis.plot(steps, train, color=ORANGE, label="training, as it was fitted (dropout on)", linewidth=1.5)
    best = min(valid or train)
    if valid:
        axis.plot(steps, valid, color=BLUE, label="validation, averaged weights", linewidth=2)
        axis.plot([best_step], [best], "o", color=BLUE, markersize=6)
        axis.annotate(
            f"{best:.2f}", (best_step, best), textcoords="offset points", xytext=(0, -14), ha="center", color=BLUE
        )
    shown = sorted(train + valid)[: max(1, int(0.95 * len(train + valid)))]
    margin = 0.15 * (shown[-1] - best) + 1e-6
    axis.set_ylim(min(shown) - 2 * margin, shown[-1] + margin)
    if baseline < shown[-1] + margin:
        axis.axhline(baseline, color=INK, linewidth=1, linestyle=":", label="independent elements")
    axis.set_xlabel("step")
    axis.set_ylabel("nats per example")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=9, loc="upper right")  # "best" looks for a place, and warns if that takes long
    return _png(figure)
