import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, CausalConv, InputError, Transformer
from chainrule.heads import Bernoulli, Categorical, Filter
from chainrule.verification.laws import randomised


@pytest.fixture
def model():
    torch.manual_seed(0)
    return randomised(AutoregressiveModel(CausalConv(5, 7, 8, depth=3), CategoricalHead(8, 5)))


@pytest.mark.parametrize(
    "network", [CausalConv(5, 7, 8, depth=3), Transformer(5, 7, 8, 2, 2)], ids=["conv", "attention"]
)
def test_an_example_is_the_same_alone_and_in_any_batch(network):
    model = randomised(AutoregressiveModel(network, CategoricalHead(8, 5)))
    together = model.sample(64, seed=11)
    for n in (0, 7, 63):
        alone = model.sample(1, seed=11, first=n)
        assert torch.equal(alone.x[0], together.x[n])
        assert alone.log_prob[0].item() == pytest.approx(together.log_prob[n].item(), abs=1e-4)
    assert not torch.equal(model.sample(64, seed=12).x, together.x)


def test_a_generator_seeds_the_draws(model):
    draws = [model.sample(8, generator=torch.Generator().manual_seed(seed)).x for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_nothing_is_cut_by_default(model):
    sample = model.sample(4, seed=0)
    assert sample.log_q is None
    assert sample.mask.all()
    scored = model.log_prob(Batch(sample.x)).detach()
    assert torch.allclose(scored.double(), sample.log_prob, atol=1e-4)


def test_a_filter_returns_ln_q_beside_ln_p(model):
    sample = model.sample(200, seed=0, top_k=2)
    assert torch.allclose(model.log_prob(Batch(sample.x)).detach().double(), sample.log_prob, atol=1e-4)
    assert (sample.log_q > sample.log_prob).all()
    logits = model.head(model.network(sample.x)).logits
    kept = logits.topk(2, -1).indices
    assert (kept == sample.x.unsqueeze(-1)).any(-1).all()
    log_q = logits.gather(-1, kept).log_softmax(-1)
    chosen = log_q[(kept == sample.x.unsqueeze(-1))].view(200, 7).sum(1)
    assert torch.allclose(chosen.double(), sample.log_q, atol=1e-4)


def test_filters():
    p = Categorical(torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log())
    assert Filter(top_p=0.5)(p).pmf().tolist()[0] == pytest.approx([4 / 7, 3 / 7, 0, 0], abs=1e-6)
    assert Filter(top_p=1e-9)(p).pmf().tolist()[0] == pytest.approx([1, 0, 0, 0], abs=1e-6)
    assert Filter(temperature=0.5)(p).pmf().tolist()[0] == pytest.approx([16 / 30, 9 / 30, 4 / 30, 1 / 30], abs=1e-6)
    assert Filter(top_k=9)(p).pmf().tolist()[0] == pytest.approx([0.4, 0.3, 0.2, 0.1], abs=1e-6)
    assert Filter()(p) is p
    tied = Categorical(torch.zeros(1, 4))
    assert (Filter(top_k=2)(tied).pmf() > 0).sum() == 2


def test_prefixes_are_given_and_not_scored(model):
    sample = model.sample(3, seed=0, prefix=[[1, 2], [4], []])
    assert sample.x[0, :2].tolist() == [1, 2]
    assert sample.x[1, 0] == 4
    assert sample.mask.sum(1).tolist() == [5, 6, 7]
    expected = model.log_prob(Batch(sample.x, sample.mask)).detach()
    assert torch.allclose(expected.double(), sample.log_prob, atol=1e-4)
    free = model.sample(3, seed=0)
    assert torch.equal(sample.x[2], free.x[2])


def test_the_end_symbol_ends_and_is_scored(model):
    sample = model.sample(50, seed=0, end=3)
    for x, mask in zip(sample.x.tolist(), sample.mask, strict=True):
        length = int(mask.sum())
        assert mask[:length].all()
        assert 3 not in x[: length - 1]
        assert x[length - 1] == 3 or length == 7
    expected = model.log_prob(Batch(sample.x, sample.mask)).detach()
    assert torch.allclose(expected.double(), sample.log_prob, atol=1e-4)


def test_a_walk_over_given_elements_scores_them(model):
    x = torch.randint(5, (3, 7))
    scores = []

    def draw(d, p):
        scores.append(p.log_prob(x[:, d]))
        return x[:, d]

    assert torch.equal(model.unroll(draw, 3), x)
    assert torch.allclose(torch.stack(scores, 1), model.element_log_prob(x).detach(), atol=1e-5)


def test_whoever_listens_hears_every_element_as_it_is_drawn(model):
    heard = []
    sample = model.sample(
        3, seed=0, prefix=[[1, 2], [4], []], end=3, on_element=lambda d, x: heard.append((d, x.clone()))
    )
    assert [d for d, _ in heard] == list(range(sample.x.shape[1]))
    assert torch.equal(torch.stack([x for _, x in heard], 1), sample.x)
    silent = model.sample(3, seed=0, prefix=[[1, 2], [4], []], end=3)
    assert torch.equal(silent.x, sample.x)
    assert torch.equal(silent.log_prob, sample.log_prob)


def test_a_draw_and_its_log_prob_at_once():
    u = torch.rand(64, dtype=torch.float64)
    for p in (Categorical(torch.randn(64, 9)), Bernoulli(torch.randn(64))):
        x, log_prob = p.draw(u)
        assert torch.equal(x, p.icdf(u))
        assert torch.equal(log_prob, p.log_prob(x))


def test_forward_is_the_log_probability(model):
    x = torch.randint(5, (3, 7))
    assert torch.equal(model(x), model.log_prob(Batch(x)))


def test_sampling_leaves_the_mode_alone(model):
    model.train()
    model.sample(1, seed=0)
    assert model.training


def test_features(model):
    x = torch.randint(5, (3, 7))
    assert model.features(x, 0).shape == (3, 7, 8)
    assert torch.allclose(model.features(x), model.network(x).detach())
    batch = Batch.of([[1, 2, 3], [4]])
    pooled = model.features(batch, 1, pool="mean")
    assert torch.allclose(pooled[1], model.features(batch, 1)[1, 0], atol=1e-6)
    assert torch.equal(model.features(batch, 1, pool="last")[1], model.features(batch, 1)[1, 0])
    for bad in ({"layer": 9}, {"pool": "max"}):
        with pytest.raises(InputError):
            model.features(x, **bad)


def test_class_context_changes_the_distribution():
    model = randomised(AutoregressiveModel(CausalConv(5, 7, 8, num_classes=3), CategoricalHead(8, 5)))
    x = torch.randint(5, (1, 7)).expand(3, -1)
    log_prob = model.log_prob(Batch(x, context=torch.tensor([0, 1, 2])))
    assert len(set(log_prob.tolist())) == 3
    assert model.sample(3, seed=0, context=torch.tensor([0, 1, 2])).x.shape == (3, 7)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.sample(0), "at least one"),
        (lambda m: m.sample(2, seed=0, temperature=0.0), "temperature"),
        (lambda m: m.sample(2, seed=0, top_k=0), "top_k"),
        (lambda m: m.sample(2, seed=0, top_p=1.5), "top_p"),
        (lambda m: m.sample(2, seed=0, prefix=[[1]]), "one for each"),
        (lambda m: m.sample(2, seed=0, prefix=torch.zeros(2, 9).long()), "at most 7"),
        (lambda m: m.sample(2, seed=0, context=torch.zeros(2).long()), "takes no context"),
        (lambda m: m.log_prob(torch.full((2, 7), 5)), "network reads 0 to 4"),
        (lambda m: m.log_prob(torch.zeros(2, 7)), "integers"),
        (lambda m: m.log_prob(torch.zeros(2, 9).long()), "at most 7"),
    ],
)
def test_bad_input(model, call, words):
    with pytest.raises(InputError, match=words):
        call(model)


