"""State dictionaries as JSON and tensors: what pickle is used for elsewhere, without running anything.

A state dictionary is dictionaries, lists, numbers, strings and None, with tensors among them. `split` takes the tensors
out under the path that leads to them and puts a reference in their place; `join` puts them back.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from chainrule.errors import InputError
from chainrule.training.engine import unsharded

__all__ = ["difference", "join", "split"]

TENSOR, ITEMS = "#tensor", "#items"


def split(value: Any, path: str = "") -> tuple[Any, dict[str, Tensor]]:
    """JSON and the tensors that it refers to; a tuple becomes a list.

    >>> import torch
    >>> split({"step": 3, "state": {0: {"mean": torch.zeros(2)}}})[0]
    {'step': 3, 'state': {'#items': [[0, {'mean': {'#tensor': 'state.0.mean'}}]]}}
    """
    tensors: dict[str, Tensor] = {}

    def part(value: Any, path: str) -> Any:
        if isinstance(value, Tensor):
            tensors[path] = unsharded(value)
            return {TENSOR: path}
        if isinstance(value, dict):
            inner = {key: part(entry, f"{path}.{key}" if path else str(key)) for key, entry in value.items()}
            return inner if all(isinstance(key, str) for key in inner) else {ITEMS: [list(i) for i in inner.items()]}
        if isinstance(value, list | tuple):
            return [part(entry, f"{path}.{place}") for place, entry in enumerate(value)]
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise InputError(f"{path} is a {type(value).__name__}; a state is made of tensors, numbers, text, lists, dicts")

    return part(value, path), tensors


def join(json: Any, tensors: dict[str, Tensor]) -> Any:
    """The state dictionary again; every tensor must be referred to, and every reference be there.

    >>> import torch
    >>> state = {"step": 3, "state": {0: {"mean": torch.zeros(2)}}}
    >>> join(*split(state))
    {'step': 3, 'state': {0: {'mean': tensor([0., 0.])}}}
    """
    left = dict(tensors)

    def part(json: Any) -> Any:
        if isinstance(json, list):
            return [part(entry) for entry in json]
        if not isinstance(json, dict):
            return json
        if TENSOR in json:
            return left.pop(json[TENSOR])
        if ITEMS in json:
            return {key: part(entry) for key, entry in json[ITEMS]}
        return {key: part(entry) for key, entry in json.items()}

    try:
        value = part(json)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the state refers to a tensor that is not there ({error})") from None
    if left:
        raise InputError(f"the state does not refer to the tensor {min(left)}")
    return value


def difference(live: Any, saved: Any, path: str = "") -> str | None:
    """Why a saved state cannot take the place of a live one: names, types, shapes; None if it can.

    >>> import torch
    >>> difference({"weight": torch.zeros(2, 3)}, {"weight": torch.zeros(3)})
    'weight is torch.float32 (3,), expected torch.float32 (2, 3)'
    """
    if isinstance(live, Tensor):
        if not isinstance(saved, Tensor):
            return f"{path} is not a tensor"
        if (live.dtype, live.shape) != (saved.dtype, saved.shape):
            return f"{path} is {saved.dtype} {tuple(saved.shape)}, expected {live.dtype} {tuple(live.shape)}"
        return None
    if isinstance(live, dict):
        if not isinstance(saved, dict):
            return f"{path or 'it'} is not a dictionary"
        if unmatched := live.keys() ^ saved.keys():
            name = min(map(str, unmatched))
            return f"{path}.{name}".lstrip(".") + (" is missing" if name in map(str, live) else " is unknown")
        parts = [(entry, saved[key], f"{path}.{key}".lstrip(".")) for key, entry in live.items()]
    elif isinstance(live, list | tuple):
        if not isinstance(saved, list | tuple) or len(live) != len(saved):
            return f"{path} is not a list of {len(live)}"
        parts = [(*both, f"{path}.{place}") for place, both in enumerate(zip(live, saved, strict=True))]
    else:
        return None if type(live) is type(saved) else f"{path} is {saved!r}, expected a {type(live).__name__}"
    return next((found for part in parts if (found := difference(*part))), None)
