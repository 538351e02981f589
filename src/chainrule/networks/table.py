"""The table of networks: one line per network, the file and the class in it. Nothing is imported before its use."""

from __future__ import annotations

__all__ = ["FACE", "NETWORKS"]

# file, which is the name in a configuration -> the class
NETWORKS: dict[str, tuple[str, ...]] = {
    "boosted_trees": ("BoostedTrees",),
    "causal_conv": ("CausalConv",),
    "chow_liu": ("ChowLiu",),
    "corrected_ngram": ("CorrectedNGram",),
    "huggingface": ("HuggingFaceFromConfig",),
    "joint_gaussians": ("JointGaussians",),
    "kernels": ("Kernels",),
    "made": ("MADE",),
    "nade": ("NADE",),
    "ngram": ("NGram",),
    "pixelcnn": ("PixelCNN",),
    "recurrent": ("Recurrent",),
    "sparse_nade": ("SparseNADE",),
    "state_space": ("StateSpace",),
    "transformer": ("Transformer",),
}

FACE = NETWORKS | {
    "base": ("AutoregressiveNetwork",),
    "ensemble": ("EnsembleNetwork",),
    "huggingface": ("HuggingFace",),
    "recomputed": ("Recomputed",),
}