def test_features_and_head_must_fit():
    with pytest.raises(InputError, match="8 features, the head reads 9"):
        AutoregressiveModel(CausalConv(5, 7, 8), CategoricalHead(9, 5))


def test_contexts_are_checked():
    network = CausalConv(5, 7, 8, num_classes=3)
    x = torch.zeros(2, 7).long()
    for context, words in (
        (None, "needs a context"),
        (torch.zeros(2), "integers"),
        (torch.tensor([0, 3]), "0 to 2"),
        (torch.zeros(3).long(), "shape"),
    ):
        with pytest.raises(InputError, match=words):
            network(x, context)
    with pytest.raises(InputError, match="both"):
        CausalConv(5, 7, 8, num_classes=3, context_size=2)


def test_the_pmf_of_a_step_is_that_of_the_parallel_pass(model):
    x = torch.randint(5, (2, 7))
    parallel = model.head(model.network(x)).pmf().detach()
    steps = []

    def draw(d, p):
        steps.append(p.pmf())
        return x[:, d]

    model.unroll(draw, 2)
    assert np.allclose(torch.stack(steps, 1), parallel, atol=1e-5)


def test_a_prefix_that_holds_the_end_is_a_whole_example(model):
    sample = model.sample(3, seed=0, prefix=[[1, 3], [1], [3]], end=3)
    assert sample.mask[0].sum() == sample.mask[2].sum() == 0
    assert sample.log_prob[[0, 2]].tolist() == [0, 0]
    assert sample.x[0].unique().tolist() == [1, 3]
    assert sample.mask[1].any()
    assert torch.equal(sample.x[1], model.sample(3, seed=0, prefix=[[1], [1], [1]], end=3).x[1][: sample.x.shape[1]])
    whole = model.sample(2, seed=0, prefix=[[1, 3], [3]], end=3)
    assert whole.log_prob.tolist() == [0, 0]


@pytest.mark.parametrize("prefix", [[5], [-1], [0.5]])
def test_a_prefix_of_something_else_is_refused(model, prefix):
    with pytest.raises(InputError, match="a prefix holds symbols 0 to 4"):
        model.sample(2, seed=0, prefix=torch.tensor(prefix))


def test_filters_keep_what_underflows_and_all_of_a_mass_of_one():
    p = Categorical(torch.tensor([[0.0, -200.0]]))
    assert Filter(temperature=100)(p).pmf()[0, 1] == pytest.approx(1 / (1 + np.exp(2)), rel=1e-4)
    assert Filter(temperature=2, top_p=1.0)(Categorical(torch.tensor([[0.0, -30.0]]))).pmf()[0, 1] > 0
    assert Filter(temperature=1e-39)(p).pmf().tolist() == [[1, 0]]
