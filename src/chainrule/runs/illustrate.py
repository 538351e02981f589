"""Samples and pictures of a run: what the model draws, beside the data, and its learning curve."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from chainrule.batch import Batch
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.runs.run import Run
from chainrule.training.fit import TrainingResult

__all__ = ["illustrate", "write_samples"]


def illustrate(run: Run, model: Model, data: DataSet, fitted: TrainingResult, report: dict[str, Any]) -> list[str]:
    """Write pictures and samples into the run directory; the names of the files. report: with the baseline's level."""
    written = write_samples(run, model, data, "samples")
    try:
        from chainrule.reporting.pictures import learning_curve

        baseline = report["independent_elements"]
        level = float(baseline["valid"]["nats_per_example"]) if baseline else float("inf")
        run.files.write("learning_curve.png", learning_curve(fitted.validations, fitted.best_step, level))
        written.append("learning_curve.png")
    except InputError as error:
        written.append(f"(no pictures: {error})")
    return written


def write_samples(run: Run, model: Any, data: DataSet, name: str) -> list[str]:
    """Draw from the model, and write what was drawn under a name: as the data's own kind of file, and as a picture.

    The draws are keyed by their own seed: drawing while training goes on changes nothing in training.
    """
    encoding = data.encoding
    n = 64 if encoding.is_image else 4
    beside: Batch = data.test.batch(np.arange(min(n, len(data.test))))
    context = None if beside.context is None else beside.context.to(model.device)
    n = n if context is None else len(context)
    end: dict[str, Any] = {} if encoding.domain.end is None else {"end": encoding.domain.end}
    drawn: Any = encoding.decode(model.sample(n, seed=0, context=context, **end).x.cpu().numpy())
    if encoding.is_text:
        files = {f"{name}{encoding.file_endings[0]}": encoding.write(drawn)}
    else:
        files = {f"{name}.json": json.dumps(np.asarray(drawn).tolist()).encode()}
    if encoding.is_image:
        try:
            from chainrule.reporting.pictures import samples_beside_data

            levels: int = encoding.picture_levels
            pixels = samples_beside_data(np.asarray(drawn), encoding.decode(beside.x.numpy()), levels)
            files[f"{name}.png"] = pixels
        except InputError:  # without the extra there are no pictures; `illustrate` says so
            pass
    for file, content in files.items():
        run.files.write(file, content)
    return list(files)
