"""`Run.report`: one self-contained page about a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_files import write_file
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.evaluation.calibration import Diagnosis, diagnose
from chainrule.models.base import Model, evaluating

if TYPE_CHECKING:
    from chainrule.reporting.page import Page
    from chainrule.runs.run import Run

__all__ = ["ReportResult", "report"]

MOST_TEXT = 1500  # characters
TEXT_ROWS = 64  # test examples whose text is coloured


@dataclass(frozen=True)
class ReportResult:
    """The page about a run.

    run: the run.
    html: the page.
    out: the file that was written, None if none was.
    """

    run: str
    html: str
    out: Path | None = None

    @property
    def bytes(self) -> int:
        """The size of the page."""
        return len(_page_bytes(self.html))

    def to_json(self) -> dict[str, Any]:
        """Where the page stands, and its size."""
        return {"run": self.run, "out": None if self.out is None else str(self.out), "bytes": self.bytes}


def report(run: Run, out: Path | str | None = None, *, moved_to: Path | str | None = None) -> ReportResult:
    """Write one page: figures, learning curve, samples, where the bits are, calibration, certificate.

    out: an .html file, by default report.html in the run directory; for a run in memory, by default none.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    """
    run = run.moved(moved_to)
    place = run.path / "report.html" if out is None and run.path is not None else out
    place = None if place is None else Path(place)
    if place is not None and place.suffix != ".html":
        raise InputError(f"{place}: the report is written as .html; change the ending")
    result = ReportResult(run.name, page_of(run).html(), place)
    if place is not None:
        try:
            write_file(place, _page_bytes(result.html))
        except OSError as error:
            raise InputError(f"{place}: cannot be written ({error.strerror}); name another place with --out") from None
    return result


def _page_bytes(html: str) -> bytes:
    """The page as it stands in a file; what is no text in the name of a file is written as question marks."""
    return html.encode(errors="replace")


def page_of(run: Run) -> Page:
    """What the page says: what the run holds, and a new look at the test split."""
    from chainrule.reporting.page import Page

    model, data = run.model(), run.data()
    encoding, report = data.encoding, run.report_dict or {}
    columns = list(encoding.column_names)
    certificate = run.certificate_dict
    if certificate is None:
        from chainrule.verification.certificate.verify import verify

        certificate = verify(model, examples=data.unseen, domain=encoding.domain, quick=True).to_json()
    samples, beside = _samples(model, data)
    return Page(
        title=data.name if run.path is None else f"{data.name} · {run.path.name}",
        note=data.note,
        results=report.get("results", {}),
        baseline=report.get("independent_elements", {}),
        records=run.metrics(),
        best_step=report.get("kept_step"),
        samples=samples,
        data=beside,
        data_name=data.unseen_name,
        not_known=data.not_known,
        shape=encoding.raster_shape,
        is_image=encoding.is_image,
        columns=columns,
        bits_text=_bits_text(model, data) if encoding.is_text and not columns and model.has_conditionals else "",
        diagnosis=_diagnosis(model, data) if model.has_conditionals and len(data.test) else None,
        certificate=certificate,
        config=run.config,
    )


def _diagnosis(model: Model, data: DataSet) -> Diagnosis:
    """Calibration on the test split, its elements in the order in which an example is looked at."""
    found = diagnose(model, data.test)
    return replace(found, nats_by_position=data.encoding.in_raster(found.nats_by_position))


def _samples(model: Model, data: DataSet) -> tuple[str, str]:
    """Draws and examples of the data as HTML: pictures, or texts, or rows of numbers."""
    from chainrule.reporting.page import preformatted, tiled

    encoding, pictures = data.encoding, data.encoding.is_image
    beside, n = data.unseen, 36 if pictures else 4
    n = n if beside.context is None else min(n, len(beside))
    seen = beside.batch(np.arange(min(n, len(beside))))
    end: dict[str, Any] = {} if encoding.domain.end is None else {"end": encoding.domain.end}
    drawn = model.sample(n, seed=0, context=seen.context, **end).x.cpu().numpy()
    if not pictures:
        first, second = (preformatted(_as_text(encoding, x)[:MOST_TEXT]) for x in (drawn, seen.x.numpy()))
        return first, second
    symbols = encoding.domain.num_symbols or 2
    return (
        tiled(np.asarray(encoding.decode(drawn)), symbols, "images drawn from the model"),
        tiled(np.asarray(encoding.decode(seen.x.numpy())), symbols, f"images of the {data.unseen_name} split"),
    )


def _as_text(encoding: Encoding, x: Any) -> str:
    raw = encoding.decode(x)
    if encoding.is_text:
        return encoding.write(raw).decode(errors="replace")
    return "\n".join(np.array2string(np.asarray(row), max_line_width=60) for row in raw)


def _bits_text(model: Model, data: DataSet) -> str:
    """The beginning of the test text (or of what is nearest to it), coloured by the bits of each element."""
    from chainrule.reporting.page import coloured_text

    pieces: list[str] = []
    nats: list[float] = []
    with evaluating(model):
        for row in range(min(len(data.unseen), TEXT_ROWS)):
            batch = data.unseen.batch(np.array([row]))
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
