"""Streams of chunks: what a detector is after each call of `partial_fit`."""

import copy
import os
import pickle
import signal

import numpy as np
import pytest
import torch
from helpers import (
    all_detectors,
    each_detector,
    each_shape,
    make_detector,
    make_outliers,
    make_samples,
    make_sparse_samples,
    own_fields,
    weights_of,
)
from scipy import sparse
from skorch.callbacks import Callback

from skanomaly import DAGMM, VAE, Autoencoder, FAnoGAN, MemAE, OGNet, StudentTeacher
from skanomaly._budget import make_chunk_budget
from skanomaly.nn import Phase
from skanomaly.training import Data
from skanomaly.training.reservoir import add_to_reservoir

# One pass is no training for a generator or a memory, and their warnings say so.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Mode collapse", "ignore:The mem", "ignore:The mix", "ignore:memory_size"
)
FITTED_BY_A_STREAM = {
    "n_samples_seen_",
    "reservoir_",
    "recent_samples_",
    "phase_states_",
}
each_averaged = pytest.mark.parametrize(
    "Detector",
    [cls for cls in all_detectors() if "ema_decay" in own_fields(cls)],
    ids=lambda cls: cls.__name__,
)


def chunks(n_chunks, kind="rows", n_samples=60, first=0):
    return [make_samples(kind, n_samples, seed=first + n) for n in range(n_chunks)]


def stream(Detector, parts, **params):
    settings = {"batch_size": 32, "random_state": 0}  # of which a chunk has several
    detector = make_detector(Detector, **settings | params)
    for X in parts:
        detector.partial_fit(X)
    return detector


def is_same(first, second, X):
    """Tell whether two detectors are the same to the bit."""
    return first.offset_ == second.offset_ and np.array_equal(
        first.score_samples(X), second.score_samples(X)
    )


class Watch(Callback):
    """Remember phases, numbers of steps, and which samples were trained on."""

    def initialize(self):
        Watch.phases, Watch.batches = [], []
        return self

    def on_train_begin(self, net, **kwargs):
        self.phases.append(net.phase_.name)

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.batches.append(batch[0].clone())


WATCHED = {"net_params": {"callbacks": [Watch]}}


# -- the contract ----------------------------------------------------------------------


@each_shape
@each_detector
def test_each_call_trains_and_sets_the_threshold(Detector, kind):
    parts = chunks(2, kind, 24)
    detector = make_detector(Detector, random_state=0)
    assert detector.partial_fit(parts[0]) is detector
    weights, n_passes = weights_of(detector), detector.n_iter_
    detector.partial_fit(parts[1])
    changed = weights_of(detector)
    assert any(not torch.equal(w, changed[name]) for name, w in weights.items())
    assert detector.n_iter_ > n_passes
    assert detector.n_samples_seen_ == 48
    assert detector.input_shape_ == parts[0].shape[1:]
    n_held_out = len(detector.reservoir_)
    assert n_held_out + len(detector.recent_samples_) == 48
    assert n_held_out in (4, 5, 6)
    samples = np.concatenate([detector.reservoir_, detector.recent_samples_])
    assert np.isfinite(detector.offset_)
    assert (detector.predict(samples) == -1).mean() == pytest.approx(0.1, abs=0.03)
    maps = detector.anomaly_map(samples)
    assert maps.shape == samples.shape
    assert np.isfinite(maps).all()


@each_detector
def test_a_stream_is_learned(Detector):
    params = {"learning_rate": 0.005, "batch_size": 16}
    detector = stream(Detector, chunks(10, n_samples=200), **params)
    normal = detector.score_samples(make_samples(seed=99))
    outliers = detector.score_samples(make_outliers(seed=99))
    assert (normal[:, np.newaxis] > outliers).mean() > 0.9


