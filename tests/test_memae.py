"""MemAE: its memory by values worked out by hand, and its phases."""

import itertools

import numpy as np
import pytest
import torch
from helpers import QUICK, SAMPLE_SHAPES, make_samples
from modules import Scale, fit_and_watch, make_module
from sklearn.exceptions import ConvergenceWarning

from skanomaly import MemAE
from skanomaly.nn.memory import Memory
from skanomaly.training.data import Data

SETTINGS = {**QUICK, "memory_size": 20, "random_state": 0}


def make_memory(items, **settings):
    settings = {"similarity": "cosine", "shrinkage": 0, "temperature": 1.0, **settings}
    memory = Memory(len(items), len(items[0]), **settings)
    with torch.no_grad():
        memory.items.copy_(torch.tensor(items))
    return memory


EYE = torch.eye(4).tolist()

# -- the memory ------------------------------------------------------------------------


def test_cosine_addressing():
    memory = make_memory([[2.0, 0.0], [0.0, 5.0]])
    # whatever the lengths
    cosines = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    weights = memory.address(torch.tensor([[9.0, 0.0], [0.3, 0.4]]))
    torch.testing.assert_close(weights, cosines.softmax(1))


def test_dot_addressing_and_temperature():
    settings = {"similarity": "dot", "temperature": 2.0}
    memory = make_memory([[2.0, 0.0], [0.0, 1.0]], **settings)
    weights = memory.address(torch.tensor([[1.0, 4.0]]))
    torch.testing.assert_close(weights, torch.tensor([[1.0, 2.0]]).softmax(1))


@pytest.mark.parametrize(
    ("shrinkage", "weights"),
    [
        (0.0, [0.5, 0.3, 0.15, 0.05]),
        (1.0, [0.625, 0.375, 0.0, 0.0]),
        (1.9, [1.0, 0.0, 0.0, 0.0]),
        (2.1, [0.5, 0.3, 0.15, 0.05]),  # unaddressed
    ],
)
def test_shrinkage_and_normalization(shrinkage, weights):
    memory = make_memory(EYE, shrinkage=shrinkage, similarity="dot")
    query = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    read, found = memory(query)
    torch.testing.assert_close(found, torch.tensor([weights]))
    torch.testing.assert_close(read, found)
    _, is_unaddressed = memory.weights_and_unaddressed(query)
    assert is_unaddressed.tolist() == [shrinkage > 2]


