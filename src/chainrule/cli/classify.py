"""`chainrule classify`."""

from __future__ import annotations

from chainrule.cli.options import BatchSize, Data, Json, MovedTo, RunPath, Split, console_of

__all__ = ["classify"]


def classify(
    run: RunPath,
    source: Data = None,
    /,
    *,
    split: Split = "test",
    moved_to: MovedTo = None,
    batch_size: BatchSize = None,
    json: Json = False,
) -> None:
    """Say which class each example is of, by Bayes from a model that was fitted with --given label."""
    from chainrule.reporting.tables import classification_table
    from chainrule.runs.run import Run

    console = console_of(json)
    result = Run.open(run).classify(
        source, split=split, moved_to=moved_to, batch_size=batch_size, progress=console.progress
    )
    title = f"{len(result)} examples of {result.data}, {len(result.classes)} classes"
    console.print(classification_table(result.by_model, result.by_prior, title))
    console.result(result.to_json())
