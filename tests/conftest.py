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


LONG = (  # files whose tests take longest, the longest first
    "mutants/test_mutants.py",
    "training/test_resume.py",
    "test_install.py",
    "cli/test_members.py",
    "training/test_engine.py",
    "cli/test_hostile.py",
    "training/test_checkpoint.py",
    "runs/test_time.py",
    "cli/test_fit.py",
    "test_docs.py",
    "estimators/test_page.py",
    "cli/test_sample.py",
    "cli/test_output.py",
    "runs/test_experts.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Long files stand first in both halves, which two workers begin with, so that short ones are left to share."""
    places = {Path(__file__).parent / name: k for k, name in enumerate(LONG)}
    long = sorted((item for item in items if item.path in places), key=lambda item: places[item.path])
    halves = [[item for item in long if places[item.path] % 2 == half] for half in (0, 1)]
    others = [item for item in items if item.path not in places]
    room = max(0, len(items) // 2 - len(halves[0]))
    items[:] = [*halves[0], *others[:room], *halves[1], *others[room:]]


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
