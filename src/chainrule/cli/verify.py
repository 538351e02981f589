"""`chainrule verify`: the likelihood certificate of a run."""

from __future__ import annotations

import json
from pathlib import Path

from rich.table import Table

from chainrule.atomic_files import write_file
from chainrule.errors import InputError
from chainrule.models.order_mixture import Density
from chainrule.reporting.console import Console
from chainrule.runs.directory import Run
from chainrule.verification.certificate.check import Certificate
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import randomised

__all__ = ["certificate_table", "refuse_if_failed", "stop_at_a_leak", "verify_run", "write_certificate"]

VERDICTS = {True: "[green]ok[/]", False: "[bold red]FAILED[/]", None: "[dim]skipped[/]"}


def verify_run(path: Path, quick: bool, console: Console) -> int:
    """Verify the kept weights, write `certificate.json` into the run, and say 1 if a check failed, 0 if none."""
    run = Run.open(path)
    domain = run.encoding().domain
    certificate = verify(run.density(), examples=run.data().test, domain=domain, quick=quick)
    write_certificate(run, certificate)
    console.print(certificate_table(certificate, str(path)))
    for name in certificate.failed:
        console.print(f"[bold]{name}[/]: {certificate[name].where}; {certificate[name].advice}")
    console.print("a likelihood, as far as tried" if certificate.passed else "[bold red]not a likelihood[/]")
    console.result({"run": str(path)} | certificate.to_json())
    return 0 if certificate.passed else 1


def write_certificate(run: Run, certificate: Certificate) -> None:
    """Write `certificate.json` into the run."""
    try:
        write_file(run.path / "certificate.json", (json.dumps(certificate.to_json(), indent=2) + "\n").encode())
    except OSError as error:
        raise InputError(f"{run.path}: the certificate cannot be written ({error.strerror}); make room") from None


def certificate_table(certificate: Certificate, title: str) -> Table:
    """One row a check: what was tried, the worst figure and its bound."""
    table = Table(title=f"{title}: {certificate.seconds:.1f} s", title_justify="left")
    for heading in ("check", "", "worst figure", "bound", "tried"):
        table.add_column(heading)
    for check in certificate.checks:
        figures = ("", "") if check.passed is None else (f"{check.figure:.2g}", f"{check.bound:.2g}")
        table.add_row(check.name, VERDICTS[check.passed], *figures, check.tried)
    return table


def stop_at_a_leak(model: Density) -> Certificate:
    """The quick form, before a fit, on a copy with its weights moved: parts like to start where nothing can leak.

    Raises InputError if a check fails.
    """
    certificate = verify(randomised(model, scale=0.05), quick=True)
    refuse_if_failed(certificate)
    return certificate


def refuse_if_failed(certificate: Certificate) -> None:
    """Raises InputError if a check failed, with the first of them."""
    if certificate.failed:
        first = certificate[certificate.failed[0]]
        raise InputError(f"the model has no likelihood: {first.name}, {first.where}; {first.advice}")
