"""The total mass of a trained model over every state of two real tables: 1 within 1e-6."""

import gzip
import os
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch

from chainrule.data.examples.arrays import ArrayExamples
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.training.fit import fit
from chainrule.training.settings import TrainingSettings
from chainrule.verification.certificate.adapters import model_under_test
from chainrule.verification.certificate.normalisation import total_mass

ROOT = Path(os.environ.get("CHAINRULE_DATA", Path(__file__).parents[3] / "shared" / "data")) / "debd"


def table(name):
    for path, opened in (
        (ROOT / name / f"{name}.train.data", open),
        (ROOT / name / f"{name}.train.data.gz", gzip.open),
    ):
        if path.exists():
            with opened(path, "rt") as file:
                return np.loadtxt(file, delimiter=",", dtype=np.int64, max_rows=4000)
    return pytest.skip(f"the table {name} is not at {ROOT}; set CHAINRULE_DATA")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "elements"), [("nltcs", 16), ("msnbc", 17)])
def test_the_total_mass_is_one(name, elements):
    x = table(name)
    assert x.shape[1] == elements
    torch.manual_seed(0)
    model = AutoregressiveModel(Transformer(2, elements, 8, depth=2, heads=2), BernoulliHead(8))
    settings = TrainingSettings(steps=150, batch_size=64, evaluate_every=150)
    fit(model, ArrayExamples(x[:3000]), ArrayExamples(x[3000:]), settings)
    start = perf_counter()
    with torch.no_grad():
        mass = total_mass(model_under_test(model), elements)
    print(f"{name}: |mass - 1| = {abs(mass - 1):.2g} over 2^{elements} states in {perf_counter() - start:.1f} s")
    assert abs(mass - 1) <= 1e-6
    assert perf_counter() - start < 60
