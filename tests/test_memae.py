"""The memory, by values worked out by hand; and what a user sees of it."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from helpers import SAMPLE_SHAPES, make_outliers, make_samples
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback

from skanomaly import MemAE
from skanomaly.detectors.memae import MemAEModule
from skanomaly.nn.functional import entropy, hard_shrinkage
from skanomaly.nn.memory import Memory

QUICK = {"max_epochs": 5, "batch_size": 32, "memory_size": 20, "random_state": 0}


def make_memory(slots, **settings):
    memory = Memory(len(slots), len(slots[0]), **settings)
    with torch.no_grad():
        memory.slots.copy_(torch.tensor(slots))
    return memory


# -- the layer -------------------------------------------------------------------------


def test_cosine_addressing():
    memory = make_memory([[2.0, 0.0], [0.0, 5.0]], shrinkage=0)
    e = np.e
    # cosines 1 and 0; then 0.6 and 0.8, whatever the lengths
    expected = [
        [e / (e + 1), 1 / (e + 1)],
        [np.exp(0.6) / (np.exp(0.6) + np.exp(0.8))] * 1
        + [np.exp(0.8) / (np.exp(0.6) + np.exp(0.8))],
    ]
    weights = memory.address(torch.tensor([[9.0, 0.0], [0.3, 0.4]]))
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float32))


def test_dot_addressing_and_temperature():
    memory = make_memory(
        [[2.0, 0.0], [0.0, 1.0]], shrinkage=0, similarity="dot", temperature=2.0
    )
    weights = memory.address(torch.tensor([[1.0, 4.0]]))
    logits = torch.tensor([[2.0, 4.0]]) / 2
    torch.testing.assert_close(weights, logits.softmax(1))


def test_shrinkage_and_normalisation():
    """Weights 0.5, 0.3, 0.15 and 0.05 against thresholds of 0.25 and 0.5."""
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    query = torch.eye(4)[:1] * 0 + logits
    settings = {"similarity": "dot"}
    at_one = make_memory(torch.eye(4).tolist(), shrinkage=1.0, **settings)
    torch.testing.assert_close(
        at_one.address(query), torch.tensor([[0.625, 0.375, 0.0, 0.0]])
    )
    at_two = make_memory(torch.eye(4).tolist(), shrinkage=1.9, **settings)
    torch.testing.assert_close(at_two.address(query), torch.eye(4)[:1])
    at_zero = make_memory(torch.eye(4).tolist(), shrinkage=0.0, **settings)
    torch.testing.assert_close(at_zero.address(query), logits.exp())
    answers, weights = at_one(query)
    torch.testing.assert_close(answers, weights)


def test_unanswered_queries_keep_their_weights():
    memory = make_memory(torch.eye(4).tolist(), shrinkage=3.0)
    queries = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0]])
    weights, is_unanswered = memory.weigh(queries)
    assert is_unanswered.tolist() == [True, True]
    torch.testing.assert_close(weights[0], torch.full((4,), 0.25))
    torch.testing.assert_close(weights.sum(1), torch.ones(2))
    sharp = make_memory(torch.eye(4).tolist(), shrinkage=3.0, temperature=0.1)
    assert sharp.weigh(queries)[1].tolist() == [True, False]


@pytest.mark.parametrize("shrinkage", [0.0, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("slot_size", [3, 64, 256])
def test_gradients_reach_encoder_and_memory_at_the_first_step(shrinkage, slot_size):
    """The paper's range of the threshold leaves no weight at all at the start."""
    torch.manual_seed(0)
    module = MemAEModule(
        (10,), (8,), slot_size, memory_size=50, shrinkage=shrinkage, temperature=1.0
    )
    (loss,) = module.losses(torch.randn(20, 10))
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name
        assert parameter.grad.isfinite().all(), name


def test_hard_shrinkage_is_the_papers_formula():
    w = torch.tensor([0.0, 0.1, 0.3, 0.6], requires_grad=True)
    shrunk = hard_shrinkage(w, 0.2)
    paper = (w - 0.2).relu() * w / ((w - 0.2).abs() + 1e-12)
    torch.testing.assert_close(shrunk, paper)
    shrunk.sum().backward()
    assert w.grad.tolist() == [0, 0, 1, 1]


def test_entropy():
    weights = torch.tensor([[1.0, 0.0], [0.5, 0.5]], requires_grad=True)
    found = entropy(weights)
    torch.testing.assert_close(found, torch.tensor([0.0, np.log(2)]).float())
    found.sum().backward()
    assert weights.grad.isfinite().all()


# -- the module ------------------------------------------------------------------------


def test_loss_is_error_plus_weighted_entropy():
    module = MemAEModule((3,), (4,), 2, memory_size=5, entropy_weight=0.7)
    x = torch.randn(6, 3)
    recalled, weights = module.memory(module.encoder(x))
    error = (x - module.decoder(recalled)).square().sum(1).mean()
    (loss,) = module.losses(x)
    torch.testing.assert_close(loss, error + 0.7 * entropy(weights).mean())
    torch.testing.assert_close(module.score(x), module.anomaly_map(x).sum(1))
    torch.testing.assert_close(
        module.anomaly_map(x), (x - module.decoder(recalled)).square()
    )


@pytest.mark.parametrize("kind", ["images", "clips"])
def test_each_position_asks_for_itself(kind):
    shape = SAMPLE_SHAPES[kind]
    module = MemAEModule(shape, (4, 6), None, memory_size=5)
    x = torch.randn(3, *shape)
    code = module.encoder(x)
    recalled, weights = module.recall(code)
    assert recalled.shape == code.shape
    n_positions = code[0, 0].numel()
    assert weights.shape == (3 * n_positions, 5)
    at_corner = (1, slice(None), *(0 for _ in shape[1:]))
    answer, _ = module.memory(code[at_corner][None])
    torch.testing.assert_close(recalled[at_corner], answer[0])
    assert module.address(x).shape == (3, *code.shape[2:], 5)


