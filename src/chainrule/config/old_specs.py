"""Specifications of models of versions before, with what they did not say. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False  # true for a type checker; to import `typing` would take longer than all else here
if TYPE_CHECKING:
    from typing import Any

__all__ = ["with_missing_means", "with_mixtures"]


def with_mixtures(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run on tables; one that says nothing of its numbers has mixtures of Gaussians for them.

    >>> with_mixtures({"model": {"head": {"name": "columns"}}})["model"]["head"]["numbers"]
    'mixtures'
    """
    model = config.get("model")
    head = model.get("head") if isinstance(model, Mapping) else None
    if not isinstance(model, Mapping) or not isinstance(head, Mapping) or head.get("name") != "columns":
        return config
    return {**config, "model": {**model, "head": {"numbers": "mixtures"} | dict(head)}}


def with_missing_means(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run; joint Gaussians that do not say what they read of a missing number read the mean.

    >>> spec = {"network": {"name": "joint_gaussians"}}
    >>> with_missing_means({"model": {"experts": [spec]}})["model"]["experts"][0]["network"]["missing"]
    'mean'
    """

    def told(spec: Any) -> Any:
        if not isinstance(spec, Mapping):
            return spec
        found, network = dict(spec), spec.get("network")
        if isinstance(network, Mapping) and network.get("name") == "joint_gaussians":
            found["network"] = {"missing": "mean"} | dict(network)
        if isinstance(experts := spec.get("experts"), list):
            found["experts"] = [told(expert) for expert in experts]
        return found

    return config | {"model": told(config["model"])} if "model" in config else config
