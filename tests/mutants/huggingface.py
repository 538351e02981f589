"""Language models of Hugging Face: faults and sound ones."""

from __future__ import annotations

import torch

from tests.mutants.case import fault, sound
from tests.mutants.parts import GPT2, language_model

try:
    import transformers  # noqa: F401

    HF = True
except ImportError:
    HF = False

if HF:

    @fault("HF: an encoder that is used as a decoder (is_decoder forgotten)", "Hugging Face", length=24)
    def _():
        return language_model("bert")

    @fault(
        "HF: the pad token, which is a token of texts, is masked out of attention by content", "Hugging Face", length=24
    )
    def _():
        """A wrapper that masks token 39 wherever it stands, and counts positions from the number of them in the row."""
        made = language_model("gpt2", **GPT2)
        inner = made.transformer.forward

        def forward(input_ids=None, **options):
            if options.get("past_key_values") is None and input_ids.shape[1] > 1:
                pads = (input_ids == 39).sum(1, keepdim=True)
                options["position_ids"] = (torch.arange(input_ids.shape[1]) - pads).clamp(min=0)
            return inner(input_ids=input_ids, **options)

        made.transformer.forward = forward
        return made

    @fault("HF: long rows use other rotary factors than short ones (longrope)", "Hugging Face", length=64)
    def _():
        return language_model(
            "phi3",
            original_max_position_embeddings=32,
            rope_parameters={
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "short_factor": [1.0] * 4,
                "long_factor": [4.0] * 4,
                "original_max_position_embeddings": 32,
            },
        )

    for _kind, _options in {
        "mamba": dict(state_size=4, time_step_rank=4),
    }.items():
        _length = 12 if _kind == "mamba" else 24
        sound(f"HF: {_kind}", "Hugging Face", length=_length)(
            lambda kind=_kind, options=_options: language_model(kind, **options)
        )

    for _kind in ("llama",):
        sound(f"HF: {_kind} in bfloat16", "Hugging Face", length=24)(
            lambda kind=_kind: language_model(kind, **(GPT2 if kind == "gpt2" else {})).bfloat16()
        )
