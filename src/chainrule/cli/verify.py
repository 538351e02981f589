"""`chainrule verify`: the likelihood certificate of a run."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from chainrule.reporting.console import Console
from chainrule.runs.run import Run
from chainrule.verification.certificate.check import Certificate
from chainrule.verification.certificate.verify import verify

__all__ = ["certificate_table", "verify_run"]

VERDICTS = {True: "[green]ok[/]", False: "[bold red]FAILED[/]", None: "[dim]skipped[/]"}


def verify_run(path: Path, quick: bool, console: Console) -> int:
    """Verify the kept weights, write `certificate.json` into the run, and say 1 if a check failed, 0 if none."""
    run = Run.open(path)
    domain = run.encoding().domain
    certificate = verify(run.model(), examples=run.data().test, domain=domain, quick=quick)
    run.write_certificate(certificate.to_json())
    console.print(certificate_table(certificate, str(path)))
    for name in certificate.failed:
        console.print(f"[bold]{name}[/]: {certificate[name].where}; {certificate[name].advice}")
    console.print("a likelihood, as far as tried" if certificate.passed else "[bold red]not a likelihood[/]")
    console.result({"run": str(path)} | certificate.to_json())
    return 0 if certificate.passed else 1


def certificate_table(certificate: Certificate, title: str) -> Table:
    """One row a check: what was tried, the worst figure and its bound."""
    table = Table(title=f"{title}: {certificate.seconds:.1f} s", title_justify="left")
    for heading in ("check", "", "worst figure", "bound", "tried"):
        table.add_column(heading)
    for check in certificate.checks:
        figures = ("", "") if check.passed is None else (f"{check.figure:.2g}", f"{check.bound:.2g}")
        table.add_row(check.name, VERDICTS[check.passed], *figures, check.tried)
    return table
