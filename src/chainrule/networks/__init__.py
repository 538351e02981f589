"""Networks: x_<d -> features h_d. One file a network."""

from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.ensemble import EnsembleNetwork
from chainrule.networks.huggingface import HuggingFace
from chainrule.networks.made import MADE
from chainrule.networks.nade import NADE
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.networks.recomputed import Recomputed
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.transformer import Transformer

__all__ = [
    "MADE",
    "NADE",
    "AutoregressiveNetwork",
    "CausalConv",
    "EnsembleNetwork",
    "HuggingFace",
    "PixelCNN",
    "Recomputed",
    "Recurrent",
    "Transformer",
]
