"""`import_model`: a language model of Hugging Face from a local directory, as a run like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.heads.logits import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.huggingface import HuggingFace
from chainrule.runs.figures import figures
from chainrule.runs.lock import only_writer
from chainrule.runs.new import configuration_of
from chainrule.runs.plan import load_for
from chainrule.runs.run import Run
from chainrule.runs.verify import refuse_if_failed
from chainrule.training.engine import Engine
from chainrule.verification.certificate.amounts import WITHOUT_CACHE
from chainrule.verification.certificate.verify import verify

__all__ = ["import_model"]


def import_model(
    model: Path | str,
    source: str,
    *,
    out: Path | str | None = None,
    documents: str | None = None,
    field: str | None = None,
    end: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    split: str | None = None,
    start: int | None = None,
) -> Run:
    """Make a run of a Hugging Face language model, to evaluate, compare, sample, probe and score with it.

    model: a local directory with a language model of Hugging Face.
    source: a text file, a folder of texts or JSON lines.
    out: the run directory, by default none: the run is in memory.
    documents: line, file, a separator, or stream for one long text, by default by content.
    field: JSON lines: the field to read, by default text.
    end: documents: scored for p(x, T), given for p(x | T).
    window: tokens that are read at once, by default as in fit, as far as the model reads.
    stride: tokens that the window moves on by, by default half the window.
    split: shares of train/valid/test, by default 80/10/10.
    start: the token before every window, by default the model's own.

    The model is verified first. The text is read by the model's own tokens. Its documents end with the model's own end
    of a text, which is scored; in front of each, and of each window of a long one, stands the start: by default the
    model's beginning-of-text token, or that same end.
    """
    directory = Path(model).resolve()
    network = HuggingFace.from_directory(directory, start=start)
    options = {"symbols": str(directory), "documents": documents, "field": field, "end": end}
    data = _text(directory, network, source, options | {"window": window, "stride": stride, "split": split})
    chain = AutoregressiveModel(network, LogitsHead(network.features)).eval()
    certificate = verify(chain, examples=data.unseen, domain=data.encoding.domain, quick=True)
    refuse_if_failed(certificate)
    if WITHOUT_CACHE in certificate["sampling.step"].tried:
        network.cached = False
    cached = {} if network.cached else {"cached": False}
    spec = {
        "network": {"name": "huggingface", "config": network.config, "start": network.start} | cached,
        "head": {"name": "logits"},
    }
    origin = {"imported": {"from": str(directory), "architecture": type(network.model).__name__}}
    place = None if out is None else Path(out)
    with only_writer(place):
        run = Run.create(place, configuration_of(data, spec, {}) | origin).with_data(data)
        with run.writing():
            run.save_model(chain)
            remarks = {} if certificate.passed else {"certificate": certificate.verdict}
            run.write_report(figures(run.model(), data, Engine()).to_json() | remarks)
            run.write_certificate(certificate.to_json())
    return run


def _text(directory: Path, network: HuggingFace, source: str, options: dict[str, Any]) -> DataSet:
    """The text, its windows as long as the model reads; refuses what the model cannot read."""
    data = load_for(source, options)
    if options["window"] is None and _too_long(network, data):
        data = load_for(source, options | {"window": network.positions})
    if (symbols := data.encoding.domain.num_symbols) != network.features:
        raise InputError(
            f"the text has {symbols} symbols, one of them the end of a text, and {directory} knows {network.features}: "
            "it has no eos_token_id in its config.json; write it there, or take --end given"
        )
    if _too_long(network, data):
        raise InputError(
            f"{directory} has {network.positions} positions and cannot read windows of {data.encoding.domain.length} "
            f"elements; take windows of at most {network.positions}"
        )
    return data


def _too_long(network: HuggingFace, data: DataSet) -> bool:
    """Whether the windows hold more elements than the model has positions; some models have no bound."""
    return network.positions is not None and data.encoding.domain.length > network.positions
