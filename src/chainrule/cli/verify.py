"""`chainrule verify`."""

from __future__ import annotations

from typing import Annotated

from chainrule.cli.options import Json, MovedTo, RunPath, console_of, flag

__all__ = ["verify"]


def verify(
    run: RunPath,
    /,
    *,
    quick: Annotated[bool, flag("Only the checks that matter most, in under three seconds.")] = False,
    code: Annotated[bool, flag("Also code and decode draws and examples; the last check.")] = False,
    moved_to: MovedTo = None,
    json: Json = False,
) -> int:
    """Verify that the reported number is a log-likelihood.

    The exit code is 0 if all checks passed, 1 if one failed, and 6 if the model could not be verified.
    """
    from chainrule.reporting.certificate import verdict_of
    from chainrule.reporting.tables import certificate_table
    from chainrule.runs.run import Run
    from chainrule.verification.certificate.check import NOT_A_LIKELIHOOD, NOT_VERIFIED

    console = console_of(json)
    certificate = Run.open(run).verify(quick=quick, code=code, moved_to=moved_to)
    record = certificate.to_json()
    console.print(certificate_table(record, str(run)))
    for name in certificate.failed:
        console.print(f"{name}: {certificate[name].where}; {certificate[name].advice}")
    console.print(verdict_of(record))
    console.result({"run": str(run)} | record)
    return {NOT_A_LIKELIHOOD: 1, NOT_VERIFIED: 6}.get(certificate.verdict, 0)
