"""Models of several orders that start as one: alike to the last bit, moved by every order, then on their own."""

import pytest
import torch

from chainrule.errors import InputError
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import random_orders
from tests.support.command_line import run
from tests.support.small_training import build, fingerprint, settings, stop_after, train

ORDERS = 3


def ensemble():
    return OrderMixture([build(seed) for seed in range(ORDERS)], random_orders(6, ORDERS))


def alike(model):
    first, *others = (list(chain.parameters()) for chain in model.models)
    return all(torch.equal(a, b) for other in others for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "schedule_free"])
def test_weights_ema_and_optimizer_are_equal_during_the_common_start(tmp_path, optimizer):
    chosen = settings(steps=12, common_start=0.5, evaluate_every=1, optimizer=optimizer)
    for steps, same in ((6, True), (12, False)):
        state, _ = train(tmp_path / str(steps), chosen, ensemble(), stop=stop_after(steps))
        assert state.step == steps
        assert alike(state.model) == same
        assert alike(state.ema.model) == same
        entries = [[state.optimizer.state[p] for p in chain.parameters()] for chain in state.model.models]
        for other in entries[1:]:
            for mine, theirs in zip(entries[0], other, strict=True):
                assert mine.keys() == theirs.keys()
                assert all(torch.equal(mine[name], theirs[name]) for name in mine) or not same


def test_every_order_moves_the_common_weights(monkeypatch, tmp_path):
    trained = []
    drawn = OrderMixture.training_chain

    def watched(self, batch):
        model, inside = drawn(self, batch)
        trained.append(([*self.models].index(model), inside.x, batch.x))
        return model, inside

    monkeypatch.setattr(OrderMixture, "training_chain", watched)
    model = ensemble()
    train(tmp_path, settings(steps=40, common_start=0.5, evaluate_every=40), model)
    common, own = trained[:20], trained[20:]
    assert {o for o, _, _ in common} == {0}
    assert {o for o, _, _ in own} == set(range(ORDERS))
    read = {next(o for o in range(ORDERS) if torch.equal(inside, x[:, model.orders[o]])) for _, inside, x in common}
    assert read == set(range(ORDERS))


def test_resumed_within_and_after_the_common_start_it_ends_with_the_same_bits(tmp_path):
    chosen = settings(steps=12, common_start=0.5)
    whole, _ = train(tmp_path / "whole", chosen, ensemble())
    for cut in (4, 6, 8):
        train(tmp_path / str(cut), chosen, ensemble(), stop=stop_after(cut))
        parts, _ = train(tmp_path / str(cut), chosen, ensemble())
        assert fingerprint(parts) == fingerprint(whole)


def test_without_a_common_start_models_differ_from_the_first_step(tmp_path):
    state, _ = train(tmp_path, settings(steps=12), ensemble(), stop=stop_after(1))
    assert not alike(state.model)


def test_models_that_cannot_start_as_one_are_refused(tmp_path, capsys):
    with pytest.raises(InputError, match="common_start is for orders with a model each"):
        train(tmp_path, settings(common_start=0.5))
    with pytest.raises(InputError, match="common_start must be a share from 0 to 1, got 2"):
        settings(common_start=2)
    code, _, err = run(capsys, "fit", "digits", "--common-start", "0.5", "--out", tmp_path / "run")
    assert code == 2
    assert "leave it out" in err
    assert not (tmp_path / "run").exists()