@each_detector
def test_it_goes_on_after_fit(Detector):
    X, (chunk,) = make_samples(), chunks(1, first=7)
    fitted = make_detector(Detector, random_state=0).fit(X)
    seen = {}

    class Keep(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.setdefault("weights", weights_of(net))

    begun_with = {name: weight.clone() for name, weight in weights_of(fitted).items()}
    fitted.set_params(net_params={"callbacks": [Keep]}).partial_fit(chunk)
    names = [name for name, _ in fitted.module_.named_parameters()]
    assert all(torch.equal(seen["weights"][n], begun_with[n]) for n in names)
    numbers = [row["epoch"] for row in fitted.history_]
    assert numbers == list(range(1, len(numbers) + 1))
    assert fitted.n_samples_seen_ == len(chunk)


@each_detector
def test_fit_begins_anew(Detector):
    X = make_samples()
    anew = stream(Detector, chunks(2)).fit(X)
    same = make_detector(Detector, batch_size=32, random_state=0).fit(X)
    assert is_same(anew, same, X)
    assert not FITTED_BY_A_STREAM & vars(anew).keys()


@each_detector
def test_same_seed_same_stream(Detector):
    parts = chunks(3)
    first, second = stream(Detector, parts), stream(Detector, parts)
    assert is_same(first, second, parts[0])
    other = stream(Detector, parts, random_state=1)
    assert not is_same(first, other, parts[0])


@each_detector
def test_a_pickled_detector_goes_on_as_if_it_had_stayed(Detector):
    parts = chunks(4)
    stayed = stream(Detector, parts[:2])
    shipped = pickle.loads(pickle.dumps(stayed))
    for X in parts[2:]:
        stayed.partial_fit(X)
        shipped.partial_fit(X)
    assert is_same(stayed, shipped, parts[0])


def test_no_object_of_torch_is_pickled():
    data = pickle.dumps(stream(VAE, chunks(2)))
    assert b"torch" not in data
    assert b"skorch" not in data


def test_global_random_states_are_untouched():
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    stream(VAE, chunks(2))
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_the_first_call_decides_the_schema():
    pandas = pytest.importorskip("pandas")
    X = pandas.DataFrame(make_samples(), columns=list("abcdef"))
    detector = make_detector(Autoencoder).partial_fit(X)
    assert list(detector.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        detector.partial_fit(X.rename(columns={"a": "z"}))
    detector = make_detector(Autoencoder).partial_fit(X.to_numpy())
    with pytest.raises(ValueError, match="X has 5 features, but Autoencoder is expect"):
        detector.partial_fit(X.to_numpy()[:, :5])
    images = make_detector(Autoencoder).partial_fit(make_samples("images"))
    with pytest.raises(ValueError, match="samples of shape"):
        images.partial_fit(make_samples("images")[:, :, :5])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_values_are_refused(bad):
    detector = stream(Autoencoder, chunks(1))
    before, X = copy.copy(vars(detector)), make_samples()
    X[3, 2] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        detector.partial_fit(X)
    assert vars(detector) == before


def test_parameters_are_checked_in_each_call():
    detector = stream(Autoencoder, chunks(1)).set_params(learning_rate=-1)
    with pytest.raises(ValueError, match="'learning_rate' parameter"):
        detector.partial_fit(make_samples())
    detector.set_params(learning_rate=0.1, hidden_sizes=(9,))
    with pytest.raises(ValueError, match=r"changing hidden_sizes from .* to \(9,\)"):
        detector.partial_fit(make_samples())


def test_labelled_outliers_are_warned_of():
    X, y = make_samples(), np.repeat([1, -1], [90, 10])
    detector = make_detector(Autoencoder).partial_fit(X)
    with pytest.warns(UserWarning, match="y marks 10 of 100 samples as outliers"):
        detector.partial_fit(X, y)


# -- nothing is lost -------------------------------------------------------------------


@pytest.mark.parametrize("error", [ArithmeticError, KeyboardInterrupt])
@each_detector
def test_a_call_that_fails_leaves_the_detector_as_it_was(Detector, error):
    class Raise(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if error is ArithmeticError:
                raise error
            os.kill(os.getpid(), signal.SIGINT)

    parts = chunks(3)
    detector, untouched = (stream(Detector, parts[:2]) for _ in range(2))
    before = copy.copy(vars(detector))
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        detector.set_params(net_params={"callbacks": [Raise]})
        with pytest.raises(error):
            detector.partial_fit(parts[2])
    finally:
        signal.signal(signal.SIGINT, handler)
    detector.set_params(net_params=None)
    assert vars(detector) == before
    for each in (detector, untouched):
        each.partial_fit(parts[2])
    assert is_same(detector, untouched, parts[0])
    new = make_detector(Detector, net_params={"callbacks": [Raise]})
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(error):
            new.partial_fit(parts[0])
    finally:
        signal.signal(signal.SIGINT, handler)
    assert not hasattr(new, "n_features_in_")
    assert not hasattr(new, "net_")


def test_divergence_gives_advice():
    detector = stream(Autoencoder, chunks(1)).set_params(learning_rate=1.0)
    before = copy.copy(vars(detector))
    with pytest.raises(ValueError, match=r"Training diverged.*lower learning_rate"):
        detector.partial_fit(1e30 * make_samples())
    assert vars(detector) == before


# -- one pass --------------------------------------------------------------------------


@each_detector
def test_each_phase_goes_once_through_the_chunk(Detector):
    params = {"max_epochs": 50, "early_stopping": True, "n_iter_no_change": 1}
    detector = make_detector(Detector, random_state=0, **params, **WATCHED)
    if Detector is OGNet:
        detector.set_params(n_phase_two_steps=75)
    for n_call in range(2):
        detector.partial_fit(make_samples(n_samples=200, seed=n_call))
        n_steps = -(-180 // detector.batch_size)
        assert len(Watch.batches) == len(Watch.phases) * n_steps


@pytest.mark.parametrize(
    ("detector", "first", "later"),
    [
        (MemAE(memory_size=20), ["warm-up", "training"], ["training"]),
        (MemAE(memory_size=20, warm_up_fraction=0.0), ["training"], ["training"]),
        (FAnoGAN(), ["GAN", "encoder"], ["GAN", "encoder"]),
        (OGNet(), ["phase one"] * 2 + ["phase two"], ["phase one", "phase two"]),
        (StudentTeacher(), ["students"], ["students"]),
        (StudentTeacher(teacher="autoencoder"), ["teacher", "students"], ["students"]),
        (DAGMM(), ["training"], ["training"]),
    ],
    ids=str,
)
def test_phases_of_the_first_call_and_of_later_ones(detector, first, later):
    detector.set_params(random_state=0, **WATCHED)
    for expected in (first, later, later):
        detector.partial_fit(make_samples())
        assert Watch.phases == expected


def test_single_pass_of_a_phase():
    def losses(x):
        yield x.mean()

    assert Phase(losses).single_pass(9).n_epochs(5, 5) == 1
    assert Phase(losses, fraction=0.9).single_pass(9).n_epochs(5, 5) == 1
    assert Phase(losses, fraction=0.0).single_pass(9).n_epochs(5, 5) == 0
    assert Phase(losses, epochs=4).single_pass(9).n_epochs(5, 5) == 1
    assert Phase(losses, steps=75).single_pass(9).steps == 9
    assert Phase(losses, steps=5).single_pass(9).steps == 5


@pytest.mark.parametrize(
    ("n_samples", "shape", "expected"),
    [
        (1, (5,), 16),
        (100, (5,), 16),
        (3200, (5,), 100),
        (10**6, (5,), 256),
        (10**6, (1, 8, 8), 128),
    ],
)
def test_batches_of_a_chunk(n_samples, shape, expected):
    assert make_chunk_budget(VAE(), shape, n_samples).batch_size == expected
    assert make_chunk_budget(VAE(batch_size=7), shape, n_samples).batch_size == 7


# -- what goes on ----------------------------------------------------------------------


def test_adam_goes_on_as_if_there_had_been_one_call():
    """Two chunks of one batch each are two steps of one Adam."""
    module = make_detector(Autoencoder, latent_size=2, random_state=0)
    module.partial_fit(make_samples()[:2])
    parts = chunks(4)
    detector = clone_of(module, batch_size=1000, learning_rate=0.01, **WATCHED)
    bare = copy.deepcopy(detector.module_).train()
    optimizer = torch.optim.Adam(bare.parameters(), lr=0.01, fused=True)
    steps = detector.phase_states_["training"]["optimizer_states"][0]
    groups = optimizer.state_dict()["param_groups"]
    state = {
        n: {name: torch.tensor(value) for name, value in each.items()}
        for n, each in enumerate(steps)
    }
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    for X in parts:
        detector.partial_fit(X)
        (batch,) = Watch.batches
        optimizer.zero_grad()
        next(bare.losses(batch)).backward()
        optimizer.step()
    for ours, theirs in zip(
        detector.module_.parameters(), bare.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def clone_of(detector, **params):
    return pickle.loads(pickle.dumps(detector)).set_params(**params)


def test_learning_rate_is_that_of_the_call():
    detector = stream(Autoencoder, chunks(2))
    before = weights_of(detector)
    before = {name: weight.clone() for name, weight in before.items()}
    detector.set_params(learning_rate=1e-12).partial_fit(make_samples())
    after = weights_of(detector)
    for name, _ in detector.module_.named_parameters():
        torch.testing.assert_close(after[name], before[name])


def test_another_optimizer_begins_without_the_state_of_the_former():
    sgd = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    detector = stream(Autoencoder, chunks(2)).set_params(net_params=sgd)
    detector.partial_fit(make_samples())
    (state,) = detector.phase_states_["training"]["optimizer_states"]
    assert all(set(each) == {"momentum_buffer"} for each in state)
    detector.set_params(net_params=None).partial_fit(make_samples())
    (state,) = detector.phase_states_["training"]["optimizer_states"]
    assert all(float(each["step"]) == 3 for each in state)  # 90 rows by 32


@each_averaged
def test_the_average_of_the_weights_goes_on(Detector):
    """Otherwise each call would begin from the average, and average its own steps."""
    detector = stream(Detector, chunks(2), ema_decay=0.9)
    first = {k: v["n_updates"] for k, v in detector.phase_states_.items()}
    detector.set_params(learning_rate=1e-12, ema_decay=0.5)
    states = copy.deepcopy(detector.phase_states_)
    for X in chunks(15):
        detector.partial_fit(X)
    for name, state in detector.phase_states_.items():
        assert state["n_updates"] > 5 * first[name]
    # Without further learning the average has come to the last weights themselves.
    name, *_ = states
    trained = detector.module_.networks[:1] if len(states) > 1 else ("",)
    for (path, parameter), raw in zip(
        detector.module_.named_parameters(), states[name]["weights"], strict=True
    ):
        if path.startswith(trained[0]) and "discriminator" not in path:
            np.testing.assert_allclose(parameter.detach(), raw, atol=1e-3)


def test_the_center_is_the_mean_of_recent_samples():
    detector = stream(Autoencoder, chunks(3))
    center = detector.recent_samples_.mean(axis=0)
    np.testing.assert_allclose(detector.module_.center, center, rtol=1e-4, atol=1e-6)


def test_the_mixture_is_that_of_recent_samples():
    """A chunk of a few rows has none."""
    parts = [*chunks(3, n_samples=200), *chunks(1, n_samples=2)]
    module = stream(DAGMM, parts).module_
    recent = torch.from_numpy(stream(DAGMM, parts).recent_samples_)
    with torch.no_grad():
        z, _ = module.compress(recent)
        weights = module.memberships(z).mean(dim=0)
    torch.testing.assert_close(module.mixture.weights, weights)


def test_error_statistics_are_those_of_the_reservoir():
    detector = stream(StudentTeacher, chunks(3, n_samples=200))
    (branch,) = detector.module_.branches
    with torch.no_grad():
        both = branch.error_and_variance(torch.from_numpy(detector.reservoir_))
    expected = both.mean(dim=(0, 1))
    torch.testing.assert_close(branch.error_statistics[:, 0], expected)


# -- the threshold ---------------------------------------------------------------------


def test_the_threshold_is_the_quantile_of_the_reservoir_by_the_rank_of_n_plus_1():
    detector = stream(Autoencoder, chunks(10, n_samples=100), contamination=0.2)
    scores = np.sort(detector.score_samples(detector.reservoir_))
    rank = 0.2 * (len(scores) + 1)
    below = scores[int(rank) - 1]
    expected = below + (rank % 1) * (scores[int(rank)] - below)
    assert detector.offset_ == pytest.approx(expected)


def test_contamination_may_change():
    detector = stream(Autoencoder, chunks(4, n_samples=200))
    often = clone_of(detector, contamination=0.4).partial_fit(make_samples())
    assert often.offset_ > detector.partial_fit(make_samples()).offset_


def test_false_alarms_are_as_many_as_asked_for():
    """Of rows trained on there would be fewer: their errors are smaller."""
    rng = np.random.default_rng(0)
    detector = Autoencoder(latent_size=15, random_state=0, contamination=0.1)
    for _ in range(30):
        detector.partial_fit(rng.normal(size=(200, 20)))
    new = detector.predict(rng.normal(size=(5000, 20)))
    assert (new == -1).mean() == pytest.approx(0.1, abs=0.03)


def test_held_out_rows_are_never_trained_on():
    parts = np.arange(600.0).reshape(3, 200, 1) / 600
    detector = Autoencoder(random_state=0, **WATCHED)
    trained = set()
    for X in parts:
        detector.partial_fit(X)
        trained |= set(torch.cat(Watch.batches)[:, 0].tolist())
    held_out = set(detector.reservoir_[:, 0].tolist())
    assert not trained & held_out
    assert len(trained) + len(held_out) == 600


def test_each_chunk_holds_out_other_places():
    X = np.arange(200.0)[:, np.newaxis] / 200
    first, second = (
        set(stream(Autoencoder, parts).reservoir_[-20:, 0].tolist())
        for parts in ([X], [X, X])
    )
    assert len(first) == 20
    assert first != second


def test_rows_one_by_one():
    """A tenth of them is held out, too."""
    detector = make_detector(Autoencoder, random_state=0)
    detector.partial_fit(make_samples()[:2])
    assert len(detector.reservoir_) == len(detector.recent_samples_) == 1
    for x in make_samples(n_samples=200):
        detector.partial_fit(x[np.newaxis])
    assert detector.n_samples_seen_ == 202
    assert 10 < len(detector.reservoir_) < 30
    assert len(detector.reservoir_) + len(detector.recent_samples_) == 202
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        make_detector(Autoencoder).partial_fit(make_samples()[:1])


@pytest.mark.parametrize(
    "kind", [sparse.csr_array, sparse.csr_matrix, sparse.csc_array]
)
def test_sparse_chunks(kind):
    X = make_sparse_samples(100, 30, density=0.1)
    dense, as_csr = (
        stream(Autoencoder, [X_[:50], X_[50:]], latent_size=3)
        for X_ in (X.toarray(), sparse.csr_array(X))
    )
    assert is_same(dense, as_csr, X)
    other = make_detector(Autoencoder, latent_size=3).partial_fit(kind(X))
    assert isinstance(other.reservoir_, np.ndarray)
    assert other.reservoir_.dtype == np.float32


def test_flat_images():
    X = make_samples("images")
    params = {"sample_shape": X.shape[1:]}
    flat = stream(Autoencoder, [X.reshape(len(X), -1)] * 2, **params)
    assert is_same(flat, stream(Autoencoder, [X, X]), X)


# -- the reservoir ---------------------------------------------------------------------


def reservoir_of(*parts):
    rng, reservoir = np.random.RandomState(0), np.empty((0, 1), dtype=np.float32)
    for part in parts:
        data = Data(np.asarray(part, dtype=np.float32)[:, np.newaxis])
        reservoir = add_to_reservoir(reservoir, data, rng)
    return reservoir[:, 0]


def test_a_reservoir_is_filled_first():
    assert reservoir_of(range(700), [], range(700, 1000)).tolist() == [*range(1000)]


def test_each_new_sample_takes_the_place_of_another():
    before, after = reservoir_of(range(1000)), reservoir_of(range(1000), [-1.0])
    assert len(after) == 1000
    assert (before != after).sum() == 1
    assert -1 in after


def test_what_was_in_the_reservoir_is_not_changed():
    first = np.zeros((1000, 1), dtype=np.float32)
    data = Data(np.ones((500, 1), dtype=np.float32))
    add_to_reservoir(first, data, np.random.RandomState(0))
    assert not first.any()


def test_a_reservoir_shrinks():
    detector = stream(Autoencoder, chunks(4, n_samples=500), contamination=0.1)
    assert len(detector.reservoir_) == 200
    before = {tuple(x) for x in detector.reservoir_}
    detector.set_params(contamination=0.5).partial_fit(make_samples())
    assert len(detector.reservoir_) == 40
    assert 25 < len({tuple(x) for x in detector.reservoir_} & before) < 40
    assert len(detector.recent_samples_) == 1000


@pytest.mark.parametrize("n_parts", [1, 7, 100])
def test_a_reservoir_forgets_exponentially(n_parts):
    """However the stream is cut into chunks."""
    kept = reservoir_of(*np.array_split(np.arange(20_000), n_parts))
    assert len(kept) == 1000 == len(set(kept.tolist()))
    for age in (500, 1000, 3000):
        expected = 1 - np.exp(-age / 1000)
        assert (kept >= 20_000 - age).mean() == pytest.approx(expected, abs=0.04)


def test_a_reservoir_of_wide_samples_is_smaller():
    wide = np.zeros((3, 2**24), dtype=np.float32)
    empty = np.empty((0, 2**24), dtype=np.float32)
    kept = add_to_reservoir(empty, Data(wide), np.random.RandomState(0))
    assert len(kept) == 2