@pytest.mark.parametrize("shrinkage", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("item_size", [3, 64])
def test_gradients_reach_encoder_and_memory_at_the_first_step(shrinkage, item_size):
    """The paper's thresholds leave no weight at all at the start."""
    module = make_module(
        MemAE,
        (10,),
        latent_size=item_size,
        memory_size=50,
        shrinkage=shrinkage,
        temperature=1.0,
    )
    (loss,) = module.losses(torch.randn(20, 10))
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad.abs().max() > 0, name
        assert parameter.grad.isfinite().all(), name


# -- the module ------------------------------------------------------------------------


def make_known(**parameters):
    """Make one whose code is x / 2 and whose decoder multiplies by 3."""
    module = make_module(MemAE, memory_size=3, **parameters)
    module.encoder, module.decoder = Scale(0.5), Scale(3.0)
    return module, torch.randn(6, 2)


def test_parameters_reach_the_memory():
    module, x = make_known(shrinkage=1.5, similarity="dot", temperature=0.3)
    memory = make_memory(
        module.memory.items.tolist(), shrinkage=1.5, similarity="dot", temperature=0.3
    )
    read, weights = memory(x / 2)
    assert (weights == 0).any()
    torch.testing.assert_close(module.address(x), weights)
    torch.testing.assert_close(module.reconstruct(x), 3 * read)


def test_default_code_has_directions_to_compare():
    assert make_module(MemAE, latent_size=None).memory.items.shape == (100, 8)
    assert make_module(MemAE, latent_size=3).memory.items.shape == (100, 3)


def test_losses():
    """Equations 3 to 11, with three items and a temperature."""
    module, x = make_known(
        entropy_weight=0.7, shrinkage=0.6, similarity="dot", temperature=0.5
    )
    rows, items = x.numpy(), module.memory.items.detach().numpy()
    weights = np.exp(rows / 2 @ items.T / 0.5)
    weights /= weights.sum(axis=1, keepdims=True)
    weights = np.where(weights > 0.6 / 3, weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    assert (weights == 0).any()
    error = (rows - 3 * weights @ items) ** 2
    entropy = -np.where(weights > 0, weights * np.log(weights + 1e-12), 0).sum(axis=1)
    assert entropy.max() > 0.5
    np.testing.assert_allclose(module.anomaly_map(x).detach(), error, rtol=1e-4)
    np.testing.assert_allclose(module.score(x).detach(), error.sum(1), rtol=1e-4)
    (loss,) = module.losses(x)
    expected = error.sum(axis=1).mean() + 0.7 * entropy.mean()
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    (loss,) = module.warm_up_losses(x)
    torch.testing.assert_close(loss, (x / 2).square().sum(1).mean())


@pytest.mark.parametrize("kind", ["images", "clips"])
def test_each_position_is_a_query(kind):
    shape = SAMPLE_SHAPES[kind]
    module = make_module(MemAE, shape, hidden_sizes=(4, 6), query="position")
    x = torch.randn(3, *shape)
    code = module.encoder(x)
    corner = (0,) * (x.ndim - 2)
    at_corner = (1, slice(None), *corner)
    weights = module.address(x)
    assert weights.shape == (3, *code.shape[2:], 100)
    expected = module.memory.address(code[at_corner][None])[0]
    torch.testing.assert_close(weights[(1, *corner)], expected)
    module.decoder = torch.nn.Identity()
    read, _ = module.memory(code[at_corner][None])
    torch.testing.assert_close(module.reconstruct(x)[at_corner], read[0])


# -- the phases ------------------------------------------------------------------------


def phases(detector):
    return [row["phase"] for row in detector.history_]


def test_warm_up_is_a_fraction_of_the_epochs():
    X = make_samples()
    settings = {**SETTINGS, "max_epochs": 10}
    detector = MemAE(**settings, warm_up_fraction=0.4).fit(X)
    assert phases(detector) == ["warm-up"] * 4 + ["training"] * 6
    assert detector.n_iter_ == 10
    uniform = MemAE(**settings, memory_init="uniform").fit(X)
    assert phases(uniform) == ["training"] * 10


def test_warm_up_trains_all_but_the_memory():
    detector = MemAE(**{**SETTINGS, "max_epochs": 4}, warm_up_fraction=0.5)
    seen = fit_and_watch(detector, make_samples())
    for name, weight in seen[0].items():
        is_coder = name.startswith(("encoder", "decoder"))
        is_memory = name.startswith("memory")
        assert torch.equal(weight, seen[1][name]) != is_coder, name
        assert torch.equal(seen[2][name], seen[3][name]) != (is_coder or is_memory)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_memory_is_filled_with_codes(similarity):
    X = make_samples()
    settings = {
        **SETTINGS,
        "learning_rate": 1e-30,
        "max_epochs": 1,
        "similarity": similarity,
    }
    filled = MemAE(**settings).fit(X)
    codes = filled.module_.encoder(torch.from_numpy(X)).detach().numpy()
    distances = np.abs(filled.memory_[:, None] - codes[None]).sum(-1).min(1)
    assert distances.max() < 1e-5
    assert len(np.unique(filled.memory_.round(4), axis=0)) == 20
    uniform = MemAE(**settings, memory_init="uniform").fit(X)
    assert np.abs(uniform.memory_).max() <= uniform.memory_.shape[1] ** -0.5


def test_items_are_codes_of_different_directions():
    """Distances are those of the addressing: by cosine the lengths don't count."""
    module = make_module(MemAE, memory_size=2)
    module.encoder = torch.nn.Identity()
    x = [[length, 0.0] for length in range(1, 40)] + [[0.0, 1.0]]
    with torch.no_grad():  # as they are resumed in training
        phases = module.phases(Data(np.array(x, dtype=np.float32)))
        next(phases), next(phases)
    assert sorted(module.memory.items[:, 1].tolist()) == [0, 1]


def test_more_items_than_samples():
    settings = {**SETTINGS, "memory_size": 40, "max_epochs": 1}
    assert len(MemAE(**settings).fit(make_samples(n_samples=9)).memory_) == 40


def test_memory_is_trained_and_goes_on_with_warm_start():
    X = make_samples()
    still = MemAE(**{**SETTINGS, "learning_rate": 1e-30}).fit(X).memory_
    detector = MemAE(**SETTINGS, warm_start=True).fit(X)
    trained = detector.memory_
    assert not np.allclose(trained, still, atol=1e-4)
    detector.set_params(max_epochs=1, learning_rate=1e-30).fit(X)
    assert np.allclose(detector.memory_, trained, atol=1e-6)
    assert phases(detector)[5:] == ["training"]


# -- what a user sees of the memory ----------------------------------------------------

WAYS = [
    {"query": query, "similarity": similarity, "shrinkage": shrinkage}
    for query, similarity, shrinkage in itertools.product(
        ("sample", "position"), ("cosine", "dot"), (0.0, 1.0)
    )
]


@pytest.mark.filterwarnings("ignore:The memory:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(map(str, way.values())))
def test_usage_of_the_memory(way, kind):
    X = make_samples(kind)
    detector = MemAE(**SETTINGS, **way).fit(X)
    weights = detector.address(X)
    assert weights.shape[-1] == 20
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    queries = weights.reshape(-1, 20)
    assert detector.n_items_used_ == len(np.unique(queries.argmax(axis=1)))
    n_active = (queries > 0).sum(axis=1)
    assert detector.mean_active_items_ == pytest.approx(n_active.mean(), rel=1e-5)
    assert detector.unaddressed_fraction_ == 0
    assert detector.memory_.shape[0] == 20
    assert detector.prototypes().shape == (20, *X.shape[1:])


@pytest.mark.parametrize("query", ["sample", "position"])
def test_prototypes_are_decoded_items(query):
    X = make_samples("images")
    detector = MemAE(**SETTINGS, query=query).fit(X)
    module, items = detector.module_, torch.from_numpy(detector.memory_)
    code = items.reshape(20, -1, *(1 for _ in module.sides)).expand(
        -1, -1, *module.sides
    )
    expected = module.decoder(code).detach().numpy()
    np.testing.assert_allclose(detector.prototypes(), expected, rtol=1e-4, atol=1e-6)


def test_unaddressed_fraction():
    """One of two queries has a weight above the threshold."""
    memory = make_memory(EYE, shrinkage=3.0, temperature=0.1)
    data = Data(np.array([[1, 1, 1, 1], [1, 0, 0, 0]], dtype=np.float32))
    with pytest.warns(ConvergenceWarning, match=r"dead for 50% .* Lower shrinkage"):
        usage = memory.measure_usage(data, lambda x: x)
    assert usage["unaddressed_fraction"] == 0.5
    assert usage["mean_active_items"] == 2.5
    assert usage["n_items_used"] == 1


def test_warnings_of_a_useless_memory():
    X = make_samples()
    with pytest.warns(ConvergenceWarning, match=r"dead for 100% .* Lower shrinkage"):
        MemAE(**SETTINGS, shrinkage=19.0, temperature=1.0).fit(X)
    same = np.tile(X[:1], (50, 1)) + np.linspace(0, 1e-3, 50)[:, None]
    with pytest.warns(ConvergenceWarning, match="memory has collapsed"):
        MemAE(**SETTINGS, memory_init="uniform", temperature=0.05).fit(same)
    with pytest.warns(UserWarning, match="far above the number of samples, 9"):
        MemAE(**{**SETTINGS, "memory_size": 91}).fit(X[:9])


def test_bad_parameters():
    with pytest.raises(ValueError, match=r"Keep it below memory_size=20"):
        MemAE(**SETTINGS, shrinkage=20.0).fit(make_samples())
    for wrong in ({"memory_size": 0}, {"shrinkage": -1.0}, {"temperature": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MemAE(**{**SETTINGS, **wrong}).fit(make_samples())


@pytest.mark.parametrize(
    "shape", [(1, 5, 9), (3, 13, 7), (1, 1, 30), (1, 2, 9, 9), (1, 3, 5, 4)], ids=str
)
@pytest.mark.parametrize("query", ["sample", "position"])
def test_odd_sides_and_short_clips(shape, query):
    x = torch.randn(2, *shape)
    assert make_module(MemAE, shape, query=query).reconstruct(x).shape == x.shape
