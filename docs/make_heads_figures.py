"""The figures of heads.md: heads fitted to columns that scikit-learn ships, beside the histograms of the data.

    python docs/make_heads_figures.py [levels] [reals] [counts] [channels] [columns]

A head without a network is fitted by giving it one constant feature, so that it learns a marginal distribution.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn import datasets
from torch import Tensor

from chainrule.batch import Batch
from chainrule.heads.base import Distribution, Head
from chainrule.heads.categorical import Categorical, CategoricalHead
from chainrule.heads.channel_chain import ChannelChainHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer

IMAGES = Path(__file__).parent / "img"
DATA, FIT, OTHER, ACCENT = "#c9ced6", "#1f5fa8", "#d1495b", "#3a7d44"


def fit(head: Head, x: Tensor, steps: int = 500) -> Head:
    """Maximise the mean log-probability of x, shape (N,), over the marginal distributions that the head can express."""
    values, counts = torch.unique(x, return_counts=True)
    head.initialise(x[:, None])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (-(counts * marginal(head, len(values)).log_prob(values)).sum() / len(x)).backward()
        optimizer.step()
        schedule.step()
    return head


def marginal(head: Head, n: int) -> Distribution:
    """The head's distribution at its one constant feature, n times."""
    return head(torch.ones(n, 1))


@torch.no_grad()
def prob(head: Head, x: Tensor) -> np.ndarray:
    """exp of the log-probability of each x."""
    return marginal(head, len(x)).log_prob(x).exp().numpy()


@torch.no_grad()
def nats(head: Head, x: Tensor) -> float:
    """The mean of -ln p(x)."""
    return -float(marginal(head, len(x)).log_prob(x).mean())


def save(figure: plt.Figure, name: str) -> None:
    """Write the figure and say how large the file is."""
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / f"{name}.png", dpi=110)
    plt.close(figure)
    print(f"{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1e3:.0f} kB")


def levels() -> None:
    """Sixty images of a pixel with 17 grey values: a categorical repeats their accidents, logistics do not."""
    pixel = torch.tensor(datasets.load_digits().images[:, 5, 4]).long()
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(pixel)))
    few, rest = pixel[order[:60]], pixel[order[60:]]
    share = torch.bincount(rest, minlength=17) / len(rest)
    smoothed = Categorical((torch.bincount(few, minlength=17) + 0.5).log())
    head = fit(LogisticMixtureHead(1, 17, components=2), few)
    fits = {
        "categorical, half a count added": (smoothed.pmf().numpy(), OTHER),
        "discretised logistics, K = 2": (prob(head, torch.arange(17)), FIT),
    }
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
    for axis, (name, (pmf, colour)) in zip(axes, fits.items(), strict=True):
        axis.bar(range(17), share, color=DATA, width=0.9, label=f"the other {len(rest)} images")
        axis.plot(range(17), pmf, "o-", color=colour, markersize=4, lw=1, label=name)
        score = -float(share.numpy() @ np.log(pmf))
        axis.set(title=f"from 60 images; {score:.3f} nats on the others", xlabel="grey value", xticks=range(0, 17, 4))
        axis.legend(loc="upper center")
    axes[0].set_ylabel("probability")
    save(figure, "heads_levels")


