"""What networks declare, and how they refuse what they cannot do."""

import pytest
import torch

from chainrule import MADE, CausalConv, PixelCNN, Recurrent, Transformer
from chainrule.errors import InputError
from chainrule.networks.table import NETWORKS


def test_capabilities_are_declared():
    assert [n.can_compile for n in (Transformer, CausalConv, MADE, PixelCNN, Recurrent)] == [True, True, *[False] * 3]
    assert Recurrent(3, 4, 8).carries_state
    assert not Recurrent(3, (2, 2), 8).carries_state
    assert not Transformer(3, 4, 8, depth=1, heads=2).carries_state


def test_what_a_network_cannot_do_is_refused():
    network = MADE(2, 4, hidden=8)
    with pytest.raises(InputError, match="MADE has no step that can be compiled"):
        network.advance(None, torch.zeros(1).long(), torch.zeros(1), [])
    with pytest.raises(InputError, match="MADE cannot keep packed examples apart"):
        network.packed(torch.zeros(1, 4).long(), torch.zeros(1, 4).long())


def test_a_network_knows_its_symbols():
    assert CausalConv(7, 4, 8).symbols_read == 7
    assert CausalConv(None, 4, 8).symbols_read is None
    assert CausalConv(7, 4, 8).embedding_table.weight.shape == (7, 8)
    assert CausalConv(None, 4, 8).embedding_table is None


def test_every_name_of_the_table_is_the_file_of_its_class():
    from importlib import import_module

    for name, (first, *_) in NETWORKS.items():
        part = getattr(import_module(f"chainrule.networks.{name}"), first)
        assert part.__module__ == f"chainrule.networks.{name}"
