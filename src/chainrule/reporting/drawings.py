"""Small drawings as inline SVG, in the colours of the page: no script, no outside resource, a label on each."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from chainrule.reporting.visible import html

__all__ = ["bars", "bits_colour", "curve", "heat_map", "picture", "reliability"]

Numbers = npt.NDArray[np.float64]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 560, 256, 58, 40, 34


def _svg(label: str, content: str, width: int = WIDTH, height: int = HEIGHT) -> str:
    name = html(label)
    return f'<svg role="img" aria-label="{name}" viewBox="0 0 {width} {height}"><title>{name}</title>{content}</svg>'


def _axes(x_range: tuple[float, float], y_range: tuple[float, float], x_name: str, y_name: str) -> str:
    """The frame, three marks per side, and the names of the axes."""
    lines = [f'<path class="axis" d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{WIDTH - 8}"/>']
    for share in (0.0, 0.5, 1.0):
        x, y = LEFT + share * (WIDTH - LEFT - 8), HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        at_x, at_y = (low + share * (high - low) for low, high in (x_range, y_range))
        anchor = ("start", "middle", "end")[round(2 * share)]
        lines.append(f'<text x="{x:.0f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="{anchor}">{at_x:.4g}</text>')
        lines.append(f'<text x="{LEFT - 5}" y="{y + 4:.0f}" text-anchor="end">{at_y:.3g}</text>')
    lines.append(f'<text x="{(WIDTH + LEFT) / 2:.0f}" y="{HEIGHT - 4}" text-anchor="middle">{html(x_name)}</text>')
    lines.append(f'<text x="4" y="15">{html(y_name)}</text>')
    return "".join(lines)


def _place(x: Numbers, y: Numbers, x_range: tuple[float, float], y_range: tuple[float, float]) -> Numbers:
    across = (x - x_range[0]) / max(x_range[1] - x_range[0], 1e-12)
    up = np.clip((y - y_range[0]) / max(y_range[1] - y_range[0], 1e-12), 0, 1)
    return np.stack([LEFT + across * (WIDTH - LEFT - 8), HEIGHT - BOTTOM - up * (HEIGHT - BOTTOM - TOP)], 1)


def curve(steps: Sequence[float], lines: Mapping[str, Sequence[float]], best: float | None, label: str) -> str:
    """Lines over the steps, each in its own dash and colour, the best step marked.

    >>> curve([1, 2], {"validation": [3.0, 2.0]}, 2, "learning curve").count("<polyline")
    1
    """
    x, every = np.asarray(steps, dtype=float), np.concatenate([np.asarray(v, dtype=float) for v in lines.values()])
    every = every[np.isfinite(every)]
    shown = np.sort(every)[: max(2, int(0.95 * len(every)))]
    y_range = (float(shown[0]), float(shown[-1]) + 0.15 * float(np.ptp(shown)) + 1e-9)
    x_range = (float(x[0]), float(x[-1]))
    drawn = [_axes(x_range, y_range, "step", "nats per example")]
    for k, (name, values) in enumerate(lines.items()):
        y = np.asarray(values, dtype=float)
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in _place(x, y, x_range, y_range))
        drawn.append(f'<polyline class="line{k}" points="{points}"/>')
        drawn.append(
            f'<text class="name{k}" x="{WIDTH - 12}" y="{TOP + 8 + 18 * k}" text-anchor="end">{html(name)}</text>'
        )
        if k == 0 and best is not None and best in list(steps):
            a, b = _place(np.array([best]), y[[list(steps).index(best)]], x_range, y_range)[0]
            drawn.append(f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="4"/>')
    return _svg(label, "".join(drawn))


def bars(values: Numbers, label: str, x_name: str, y_name: str, expected: float | None = None) -> str:
    """One bar per entry, a title on each; a line where all of them should be."""
    top = float(np.nanmax(values)) * 1.1 or 1.0
    width = (WIDTH - LEFT - 8) / len(values)
    drawn = [_axes((0, len(values)), (0, top), x_name, y_name)]
    for k, value in enumerate(np.nan_to_num(values)):
        height = value / top * (HEIGHT - BOTTOM - TOP)
        drawn.append(
            f'<rect class="bar" x="{LEFT + k * width:.2f}" y="{HEIGHT - BOTTOM - height:.1f}" '
            f'width="{max(width - 0.6, 0.4):.2f}" height="{height:.1f}"><title>{k}: {value:.4g}</title></rect>'
        )
    if expected is not None:
        y = HEIGHT - BOTTOM - expected / top * (HEIGHT - BOTTOM - TOP)
        drawn.append(f'<path class="expected" d="M{LEFT} {y:.1f}H{WIDTH - 8}"/>')
    return _svg(label, "".join(drawn))


def reliability(table: Numbers, label: str) -> str:
    """Probability given (across) against the share that happened (up), for each bin of probability that was used."""
    used = table[table[:, 0] > 0]
    unit = (0.0, 1.0)
    drawn = [_axes(unit, unit, "probability given", "share that happened")]
    ends = _place(np.array([0.0, 1.0]), np.array([0.0, 1.0]), unit, unit)
    drawn.append('<path class="expected" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>'.format(*ends.ravel()))
    points = _place(used[:, 1], used[:, 2], unit, unit)
    for (a, b), (c, d) in pairwise(points):
        drawn.append(f'<path class="line0" d="M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}"/>')
    for (a, b), row in zip(points, used, strict=True):
        title = f"given {row[1]:.3f}, happened {row[2]:.3f}, {row[0]:.0f} times"
        drawn.append(f'<circle class="mark" cx="{a:.1f}" cy="{b:.1f}" r="4"><title>{title}</title></circle>')
    return _svg(label, "".join(drawn))


def heat_map(values: Numbers, label: str) -> str:
    """A grid of cells (rows, columns), darker for more bits, the figure as the title of each."""
    rows, columns = values.shape
    top = float(np.nanmax(values)) or 1.0
    cells = "".join(
        f'<rect x="{j}" y="{i}" width="1.02" height="1.02" fill="{bits_colour(value / top)}">'
        f"<title>row {i}, column {j}: {value:.3f} bits</title></rect>"
        for (i, j), value in np.ndenumerate(np.nan_to_num(values))
    )
    return _svg(label, cells, columns, rows)


def bits_colour(share: float) -> str:
    """From pale to deep blue; `share` is between 0, cheap, and 1, expensive.

    >>> bits_colour(0.0)
    '#f2f5fa'
    """
    pale, deep = np.array([242, 245, 250]), np.array([18, 60, 130])
    red, green, blue = (pale + (deep - pale) * min(max(share, 0.0), 1.0)).round().astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def picture(levels: npt.NDArray[np.uint8], label: str) -> str:
    """An image of grey or RGB levels, (H, W) or (H, W, 3), as a PNG within the page."""
    height, width = levels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), levels.reshape(height, -1)], 1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2 if levels.ndim == 3 else 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
    encoded = base64.b64encode(png + chunk(b"IEND", b"")).decode()
    return f'<img alt="{html(label)}" src="data:image/png;base64,{encoded}">'