def reals() -> None:
    """A skewed measurement as a density, and one recorded in tenths, where only a mass is worth comparing."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    area = torch.tensor(datasets.load_breast_cancer().data[:, 3])
    grid = torch.linspace(0, 2600, 600, dtype=torch.float64)
    axes[0].hist(area, bins=45, density=True, color=DATA, label="569 tumours")
    for components, colour in ((1, OTHER), (3, FIT)):
        head = fit(GaussianMixtureHead(1, components=components), area)
        label = f"K = {components}: {nats(head, area):.3f} nats"
        axes[0].plot(grid, prob(head, grid), color=colour, lw=1.6, label=label)
    axes[0].set(xlabel="mean area", ylabel="density", title="a density, in the units of the data")

    width = torch.tensor(datasets.load_iris().data[:, 3])
    values, counts = torch.unique(width, return_counts=True)
    axes[1].bar(values, counts / len(width), width=0.085, color=DATA, label="150 irises, recorded in 0.1 cm")
    tenths = torch.arange(0, 29, dtype=torch.float64) / 10
    head = fit(GaussianMixtureHead(1, components=3, resolution=0.1), width)
    label = f"K = 3, resolution 0.1: {nats(head, width):.3f} nats"
    axes[1].plot(tenths, prob(head, tenths), "o-", color=FIT, markersize=4, lw=1, label=label)
    axes[1].set(xlabel="petal width, cm", ylabel="probability", title="a mass, on the grid of the recorded values")
    for axis in axes:
        axis.legend()
    save(figure, "heads_reals")


def counts() -> None:
    """How often each word occurs in the descriptions of scikit-learn's data sets: a power law, not a Poisson one."""
    loaders = [getattr(datasets, f"load_{name}") for name in ("breast_cancer", "diabetes", "digits", "iris", "wine")]
    words = re.findall(r"[a-z]+", " ".join(load().DESCR.lower() for load in loaders))
    frequency = torch.from_numpy(np.unique(words, return_counts=True)[1])
    head = fit(CountHead(1, components=4), frequency, steps=1000)
    n = torch.arange(0, 201)
    rate = frequency.double().mean()
    poisson = torch.exp(n * rate.log() - rate - torch.lgamma(n + 1.0))
    tail = np.array([(frequency >= k).double().mean() for k in n.tolist()])
    figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
    axis.plot(
        n, np.where(tail > 0, tail, np.nan), color=DATA, lw=6, solid_capstyle="butt", label=f"{len(frequency)} words"
    )
    with torch.no_grad():
        p = marginal(head, len(n))
        axis.plot(
            n, 1 - p.cdf(n) + p.log_prob(n).exp(), color=FIT, label=f"counts, K = 4: {nats(head, frequency):.3f} nats"
        )
    score = -float((frequency * rate.log() - rate - torch.lgamma(frequency + 1.0)).mean())
    axis.plot(n, poisson.flip(0).cumsum(0).flip(0), color=OTHER, label=f"Poisson: {score:.3f} nats")
    axis.set(xscale="log", yscale="log", xlim=(1, 200), ylim=(3e-4, 1.5))
    axis.set(xlabel="n, how often a word occurs", ylabel="P(X ≥ n)")
    axis.legend(loc="lower left")
    save(figure, "heads_counts")


def channels() -> None:
    """A photograph's pixels as rows (red, green, blue): what red says of green."""
    picture = datasets.load_sample_image("china.jpg")
    pixels = torch.from_numpy(picture[::4, ::4].reshape(-1, 3).astype(np.int64))
    torch.manual_seed(0)
    head = ChannelChainHead(32, 256, components=5)
    model = AutoregressiveModel(CausalConv(256, 3, 32, depth=2, ordinal=True), head)
    train(model, pixels, steps=500, batch_size=400)
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
    for axis, red in zip(axes, (20, 90, 160, 230), strict=True):
        near = pixels[(pixels[:, 0] - red).abs() <= 3]
        with torch.no_grad():
            h = model.network(torch.tensor([[red, 0, 0]]))
            pmf = head.at(1, h[:, 1], torch.tensor([[red]])).pmf()[0]
        axis.hist(near[:, 1], bins=np.arange(0, 257, 4) - 0.5, weights=np.full(len(near), 0.25 / len(near)), color=DATA)
        axis.plot(range(256), pmf, color=ACCENT, lw=1.6)
        axis.axvline(red, color=OTHER, lw=1, ls=":")
        axis.set(title=f"p(green | red = {red})", xlabel="green", xticks=(0, 128, 255), yticks=())
    axes[0].set_ylabel("probability")
    save(figure, "heads_channels")


