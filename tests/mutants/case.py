"""The one table of cases: planted faults, which the certificate has to see, and sound models, which it must pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CASES", "Case", "fault", "faults_of", "sound"]


@dataclass(frozen=True)
class Case:
    """One case.

    name: what is wrong, or what the model is, in words.
    kind: the kind of fault, such as "samplers"; of sound models, the kind of model.
    is_fault: whether the certificate has to see a fault.
    make: makes the thing, or the thing and options of `verify`.
    options: options of `verify`.
    """

    name: str
    kind: str
    is_fault: bool
    make: Callable[[], Any]
    options: dict[str, Any]

    def build(self) -> tuple[Any, dict[str, Any]]:
        """The thing to verify and the options of `verify`."""
        made = self.make()
        return (made[0], self.options | made[1]) if isinstance(made, tuple) else (made, self.options)


CASES: dict[str, Case] = {}


def _keep(name: str, kind: str, is_fault: bool, options: dict[str, Any]) -> Callable[[Callable[[], Any]], Any]:
    def keep(make: Callable[[], Any]) -> Any:
        if name in CASES:
            raise ValueError(f"two cases are called {name!r}")
        CASES[name] = Case(name, kind, is_fault, make, options)
        return make

    return keep


def fault(name: str, kind: str, **options: Any) -> Callable[[Callable[[], Any]], Any]:
    """Register what is decorated as a planted fault."""
    return _keep(name, kind, True, options)


def sound(name: str, kind: str, **options: Any) -> Callable[[Callable[[], Any]], Any]:
    """Register what is decorated as a sound model."""
    return _keep(name, kind, False, options)


def faults_of(kind: str) -> list[Case]:
    """The faults of one kind."""
    return [case for case in CASES.values() if case.is_fault and case.kind == kind]
