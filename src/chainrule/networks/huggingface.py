"""Any causal language model of Hugging Face as a network; its features are its logits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork

__all__ = ["HuggingFace", "HuggingFaceFromConfig"]

NO_ARCHITECTURE = ("dtype", "torch_dtype", "transformers_version", "architectures", "_name_or_path", "auto_map")
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "n_ctx")  # whatever a configuration calls them


@dataclass
class HuggingFaceState:
    """The start and the elements so far, (B, d), and the model's own cache of keys and values, if it keeps one."""

    seen: Tensor
    cache: Any


class HuggingFace(AutoregressiveNetwork):
    """h_d = logits of the language model after (start, x_1, ..., x_{d-1}); put a `LogitsHead` on top.

    The model's logits at a position are those of the *next* token, so the elements are shifted by one and the start
    symbol stands in front: the first token is scored too. The end of a text is a token like any other: where examples
    end with it, it is an element and scored.

    model: what `AutoModelForCausalLM` makes, with random weights or from a local directory.
    length: the longest example, by default as many elements as the model has positions (the start takes the place of
        the last one, which is never read).
    start: the id in front of every example, by default the model's beginning-of-text id, or its end-of-text id where it
        has none.
    cached: whether a step goes on from the model's own cache; without it, each step reads everything again, which is
        slow, and right where the cache of a model is wrong.

    Raises InputError for a model without either id when no start is given, and for one that is not of text alone.
    """

    def __init__(
        self, model: nn.Module, length: int | None = None, start: int | None = None, *, cached: bool = True
    ) -> None:
        config: Any = model.config
        # configurations of Hugging Face name the number of symbols, the special tokens and the positions as they like
        symbols = getattr(config, "vocab_size", None)
        if not isinstance(symbols, int):
            raise InputError(
                f"{type(model).__name__} has no vocab_size in its configuration; take a model of text alone"
            )
        named = [getattr(config, f"{which}_token_id", None) for which in ("bos", "eos")]
        known = [ids[0] if isinstance(ids, list) else ids for ids in named if ids not in (None, [])]
        if start is None and known:
            start = known[0]
        if start is None or not 0 <= start < symbols:
            raise InputError(
                f"a symbol stands before every example, one of the model's {symbols} tokens, by default the beginning "
                f"or else the end of a text; got {start}; name another with start= (--start)"
            )
        self.positions = next((most for name in POSITIONS if (most := getattr(config, name, None)) and most > 0), None)
        if length is not None and length > (self.positions or length):
            raise InputError(
                f"the model has {self.positions} positions and cannot read {length} elements; take shorter windows"
            )
        super().__init__(length or self.positions or 1024, symbols)
        self.model, self.start, self.cached = model, int(start), cached

    @property
    def symbols_read(self) -> int:
        return self.features

    @classmethod
    def from_directory(cls, path: str | Path, length: int | None = None, start: int | None = None) -> HuggingFace:
        """The model that a local directory holds; nothing is downloaded, and no code of the directory is run.

        Raises InputError where there is none, it is damaged, or some of its weights are missing.
        """
        transformers = _library()
        if not Path(path).is_dir():
            raise InputError(f"{path}: there is no such directory; save a model there with save_pretrained")
        log = transformers.utils.logging
        bar = log.is_progress_bar_enabled()
        log.disable_progress_bar()
        try:
            model, loading = transformers.AutoModelForCausalLM.from_pretrained(
                path, local_files_only=True, trust_remote_code=False, output_loading_info=True
            )
        except Exception as error:  # of every kind, from damaged files
            raise InputError(
                f"{path}: does not hold a causal language model that can be read ({_first(error)})"
            ) from None
        finally:
            if bar:
                log.enable_progress_bar()
        lost = [*loading["missing_keys"], *loading["mismatched_keys"]]
        if lost:
            raise InputError(f"{path}: lacks {len(lost)} of the weights, {lost[0]} first; restore the files")
        return cls(model.float(), length, start)

    @property
    def config(self) -> dict[str, Any]:
        """The architecture as JSON, from which `HuggingFaceFromConfig` builds it again."""
        config: Any = self.model.config
        described: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
        return {name: value for name, value in described.items() if name not in NO_ARCHITECTURE}

    def _shifted(self, x: Tensor) -> Tensor:
        if x.is_floating_point():
            raise InputError(f"a language model reads token ids as integers, got {x.dtype}")
        return torch.cat([x.new_full((len(x), 1), self.start), x[:, :-1]], 1)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        _no_context(context)
        out = self.model(self._shifted(x), use_cache=False, output_hidden_states=True)
        return [*out.hidden_states, out.logits]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        _no_context(context)
        logits: Tensor = self.model(self._shifted(x), use_cache=False).logits
        return logits

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> HuggingFaceState:
        _no_context(context)
        device = next(self.model.parameters()).device
        return HuggingFaceState(torch.full((batch_size, 1), self.start, device=device), None)

    def step(self, x_previous: Tensor | None, state: HuggingFaceState) -> tuple[Tensor, HuggingFaceState]:
        if x_previous is not None:
            state.seen = torch.cat([state.seen, x_previous.unsqueeze(1)], 1)
        if not self.cached:
            return self.model(state.seen, use_cache=False).logits[:, -1], state
        unread = state.seen if state.cache is None else state.seen[:, -1:]
        out = self.model(unread, past_key_values=state.cache, use_cache=True)
        # the output of Hugging Face's model: some keep another state, or none, and then all is read again
        state.cache = getattr(out, "past_key_values", None)
        return out.logits[:, -1], state


