"""The pictures of samples.md: what trained models draw and how they go on, and the page itself.

python docs/make_sample_figures.py digits=runs/digits-1 mnist=runs/mnist-1 text=runs/book-1 [--out docs]

A run on images becomes img/NAME_samples.png and img/NAME_completions.png, a run on text a section of samples.md. Pages
are written whole: name all runs at once.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from chainrule.cli.app import main as command
from chainrule.runs.run import Run

SEED = 0
COMPLETED, COMPLETIONS = 8, 6  # test images, and how often each is completed
INK, RED = "#24292f", "#d1495b"
PROMPTS = 3


def sampled(run: Path, *options: str) -> dict[str, Any]:
    """What `chainrule sample RUN ... --json` answers."""
    answer = io.StringIO()
    with contextlib.redirect_stdout(answer):
        code = command(["sample", str(run), "--json", *options])
    if code:
        raise SystemExit(f"chainrule sample {run} {' '.join(options)} ended with {code}")
    return json.loads(answer.getvalue())


def show(axis: plt.Axes, image: np.ndarray, top: int) -> None:
    """One image without ticks, its brightest level white."""
    axis.imshow(image / top, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.spines[:].set_visible(False)


def save(figure: plt.Figure, path: Path) -> None:
    """A PNG with a palette of 64 colours."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    plt.close(figure)
    Image.open(buffer).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def sample_picture(run: Run, path: Path) -> str:
    """A grid of samples beside one of test images; what is said of them."""
    encoding, test = run.encoding(), run.data().test
    top = encoding.picture_levels - 1
    drawn = run.model().sample(64, seed=SEED, end=encoding.domain.end)
    real = encoding.decode(test.batch(np.arange(64)).x.numpy())
    figure = plt.figure(figsize=(8.2, 4.4), layout="constrained")
    parts = figure.subfigures(1, 2, wspace=0.06)
    for part, images, title in zip(
        parts, (encoding.decode(drawn.x.numpy()), real), ("samples of the model", "test images"), strict=True
    ):
        part.suptitle(title, fontsize=11, color=INK)
        for axis, image in zip(part.subplots(8, 8).flat, images, strict=True):
            show(axis, image, top)
    save(figure, path)
    return (
        f"Seed {SEED}, none chosen, nothing cut off; mean ln p of the samples {drawn.log_prob.mean().item():.1f} nats."
    )


def completion_picture(run: Run, path: Path) -> str:
    """Test images, their upper halves, and several ways in which the model goes on; what is said of them."""
    encoding = run.encoding()
    top = encoding.picture_levels - 1
    x = run.data().test.batch(np.arange(COMPLETED)).x
    half = x.shape[1] // 2
    again = x.repeat_interleave(COMPLETIONS, 0)
    drawn = run.model().sample(len(again), seed=SEED, prefix=again[:, :half])
    completed = encoding.decode(drawn.x.numpy())
    completed = completed.reshape(COMPLETED, COMPLETIONS, *completed.shape[1:])
    figure, axes = plt.subplots(
        COMPLETIONS + 1, COMPLETED, figsize=(COMPLETED * 0.8 + 0.9, (COMPLETIONS + 1) * 0.8), layout="constrained"
    )
    for column, original in zip(range(COMPLETED), encoding.decode(x.numpy()), strict=True):
        show(axes[0, column], original, top)
        for row in range(COMPLETIONS):
            show(axes[row + 1, column], completed[column, row], top)
            axes[row + 1, column].axhline(original.shape[0] / 2 - 0.5, color=RED, linewidth=0.8)
    axes[0, 0].set_ylabel("test image", fontsize=9, color=INK)
    for row in range(COMPLETIONS):
        axes[row + 1, 0].set_ylabel(f"drawn {row + 1}", fontsize=9, color=INK)
    save(figure, path)
    return (
        "The first row shows test images. Above the red line each column is given its upper half, below it is drawn: "
        f"seed {SEED}, the first {COMPLETED} test images, none chosen; mean ln p of a lower half "
        f"{drawn.log_prob.mean().item():.1f} nats."
    )


def continuations(run: Run) -> list[str]:
    """The start of some test texts and how the model goes on, from `chainrule sample --prefix`."""
    encoding, test = run.encoding(), run.data().test
    lines = []
    for k in np.linspace(1, len(test) - 1, PROMPTS).astype(int):
        x = test.batch(np.array([k])).x[0].numpy()
        words = encoding.alphabet.decode(x[: len(x) // 3]).decode(errors="ignore").split()[1:-1]  # whole words
        prompt = " ".join(words[:8])
        answer = sampled(run.path, "-n", "1", "--seed", str(SEED), "--prefix", prompt)
        text = answer["text"][0].removeprefix(prompt)
        lines += [f"`--prefix {prompt!r}`, then {-answer['log_prob'][0]:.0f} nats of", "", "```text"]
        lines += [f"{prompt}|{text}".rstrip(), "```", ""]
    return lines


def section(name: str, run: Run, out: Path) -> list[str]:
    """What samples.md says of a run."""
    lines = [f"## {name}", ""]
    network, head = (run.config["model"][part]["name"] for part in ("network", "head"))
    result = json.loads((run.path / "report.json").read_text())["results"]["test"]
    per = "bits_per_byte" if "bits_per_byte" in result else "bits_per_dim"
    figure = f"{result[per]:.3f} {per.replace('bits_per_', 'bits/')}"
    lines += [f"A `{network}` with a `{head}` head, test: {result['nats_per_example']:.2f} nats/example, {figure}.", ""]
    if not hasattr(run.encoding(), "alphabet"):
        for kind, draw in (("samples", sample_picture), ("completions", completion_picture)):
            path = out / "img" / f"{name}_{kind}.png"
            said = draw(run, path)
            lines += [f"![{kind.capitalize()} of the model on {name}](img/{path.name})", "", said, ""]
        return lines
    return [*lines, "The model goes on after the bar; nothing is cut off.", "", *continuations(run)]


def main() -> None:
    """Draw everything and write samples.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    options = parser.parse_args()
    (options.out / "img").mkdir(parents=True, exist_ok=True)
    lines = ["# Samples and completions", ""]
    lines += ["Made by `docs/make_sample_figures.py` from trained runs: exact draws, the first ones, none chosen.", ""]
    for named in options.runs:
        name, _, path = named.partition("=")
        lines += section(name, Run.open(Path(path)), options.out)
    (options.out / "samples.md").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