def columns() -> None:
    """Irises as rows (species, petal length, petal width), a fifth of the widths erased: one chain, three kinds."""
    iris = datasets.load_iris()
    x = torch.tensor(np.column_stack([iris.target, iris.data[:, 2], iris.data[:, 3]]))
    x[np.random.default_rng(0).random(len(x)) < 0.2, 2] = torch.nan
    torch.manual_seed(0)
    size = 32
    heads = [
        CategoricalHead(size, 3),
        GaussianMixtureHead(size, components=2, resolution=0.1),
        MissingHead(GaussianMixtureHead(size, components=2, resolution=0.1)),
    ]
    model = AutoregressiveModel(Transformer(None, 3, size, depth=2, heads=2, dropout=0.1), ColumnsHead(heads))
    train(model, x, steps=400, batch_size=150)
    figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
    for species, colour in zip(range(3), (FIT, OTHER, ACCENT), strict=True):
        rows = x[x[:, 0] == species]
        grid = torch.arange(5, 75, dtype=torch.float64) / 10
        values, count = torch.unique(rows[:, 1], return_counts=True)
        axes[0].bar(values, count / len(rows), width=0.085, color=colour, alpha=0.3)
        axes[0].plot(grid, cell(model, 1, rows[0], grid), color=colour, lw=1.4, label=iris.target_names[species])
    axes[0].set(xlabel="petal length, cm", ylabel="probability", title="p(length | species)")
    axes[0].legend()

    rows = x[(x[:, 0] == 1) & ((x[:, 1] - 4.5).abs() < 0.35)]
    grid = torch.cat([torch.arange(8, 22, dtype=torch.float64) / 10, torch.tensor([torch.nan])])
    places = np.append(grid[:-1].numpy(), 2.4)
    share = [float(((rows[:, 2] - v).abs() < 0.01).double().mean()) for v in grid[:-1]]
    missing = float(rows[:, 2].isnan().double().mean())
    axes[1].bar(places, [*share, missing], width=0.085, color=DATA, label=f"{len(rows)} of length 4.2 to 4.8")
    pmf = cell(model, 2, torch.tensor([1.0, 4.5, 0.0]).double(), grid)
    axes[1].plot(places[:-1], pmf[:-1], "o-", places[-1:], pmf[-1:], "o", color=OTHER, markersize=4, lw=1)
    axes[1].set(
        xticks=(0.8, 1.2, 1.6, 2.0, 2.4), xticklabels=("0.8", "1.2", "1.6", "2.0", "missing"), xlabel="petal width, cm"
    )
    axes[1].set(title="p(width | versicolor, length 4.5)", ylim=(0, 0.39))
    axes[1].legend()

    with torch.no_grad():
        parts = -model.element_log_prob(Batch(x)).mean(0)
    axes[2].barh(("width, or missing", "length", "species"), parts.flip(0), color=FIT)
    axes[2].set(xlabel="nats", title=f"−ln p(row) = {float(parts.sum()):.2f} nats")
    save(figure, "heads_columns")


def train(model: AutoregressiveModel, x: Tensor, steps: int, batch_size: int) -> None:
    """Maximise the mean log-probability of the rows of x."""
    model.initialise(x)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = Batch(x[torch.randint(len(x), (batch_size,), generator=generator)])
        optimizer.zero_grad()
        (-model.log_prob(batch).mean()).backward()
        optimizer.step()
        schedule.step()
    model.eval()


@torch.no_grad()
def cell(model: AutoregressiveModel, d: int, row: Tensor, x: Tensor) -> np.ndarray:
    """p(x_d | the elements of the row before it) for each x."""
    h = model.network(row[None])[0, d]
    p = model.head.at(d, h.expand(len(x), -1), row[:d].expand(len(x), d))
    return p.log_prob(x).exp().numpy()


if __name__ == "__main__":
    torch.set_num_threads(1)
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False})
    figures = {draw.__name__: draw for draw in (levels, reals, counts, channels, columns)}
    for name in sys.argv[1:] or figures:
        figures[name]()
