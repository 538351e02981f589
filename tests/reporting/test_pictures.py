"""Pictures of a run."""

from io import BytesIO
from itertools import count

import numpy as np
import pytest
from PIL import Image

from chainrule.reporting.pictures import GRID_PIXELS, _tile, image_grid, learning_curve


def test_a_slow_machine_draws_the_learning_curve_without_a_warning(monkeypatch):
    """A legend that looks for the best place warns after a second, and warnings are errors here."""
    seconds = count(step=10)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(seconds)))
    records = [{"step": n, "train_nats_per_example": 9 / n, "valid_nats_per_example": 10 / n} for n in range(1, 9)]
    assert learning_curve(records, 8, 5.0).startswith(b"\x89PNG")


@pytest.mark.parametrize("shape", [(9, 8, 8), (5, 4, 6, 3), (1, 1, 1), (4, 700, 3)])
def test_a_grid_shows_every_image_and_white_beside_them(shape):
    """Each pixel of an image is a square of one colour; black is level 0, white the highest."""
    images = np.zeros(shape, int)
    images[-1] = 16
    with Image.open(BytesIO(image_grid(images, 17, "seed 0"))) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[2] == 3
    black = (pixels == 0).all(2).sum()
    side = max(1, GRID_PIXELS // max(_tile(images, max(1, round(len(images) ** 0.5))).shape[:2]))
    assert black == (len(images) - 1) * images[0].size // (3 if len(shape) == 4 else 1) * side**2
    assert (pixels[-1] == 255).all()