class HuggingFaceFromConfig(HuggingFace):
    """A Hugging Face network with random weights, built from a configuration.

    num_symbols: V of the data, which must be the model's own.
    shape: layout of the longest example in elements.
    config: the architecture, as `HuggingFace.config` or a `config.json` has it; no code that it names is run.
    start: id of the symbol in front of every example.
    cached: as in `HuggingFace`.

    >>> gpt2 = {"model_type": "gpt2", "vocab_size": 7, "n_positions": 16, "n_embd": 8, "n_layer": 1, "n_head": 2}
    >>> network = HuggingFaceFromConfig(7, (10,), config=gpt2, start=0)
    >>> network(torch.zeros(3, 10, dtype=torch.long)).shape
    torch.Size([3, 10, 7])
    """

    def __init__(
        self,
        num_symbols: int,
        shape: tuple[int, ...],
        *,
        config: dict[str, Any] | None = None,
        start: int | None = None,
        cached: bool = True,
    ) -> None:
        super().__init__(_random_model(config), prod(shape), start, cached=cached)
        if self.features != num_symbols:
            raise InputError(
                f"the model reads {self.features} symbols and the data has {num_symbols}; "
                "open the text with the model's own tokens: --symbols MODEL_DIRECTORY"
            )


def _random_model(config: dict[str, Any] | None) -> nn.Module:
    """The causal language model that a configuration describes, with random weights."""
    if not config:
        raise InputError(
            "the network 'huggingface' needs the architecture: a table [network.config] with what its config.json says "
            "in the file of --config; or take a model with its weights: chainrule import MODEL_DIRECTORY DATA"
        )
    transformers = _library()
    try:
        described = transformers.AutoConfig.for_model(**config)
        model: nn.Module = transformers.AutoModelForCausalLM.from_config(described, trust_remote_code=False)
    except Exception as error:  # of every kind, from values that fit nothing
        raise InputError(
            f"this configuration is not that of a causal language model of transformers ({_first(error)}); correct it"
        ) from None
    return model.float()


def _first(error: Exception) -> str:
    """The first line of what a library says, and no pages of names."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _library() -> Any:
    """The `transformers` library, or an error that names the extra."""
    try:
        import transformers
    except ModuleNotFoundError:
        raise InputError("language models need transformers: pip install 'chainrule[hf]'") from None
    return transformers


def _no_context(context: Tensor | None) -> None:
    if context is not None:
        raise InputError(
            "a language model takes no context in addition to its tokens; put it in front of the text as a prefix"
        )
