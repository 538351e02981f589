"""`chainrule classify`: which class an example is of, by Bayes from a model of p(x | label)."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from chainrule.atomic_files import json_value
from chainrule.errors import InputError
from chainrule.evaluation.classify import Classification, class_prior, classify
from chainrule.reporting.console import Console
from chainrule.runs.run import Run

__all__ = ["classify_run"]


def classify_run(
    path: Path, source: str | None, split: str, batch_size: int | None, console: Console
) -> Classification:
    """Classify a split of the run's own data, or everything in another source, and say how often that is right.

    p(y) is the share of each class in the training split. Beside it stands what p(y) alone would do.
    """
    run = Run.open(path)
    conditions = run.encoding().conditions
    names = None if conditions is None else conditions.class_names
    if names is None:
        raise InputError(f"{path}: p(y | x) needs a model of p(x | label); make one with `chainrule fit --given label`")
    data = run.data()
    examples = data.split(split) if source is None else run.encoding().encode(source)
    prior = class_prior(data.train, len(names))
    with console.progress("classifying", len(examples)) as update:
        result = classify(run.chain(), examples, prior, batch_size=batch_size, progress=update)
    blind = Classification(prior.log().expand(len(examples), -1).numpy(), result.labels)
    what = split if source is None else source
    table = Table(title=f"{len(examples)} examples of {what}, {len(names)} classes", title_justify="left")
    for heading in ("", "accuracy", "nats/label"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, found in (("p(y | x) by Bayes", result), ("p(y) of the training split", blind)):
        table.add_row(name, str(found.accuracy), str(found.likelihood.nats_per_example))
    console.print(table)
    nats, error = result.likelihood.to_json(), result.accuracy.standard_error
    record = {
        "run": str(path),
        "data": what,
        "examples": len(examples),
        "accuracy": result.accuracy.value,
        "accuracy_se": json_value(error),
        "accuracy_of_prior": blind.accuracy.value,
        "nats_per_label": nats["nats_per_example"],
        "nats_per_label_se": nats["nats_per_example_se"],
        "impossible": nats["impossible"],
        "classes": list(names),
        "predicted": [names[k] for k in result.log_posterior.argmax(1)],
    }
    console.result(record)
    return result
