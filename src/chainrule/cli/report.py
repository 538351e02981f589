"""`chainrule report`: one self-contained page about a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.atomic_files import write_file
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.evaluation.calibration import diagnose
from chainrule.models.base import Model, evaluating
from chainrule.reporting.console import Console
from chainrule.reporting.page import Page, coloured_text, tiled
from chainrule.runs.run import Run
from chainrule.verification.certificate.verify import verify

__all__ = ["report_run"]

MOST_TEXT = 1500  # characters


def report_run(path: Path, out: Path | None, console: Console) -> Path:
    """Collect what the run directory holds, draw samples, look at the test split, and write the page."""
    out = path / "report.html" if out is None else out
    if out.suffix != ".html":
        raise InputError(f"{out}: the report is written as .html; change the ending")
    run = Run.open(path)
    model, data = run.model(), run.data()
    report = _json(path / "report.json") or {}
    certificate = _json(path / "certificate.json")
    if certificate is None:
        certificate = verify(model, examples=data.test, domain=data.encoding.domain, quick=True).to_json()
    shape, is_image, columns = data.encoding.raster_shape, data.encoding.is_image, list(data.encoding.column_names)
    diagnosis = diagnose(model, data.test) if model.has_conditionals else None
    if diagnosis is not None:
        diagnosis = replace(diagnosis, nats_by_position=data.encoding.in_raster(diagnosis.nats_by_position))
    text = data.encoding.is_text and not columns
    samples, beside = _samples(model, data, is_image)
    page = Page(
        title=f"{data.name} · {path.name}",
        note=data.note,
        results=report.get("results", {}),
        baseline=report.get("independent_elements", {}),
        records=run.metrics(),
        best_step=report.get("kept_step"),
        samples=samples,
        data=beside,
        shape=shape,
        is_image=is_image,
        columns=columns,
        bits_text=_bits_text(model, data) if text and model.has_conditionals else "",
        diagnosis=diagnosis,
        certificate=certificate,
        config=run.config,
    )
    try:
        write_file(out, page.html().encode())
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror}); name another place with --out") from None
    console.print(f"report: [bold]{out}[/], {out.stat().st_size / 1000:.0f} kB")
    console.result({"run": str(path), "out": str(out), "bytes": out.stat().st_size})
    return out


def _json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _samples(model: Model, data: DataSet, is_image: bool) -> tuple[str, str]:
    """Draws and test examples: pictures, or texts, or rows of numbers."""
    n = 36 if is_image else 4
    encoding = data.encoding
    context = data.test.batch(np.arange(min(n, len(data.test)))).context
    n = n if context is None else len(context)
    end: dict[str, Any] = {} if encoding.domain.end is None else {"end": encoding.domain.end}
    drawn = model.sample(n, seed=0, context=context, **end).x.cpu().numpy()
    seen = data.test.batch(np.arange(min(n, len(data.test)))).x.numpy()
    if is_image:
        symbols = encoding.domain.num_symbols or 2
        names = ("images drawn from the model", "images of the test split")
        made = (
            tiled(np.asarray(encoding.decode(x)), symbols, name) for x, name in zip((drawn, seen), names, strict=True)
        )
        return next(made), next(made)
    return _preformatted(encoding, drawn), _preformatted(encoding, seen)


def _preformatted(encoding: Encoding, x: Any) -> str:
    from html import escape

    raw = encoding.decode(x)
    if encoding.is_text:
        text = encoding.write(raw).decode(errors="replace")
    else:
        text = "\n".join(np.array2string(np.asarray(row), max_line_width=60) for row in raw)
    return f'<pre tabindex="0">{escape(text[:MOST_TEXT])}</pre>'


def _bits_text(model: Model, data: DataSet) -> str:
    """The beginning of the test text, coloured by what each element costs."""
    pieces: list[str] = []
    nats: list[float] = []
    with evaluating(model):
        for row in range(min(len(data.test), 64)):
            batch = data.test.batch(np.array([row]))
            found = model.element_log_prob(batch)[0].tolist()
            for symbol, value, counts in zip(batch.x[0].tolist(), found, batch.mask[0].tolist(), strict=True):
                if counts and len(pieces) < MOST_TEXT:
                    pieces.append(_character(data.encoding, symbol))
                    nats.append(value)
    return coloured_text(pieces, np.array(nats))


def _character(encoding: Encoding, symbol: int) -> str:
    """What one symbol looks like; a line break shows itself and breaks."""
    if symbol == encoding.domain.end:
        return "⏎\n"
    decoded = encoding.decode(np.array([[symbol]]))[0]
    text = decoded.decode(errors="replace") if isinstance(decoded, bytes) else str(decoded)
    return text.replace("\n", "⏎\n")
