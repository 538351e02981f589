"""Language models of Hugging Face: faults and sound ones."""

from __future__ import annotations

from importlib.util import find_spec

import torch

from tests.mutants.case import fault, sound
from tests.mutants.parts import GPT2, language_model

HF = find_spec("transformers") is not None  # it is imported by the cases, because that takes a second

# decoders of tiny size, by the name of their configuration, and what they need beside the options of `language_model`
DECODERS = {
    "gpt2": GPT2,
    "gpt_neo": dict(num_layers=2, num_heads=4, attention_types=[[["global", "local"], 1]], window_size=8),
    "gpt_neox": {},
    "gptj": dict(rotary_dim=4),
    "codegen": dict(rotary_dim=4),
    "gpt_bigcode": {},
    "opt": dict(ffn_dim=48, word_embed_proj_dim=32),
    "bloom": {},
    "mpt": dict(d_model=32, n_heads=4, n_layers=2, expansion_ratio=2),
    "falcon": {},
    "llama": {},
    "mistral": dict(sliding_window=8),
    "mixtral": dict(num_local_experts=4, num_experts_per_tok=2),
    "qwen2": {},
    "qwen3": dict(head_dim=8),
    "qwen2_moe": dict(
        num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16, shared_expert_intermediate_size=16
    ),
    "gemma": dict(head_dim=8),
    "gemma2": dict(head_dim=8, sliding_window=8, query_pre_attn_scalar=8),
    "phi": {},
    "phi3": {},
    "stablelm": {},
    "starcoder2": {},
    "cohere": {},
    "olmo": {},
    "olmo2": {},
    "granite": {},
    "smollm3": {},
    "mamba": dict(state_size=4, time_step_rank=4),
    "rwkv": dict(attention_hidden_size=32, context_length=64),
}
SLOW = ("mamba", "rwkv")  # whose steps are loops in Python

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

    for _kind, _options in DECODERS.items():
        sound(f"HF: {_kind}", "Hugging Face", length=12 if _kind in SLOW else 24)(
            lambda kind=_kind, options=_options: language_model(kind, **options)
        )

    for _kind in ("llama", "gpt2", "qwen3"):
        sound(f"HF: {_kind} in bfloat16", "Hugging Face", length=24)(
            lambda kind=_kind: language_model(kind, **DECODERS[kind]).bfloat16()
        )
