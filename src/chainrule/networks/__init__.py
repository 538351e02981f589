"""Networks: x_<d -> features h_d. One file a network."""

from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.transformer import Transformer

__all__ = ["AutoregressiveNetwork", "CausalConv", "Transformer"]