# -- the estimator ---------------------------------------------------------------------

WAYS = [
    {
        "slot": slot,
        "similarity": similarity,
        "memory_init": init,
        "shrinkage": shrinkage,
    }
    for slot, similarity, init, shrinkage in itertools.product(
        ("code", "position"), ("cosine", "dot"), ("data", "uniform"), (0.0, 1.0)
    )
]


@pytest.mark.filterwarnings("ignore:The memory:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_all_ways_detect_and_travel(way, kind):
    X = make_samples(kind)
    detector = MemAE(**QUICK | {"max_epochs": 20}, **way).fit(X)
    samples = np.concatenate([make_samples(kind, seed=2), make_outliers(kind)])
    scores = detector.score_samples(samples)
    assert roc_auc_score([1] * 100 + [0] * 50, scores) > 0.9
    assert np.array_equal(detector.score_samples(samples[140:]), scores[140:])
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(samples), scores)
    weights = detector.address(X)
    assert weights.shape[-1] == 20
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    assert detector.prototypes().shape == (20, *X.shape[1:])
    assert detector.memory_.shape[0] == 20
    assert (weights > 0).sum(-1).mean() == pytest.approx(
        detector.mean_active_slots_, rel=1e-5
    )


@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
def test_what_is_seen_of_the_memory(kind):
    X = make_samples(kind)
    detector = MemAE(**QUICK).fit(X)
    weights = detector.address(X)
    first = np.unique(weights.argmax(axis=1))
    assert detector.n_slots_used_ == len(first)
    assert detector.unanswered_share_ == 0
    assert 1 <= detector.mean_active_slots_ <= 20
    sharp = MemAE(**QUICK, temperature=1e-3).fit(X)
    assert sharp.mean_active_slots_ < detector.mean_active_slots_ / 2
    mixed = (weights @ detector.memory_).astype(np.float32)
    np.testing.assert_allclose(
        detector.net_.evaluate("prototype", mixed), detector.reconstruct(X), atol=1e-4
    )


def test_warm_up_trains_without_the_memory():
    X = make_samples()
    bypassed = []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            bypassed.append(net.module_.is_bypassed)

    settings = QUICK | {"max_epochs": 10, "net_params": {"callbacks": [Watch]}}
    detector = MemAE(**settings, warm_up_fraction=0.4).fit(X)
    assert bypassed == [True] * 4 + [False] * 6
    assert detector.n_iter_ == 10
    bypassed.clear()
    MemAE(**settings, memory_init="uniform").fit(X)
    assert bypassed == [False] * 10


def test_memory_starts_with_codes_of_the_data():
    X = make_samples()
    settings = QUICK | {"learning_rate": 1e-30, "max_epochs": 1}
    filled = MemAE(**settings).fit(X)
    codes = filled.net_.evaluate("encoder", X)
    distances = np.abs(filled.memory_[:, None] - codes[None]).sum(-1).min(1)
    assert distances.max() < 1e-5
    uniform = MemAE(**settings, memory_init="uniform").fit(X)
    assert np.abs(uniform.memory_).max() <= uniform.memory_.shape[1] ** -0.5
    more_slots_than_samples = MemAE(**settings | {"memory_size": 40}).fit(X[:30])
    assert more_slots_than_samples.memory_.shape[0] == 40


def test_memory_is_trained_and_goes_on_with_warm_start():
    X = make_samples()
    still = MemAE(**QUICK | {"learning_rate": 1e-30}).fit(X).memory_
    detector = MemAE(**QUICK, warm_start=True).fit(X)
    trained = detector.memory_
    assert not np.allclose(trained, still, atol=1e-4)
    detector.set_params(max_epochs=1, learning_rate=1e-30).fit(X)
    assert np.allclose(detector.memory_, trained, atol=1e-6)


def test_warnings_of_a_useless_memory():
    X = make_samples()
    with pytest.warns(ConvergenceWarning, match=r"dead for 100% .* Lower shrinkage"):
        MemAE(**QUICK, shrinkage=19.0, temperature=1.0).fit(X)
    same = np.tile(X[:1], (50, 1)) + np.linspace(0, 1e-3, 50)[:, None]
    with pytest.warns(ConvergenceWarning, match="collapsed: one slot"):
        MemAE(**QUICK, memory_init="uniform", temperature=0.05).fit(same)
    with pytest.warns(UserWarning, match="far above the number of samples, 9"):
        MemAE(**QUICK | {"memory_size": 91}).fit(X[:9])


def test_shrinkage_that_nothing_survives_is_refused():
    with pytest.raises(ValueError, match=r"Keep it below memory_size=20"):
        MemAE(**QUICK, shrinkage=20.0).fit(make_samples())
    for wrong in ({"memory_size": 0}, {"shrinkage": -1.0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MemAE(**QUICK | wrong).fit(make_samples())


@pytest.mark.parametrize(
    "shape", [(1, 5, 9), (3, 13, 7), (1, 1, 30), (1, 2, 9, 9), (1, 3, 5, 4)], ids=str
)
@pytest.mark.parametrize("slot", ["code", "position"])
def test_odd_sides_and_short_clips(shape, slot):
    X = np.random.default_rng(0).normal(size=(40, *shape)).astype(np.float32)
    detector = MemAE(**QUICK | {"max_epochs": 1}, slot=slot, temperature=0.01).fit(X)
    assert detector.reconstruct(X).shape == X.shape
