"""Samples and pictures of a run: draws of the model beside test examples, and the learning curve."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from chainrule.batch import Batch
from chainrule.data.encodings.data_set import DataSet
from chainrule.models.base import Model
from chainrule.runs.run import Run
from chainrule.training.fit import TrainingResult

__all__ = ["illustrate", "write_samples"]


def illustrate(run: Run, model: Model, data: DataSet, fitted: TrainingResult, report: dict[str, Any]) -> list[str]:
    """Write samples and pictures into a run, and return the names of the files.

    run: where they are written.
    model: the trained model.
    data: the data set it was trained on.
    fitted: the validations and the step of the kept weights.
    report: content of `report.json`, with the figures of the baseline.
    """
    from chainrule.reporting.pictures import learning_curve

    baseline = report["independent_elements"]
    level = float(baseline["valid"]["nats_per_example"]) if "valid" in baseline else float("inf")
    written = write_samples(run, model, data, "samples")
    if not any({"valid_nats_per_example", "train_nats_per_example"} & set(line) for line in fitted.validations):
        return written  # no validation, and training maximised an estimate: there is nothing to draw
    run.files.write("learning_curve.png", learning_curve(fitted.validations, fitted.best_step, level))
    return [*written, "learning_curve.png"]


def write_samples(run: Run, model: Any, data: DataSet, name: str) -> list[str]:
    """Draw from the model, write the draws into a run, and return the names of the files.

    Draws have a seed of their own: to draw during training changes nothing in training.

    run: where they are written.
    model: the model to draw from.
    data: the data set; its encoding decides the kind of file.
    name: name of the files without their ending.
    """
    encoding = data.encoding
    n = 64 if encoding.is_image else 4
    beside: Batch = data.unseen.batch(np.arange(min(n, len(data.unseen))))
    context = None if beside.context is None else beside.context.to(model.device)
    n = n if context is None else len(context)
    end: dict[str, Any] = {} if encoding.domain.end is None else {"end": encoding.domain.end}
    drawn: Any = encoding.decode(model.sample(n, seed=0, context=context, **end).x.cpu().numpy())
    if encoding.is_text:
        files = {f"{name}{encoding.file_endings[0]}": encoding.write(drawn)}
    else:
        files = {f"{name}.json": json.dumps(np.asarray(drawn).tolist()).encode()}
    if encoding.is_image:
        from chainrule.reporting.pictures import samples_beside_data

        there, levels = encoding.decode(beside.x.numpy()), encoding.picture_levels
        what = f"{data.unseen_name} examples"
        files[f"{name}.png"] = samples_beside_data(np.asarray(drawn), there, levels, what)
    for file, content in files.items():
        run.files.write(file, content)
    return list(files)
