"""`chainrule score`: ln p(x) of each example."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from chainrule.errors import InputError
from chainrule.evaluation import evaluate
from chainrule.report.console import Console
from chainrule.run import Run, write_file

__all__ = ["score_run"]


def score_run(path: Path, source: str, out: Path | None, batch_size: int, console: Console) -> None:
    """Write ln p of every example, in nats and in the order of the data, as CSV or JSON lines."""
    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise InputError(f"{out}: scores are written as .csv or .jsonl; change the ending")
    run = Run.open(path)
    model = run.model()
    examples = run.encoding().encode(source)
    with console.progress("scoring", len(examples)) as update:
        nats = evaluate(model, examples, batch_size=batch_size, progress=update).nats.tolist()
    if out is not None and out.suffix == ".jsonl":
        lines = [json.dumps({"example": n, "log_prob": _finite(value)}) for n, value in enumerate(nats)]
    else:
        lines = ["example,log_prob"] + [f"{n},{value:.9g}" for n, value in enumerate(nats)]
    content = "\n".join(lines) + "\n"
    if out is not None:
        try:
            write_file(out, content.encode())
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
        console.print(f"ln p of {len(nats)} examples in nats: [bold]{out}[/]")
    elif not console.json:
        sys.stdout.write(content)
    record = {"run": str(path), "data": source, "examples": len(nats), "out": None if out is None else str(out)}
    console.result(record | ({"log_prob": [_finite(value) for value in nats]} if out is None else {}))


def _finite(value: float) -> float | str:
    return value if abs(value) < float("inf") else str(value)
