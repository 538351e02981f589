"""`chainrule import`: a language model of Hugging Face from a local directory, as a run like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from chainrule.cli.verify import certificate_table
from chainrule.config.options import opened
from chainrule.data.encodings.data_set import DataSet
from chainrule.errors import InputError
from chainrule.heads.logits import LogitsHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.huggingface import HuggingFace
from chainrule.reporting.console import Console
from chainrule.reporting.figures import figures, scored_in_part
from chainrule.runs.new import configuration_of, free_place
from chainrule.runs.run import Run
from chainrule.runs.verify import refuse_if_failed
from chainrule.training.engine import Engine
from chainrule.verification.certificate.verify import verify

__all__ = ["import_model"]


def import_model(
    directory: Path, source: str, out: Path | None, options: dict[str, Any], start: int | None, console: Console
) -> None:
    """Verify a model, make a run directory of it and a text, and score the text.

    The text is read by the model's own tokens. Its documents end with the model's own end of a text, which is scored;
    in front of each, and of each window of a long one, stands the model's start, by default its beginning-of-text
    token, else that same end.
    """
    directory = directory.resolve()
    network = HuggingFace.from_directory(directory, start=start)
    options = {"symbols": str(directory)} | options
    data = opened(source, options)
    if options.get("window") is None and _too_long(network, data):
        data = opened(source, options | {"window": network.positions})
    _check(directory, network, data)
    model = AutoregressiveModel(network, LogitsHead(network.features)).eval()
    certificate = verify(model, examples=data.test, domain=data.encoding.domain, quick=True)
    refuse_if_failed(certificate)
    spec = {
        "network": {"name": "huggingface", "config": network.config, "start": network.start},
        "head": {"name": "logits"},
    }
    origin = {"imported": {"from": str(directory), "architecture": type(network.model).__name__}}
    run = Run.create(out or free_place(data.name), configuration_of(data, spec, {}) | origin)
    with run.writing():
        run.save_model(model)
        del network, model
        kept = run.chain()
        count = sum(parameter.numel() for parameter in kept.parameters())
        console.print(f"[bold]{data.name}[/]: {data.note}")
        console.print(f"{origin['imported']['architecture']} of {directory}: {count:,} parameters")
        if (partly := scored_in_part(data)) is not None:
            console.print(partly)
        report = figures(kept, data, Engine(), console)
        run.write_report(report)
        run.write_certificate(certificate.to_json())
    console.print(certificate_table(certificate, str(run.path)))
    console.print(f"run directory: [bold]{run.path}[/]")
    console.result({"run": str(run.path)} | report | {"certificate": certificate.to_json()})


def _check(directory: Path, network: HuggingFace, data: DataSet) -> None:
    """Refuse what the model cannot read."""
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


def _too_long(network: HuggingFace, data: DataSet) -> bool:
    """Whether the windows hold more elements than the model has positions; some models have no bound."""
    return network.positions is not None and data.encoding.domain.length > network.positions
