"""Settings of the whole suite: one thread a process, no network, a fixed hypothesis profile."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.support.at_hand import a_certificate, a_learning_curve

torch.set_num_threads(1)  # the models are tiny; `-n 2` uses both cores
settings.register_profile("chainrule", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("chainrule")


@pytest.fixture(autouse=True)
def seeded():
    """Weights that a test draws are its own, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def at_hand(request, monkeypatch):
    """Certificate and curve, most of the time of a tiny fit, are taken as they are; under `whole_fit` they are made."""
    if "whole_fit" not in request.keywords:
        monkeypatch.setattr("chainrule.runs.start.stop_at_a_leak", lambda model: a_certificate())
        monkeypatch.setattr("chainrule.reporting.pictures.learning_curve", lambda *arguments: a_learning_curve())


@pytest.fixture(scope="session")
def shared_data():
    """The directory of public data sets: CHAINRULE_DATA, else ../shared/data beside the repository."""
    place = Path(os.environ.get("CHAINRULE_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"there is no data at {place}; set CHAINRULE_DATA")
    return place
