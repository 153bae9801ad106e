"""Our own checks, on every detector.

scikit-learn's suite passes with the sign unflipped and with random_state ignored; this
one does not.
"""

import copy
import dataclasses
import functools
import inspect
import io
import pickle
import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import (
    SAMPLE_SHAPES,
    all_detectors,
    each_detector,
    each_shape,
    is_adversarial,
    make_detector,
    make_learner,
    make_outliers_of_equal_norm,
    make_samples,
    own_fields,
    weights_of,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit

from skanomaly import ALAD, MemAE, OGNet, StudentTeacher
from skanomaly.base import BaseDetector
from skanomaly.training import Data
from skanomaly.training.passes import evaluate

# Five epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


@functools.cache
def fitted(Detector, kind="rows"):
    """Fit once what many tests only look at."""
    return make_detector(Detector, random_state=0).fit(make_samples(kind))


# -- does it detect? -------------------------------------------------------------------


def measure_auc(score, kind):
    """Tell how well scores, the lower the more abnormal, find outliers."""
    inliers = make_samples(kind, seed=2)
    outliers = make_outliers_of_equal_norm(kind, len(inliers), seed=2)
    is_inlier = np.repeat([1, 0], len(inliers))
    return roc_auc_score(is_inlier, score(np.concatenate([inliers, outliers])))


@each_detector
@each_shape
def test_training_finds_outliers_of_equal_norm(Detector, kind):
    detector = make_learner(Detector, kind, random_state=0).fit(make_samples(kind))
    assert measure_auc(detector.score_samples, kind) > 0.85
    outliers = make_outliers_of_equal_norm(kind)
    assert (detector.predict(outliers) == -1).mean() > 0.6
    # In maps, too, what is abnormal is high.
    maps = detector.anomaly_map
    total = measure_auc(lambda X: -maps(X).reshape(len(X), -1).sum(axis=1), kind)
    assert total > 0.85


@each_detector
@each_shape
def test_untrained_networks_do_not_find_them(Detector, kind):
    """The control of the test above: what it finds has been learned."""
    torch.manual_seed(0)
    arguments = make_learner(Detector, kind)._module_arguments(SAMPLE_SHAPES[kind])
    module = Detector.module_class(**arguments).eval()
    auc = measure_auc(lambda X: -evaluate(module, "score", Data(X)).numpy(), kind)
    assert auc < 0.7


@each_detector
def test_anomaly_map_shows_what_was_spoilt(Detector):
    detector = make_detector(Detector, max_epochs=30, random_state=0)
    detector.fit(make_samples())
    spoilt = make_samples(seed=3)
    spoilt[:, 3] += 10
    assert (detector.anomaly_map(spoilt).argmax(axis=1) == 3).mean() > 0.9


@each_detector
def test_training_lowers_the_loss_and_raises_the_scores(Detector):
    X, params = make_samples(), {"hidden_sizes": None, "random_state": 0}
    little, more = (
        make_detector(Detector, max_epochs=n_epochs, **params) for n_epochs in (2, 60)
    )
    for each in (little, more):
        if "n_search_steps" in own_fields(Detector):
            each.set_params(n_search_steps=50)  # a short one says more of the search
        each.fit(X)
    if is_adversarial(Detector):  # the units of its features are its own
        assert more.anomaly_map(X).mean() < little.anomaly_map(X).mean()
        return
    name = more.history_[0]["phase"]
    losses = [row["train_loss"] for row in more.history_ if row["phase"] == name]
    assert losses[-1] < losses[0]
    # Scores may be in units of each training's own: of held-out samples, or of codes.
    x = torch.from_numpy(X)
    with torch.no_grad():
        before, after = (d.module_.validation_loss(x).mean() for d in (little, more))
    assert after < before or "discriminator" in more.module_.networks


@each_detector
@each_shape
def test_each_network_moves_and_only_by_its_own_loss(Detector, kind):
    """After a loss's backward and step, other networks are as they were."""
    seen = {}

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            self.before = _weights(net)
            seen.setdefault("first", self.before)  # training may have phases

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self._check(net)
            self.updated = {name for name, _ in named_parameters}
            assert any(p.grad is not None for _, p in named_parameters)

        def on_batch_end(self, net, **kwargs):
            self._check(net)
            self.updated = set()

        def _check(self, net):
            now = _weights(net)
            for name in now.keys() - getattr(self, "updated", set()):
                assert torch.equal(now[name], self.before[name]), name
            self.before = now

    detector = make_detector(
        Detector,
        max_epochs=2,
        batch_size=64,
        random_state=0,
        net_params={"callbacks": [Watch]},
    ).fit(make_samples(kind))
    module = detector.module_
    assert set(module.networks) <= {name for name, _ in module.named_children()}
    is_fixed = ("old_generator", "teacher")
    for name, parameter in module.named_parameters():
        moved = not torch.equal(parameter, seen["first"][name])
        assert moved or any(part in name for part in is_fixed), name


def _weights(net):
    return {n: p.detach().clone() for n, p in net.module_.named_parameters()}


# -- seeds -----------------------------------------------------------------------------


@each_detector
def test_same_seed_same_scores(Detector):
    X, short = make_samples(), partial(make_detector, Detector, max_epochs=2)
    first = short(random_state=7)
    scores = first.fit(X).score_samples(X)
    torch.manual_seed(123)
    np.random.seed(123)
    same = [
        short(random_state=7).fit(X),
        clone(first).fit(X),
        first.fit(X),
        short(random_state=1).set_params(random_state=7).fit(X),
        short(random_state=np.random.RandomState(7)).fit(X),
    ]
    for detector in same:
        assert np.array_equal(detector.score_samples(X), scores)
    other = short(random_state=8).fit(X)
    assert not np.allclose(other.score_samples(X), scores)
    first, second = (short().fit(X).score_samples(X) for _ in range(2))
    assert not np.allclose(first, second)


@each_detector
def test_global_random_states_are_untouched(Detector):
    X = make_samples()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    detector = make_detector(Detector, random_state=0).fit(X)
    detector.score_samples(X)
    pickle.loads(pickle.dumps(detector))
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1][1])
    assert torch.equal(torch.get_rng_state(), before[2])


@each_detector
def test_fits_in_threads_do_not_disturb_each_other(Detector):
    X = make_samples()

    def scores(_):
        detector = make_detector(Detector, max_epochs=2, random_state=0)
        return detector.fit(X).score_samples(X)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(scores, range(8)))
    assert all(np.array_equal(found[0], each) for each in found)


@each_detector
def test_seed_survives_pickling(Detector):
    X = make_samples()
    first, second = (
        make_detector(Detector, max_epochs=2, warm_start=True, random_state=seed).fit(X)
        for seed in (0, 1)
    )
    shipped = [pickle.loads(pickle.dumps(each)) for each in (first, second)]
    # The weights of one, so that only the seeds differ.
    state = second.__getstate__()
    state["_weights"] = first.__getstate__()["_weights"]
    other_seed = Detector.__new__(Detector)
    other_seed.__setstate__(state)
    for each in (first, second, *shipped, other_seed):
        each.fit(X)
    for original, copied in zip((first, second), shipped, strict=True):
        assert np.array_equal(original.score_samples(X), copied.score_samples(X))
        assert np.array_equal(original.offset_, copied.offset_)
    assert not np.array_equal(other_seed.score_samples(X), first.score_samples(X))


# -- scores ----------------------------------------------------------------------------


@each_detector
@each_shape
def test_score_does_not_depend_on_the_batch(Detector, kind):
    """With networks of the default sizes, as kernels differ by size."""
    X = make_samples(kind, 300)
    params = {"max_epochs": 2, "hidden_sizes": None, "random_state": 0}
    detector = make_detector(Detector, **params).fit(X[:100])
    scores = detector.score_samples(X)
    assert scores.dtype == np.float64
    assert np.array_equal(detector.score_samples(X), scores)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(detector.score_samples(X[order]), scores[order])
    for size in (1, 7, 299):
        assert np.array_equal(detector.score_samples(X[:size]), scores[:size])
    if kind == "rows":
        large = np.concatenate([X] * 8)
        assert np.array_equal(detector.score_samples(large), np.tile(scores, 8))


WIDTHS = [*range(1, 41), 63, 65, 127]
ODD_SIZES = [(10, 5), (7, 3), (31, 9), (33, 11), (13,), (5, 2), (6, 7)]


@pytest.mark.parametrize(
    ("Detector", "width"),
    [
        pytest.param(cls, width, id=f"{cls.__name__}-{width}")
        for cls in all_detectors()
        for width in WIDTHS
        # One width in ten for those that have no layers but others'.
        if cls in (MemAE, ALAD, StudentTeacher) or width % 10 == 3
    ],
)
def test_rows_of_any_width_are_rounded_alike_wherever_they_stand(Detector, width):
    """Matrix kernels round the ends of a batch otherwise, at odd widths."""
    X = make_samples((width,), 200)
    hidden_sizes = ODD_SIZES[width % len(ODD_SIZES)]
    detector = make_detector(
        Detector, max_epochs=2, hidden_sizes=hidden_sizes, random_state=0
    )
    detector.fit(X)
    scores = detector.score_samples(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(detector.score_samples(X[::-1]), scores[::-1])
    assert np.array_equal(detector.score_samples(X[order]), scores[order])
    assert np.array_equal(detector.score_samples(X[:1]), scores[:1])


@pytest.mark.parametrize("width", range(18, 24))
def test_memae_of_defaults_rounds_rows_alike(width):
    X = make_samples((width,), 200)
    detector = MemAE(max_epochs=2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert np.array_equal(detector.score_samples(X[::-1]), scores[::-1])


@each_detector
@each_shape
def test_dtypes_and_orders_agree(Detector, kind):
    detector, X = fitted(Detector, kind), make_samples(kind)
    scores = detector.score_samples(X)
    other = np.asfortranarray(X.astype(np.float64))
    assert np.array_equal(detector.score_samples(other), scores)
    if kind != "rows":
        return
    for same in (X.astype(np.float64), X.tolist(), torch.from_numpy(X)):
        assert np.array_equal(detector.score_samples(same), scores)
    refitted = make_detector(Detector, random_state=0).fit(other)
    assert np.array_equal(refitted.score_samples(X), scores)
    assert detector.score_samples(np.round(X).astype(int)).shape == (len(X),)


@each_detector
def test_threshold_and_signs_agree(Detector):
    X = make_samples()
    detector = make_detector(Detector, contamination=0.2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    shifted = detector.decision_function(X)
    assert np.array_equal(shifted, scores - detector.offset_)
    assert np.array_equal(detector.predict(X) == -1, shifted < 0)
    assert (detector.predict(X) == -1).mean() == 0.2
    labels = clone(detector).fit_predict(X)
    assert np.array_equal(labels, detector.predict(X))
    strict = make_detector(Detector, contamination=0.01, random_state=0).fit(X)
    assert np.array_equal(strict.score_samples(X), scores)


@each_detector
@each_shape
def test_anomaly_map_has_the_shape_of_the_input(Detector, kind):
    X = make_samples(kind)
    maps = fitted(Detector, kind).anomaly_map(X[:20])
    assert maps.shape == X[:20].shape
    assert maps.dtype == np.float64
    assert np.isfinite(maps).all()
    if hasattr(Detector.module_class, "reconstruct"):
        assert fitted(Detector, kind).reconstruct(X).shape == X.shape
    else:
        assert not hasattr(fitted(Detector, kind), "reconstruct")


@each_detector
@pytest.mark.parametrize("value", [1e3, 1e6, 1e12, np.finfo(np.float32).max])
def test_scores_of_extreme_samples_are_finite_and_low(Detector, value):
    X = make_samples()
    detector = fitted(Detector)
    extreme = np.full((1, X.shape[1]), value, dtype=np.float32)
    assert np.isfinite(detector.score_samples(extreme)).all()
    assert detector.predict(extreme) == -1


@each_detector
def test_far_outliers_rank_below_near_ones(Detector):
    """A saturated activation must not end the ranking: 1e6 is beyond 1e3."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 6))
    directions = rng.normal(size=(50, 6))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    detector = make_detector(Detector, max_epochs=20, random_state=0).fit(X)
    near, far, farther = (
        detector.score_samples(scale * directions) for scale in (10, 1e3, 1e6)
    )
    assert roc_auc_score([1] * 50 + [0] * 50, np.concatenate([far, farther])) >= 0.95
    assert roc_auc_score([1] * 50 + [0] * 50, np.concatenate([near, farther])) >= 0.95


# -- what comes in ---------------------------------------------------------------------


@each_detector
@pytest.mark.filterwarnings("ignore:memory_size=.* is far above")
@pytest.mark.parametrize("n_samples", [2, 3, 17, 33])
def test_few_samples_and_odd_batches(Detector, n_samples):
    X = make_samples(n_samples=n_samples)
    params = {"max_epochs": 2, "batch_size": 16, "random_state": 0}
    detector = make_detector(Detector, **params).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    if n_samples == 17:  # the last batch holds one sample, and it is trained on
        X[-1] += 1
        other = make_detector(Detector, **params).fit(X)
        assert not np.array_equal(
            other.score_samples(X[:5]), detector.score_samples(X[:5])
        )


@each_detector
def test_sparse_rows_score_as_dense_ones(Detector):
    X = make_samples()
    X[np.abs(X) < 0.5] = 0
    dense = make_detector(Detector, random_state=0).fit(X)
    rows = make_detector(Detector, random_state=0).fit(sparse.csr_matrix(X))
    scores = dense.score_samples(X)
    assert np.array_equal(rows.score_samples(sparse.csr_array(X)), scores)
    assert np.array_equal(rows.score_samples(sparse.coo_matrix(X)), scores)
    assert np.array_equal(rows.anomaly_map(sparse.csr_array(X)), dense.anomaly_map(X))
    assert dense.__sklearn_tags__().input_tags.sparse


@each_detector
def test_flat_rows_are_reshaped_to_samples(Detector):
    X = make_samples("images")
    flat = X.reshape(len(X), -1)
    shape = SAMPLE_SHAPES["images"]
    shaped = fitted(Detector, "images")
    detector = make_detector(Detector, sample_shape=shape, random_state=0).fit(flat)
    scores = shaped.score_samples(X)
    assert np.array_equal(detector.score_samples(flat), scores)
    assert np.array_equal(detector.score_samples(X), scores)
    assert np.array_equal(shaped.score_samples(flat), scores)
    assert detector.anomaly_map(flat[:9]).shape == flat[:9].shape
    assert detector.n_features_in_ == flat.shape[1]
    assert detector.input_shape_ == shape
    short = clone(detector).set_params(max_epochs=2)
    pipeline = make_pipeline(StandardScaler(), short).fit(flat)
    assert pipeline.score_samples(flat).shape == (len(X),)
    assert not detector.__sklearn_tags__().input_tags.sparse


@each_detector
def test_frames(Detector):
    X = make_samples()
    names = list("abcdef")
    detector = make_detector(Detector, random_state=0)
    scores = fitted(Detector).score_samples(X)
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)):
        on_frame = clone(detector).fit(frame)
        assert list(on_frame.feature_names_in_) == names
        assert np.array_equal(on_frame.score_samples(frame), scores)
        assert on_frame.anomaly_map(frame).shape == X.shape
        with pytest.raises(ValueError, match="feature names should match"):
            on_frame.score_samples(frame[names[::-1]])


@each_detector
def test_constant_features(Detector):
    X = make_samples()
    X[:, 2] = 5
    params = {"max_epochs": 60, "batch_size": 32, "hidden_sizes": None}
    detector = make_detector(Detector, **params, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    changed = X.copy()
    changed[:, 2] = 9
    assert detector.score_samples(changed).mean() < detector.score_samples(X).mean()


@pytest.mark.filterwarnings("ignore:The memory is dead")  # of MemAE: with good reason
@each_detector
def test_constant_data(Detector):
    X = np.zeros((20, 3))
    assert (make_detector(Detector, random_state=0).fit(X).predict(X) == 1).all()


@each_detector
def test_input_is_neither_changed_nor_copied_for_writing(Detector):
    X = make_samples()
    X.flags.writeable = False
    detector = make_detector(Detector, random_state=0).fit(X)
    writeable = X.copy()
    same = make_detector(Detector, random_state=0).fit(writeable)
    assert np.array_equal(writeable, X)
    assert np.array_equal(detector.score_samples(X), same.score_samples(writeable))


@each_detector
def test_memory_map_is_trained_on(Detector, tmp_path):
    X = make_samples()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    detector = make_detector(Detector, random_state=0).fit(mapped)
    scores = fitted(Detector).score_samples(X)
    assert np.array_equal(detector.score_samples(mapped), scores)


@each_detector
def test_modes_of_the_callers_torch_do_not_matter(Detector):
    X = make_samples()
    scores = fitted(Detector).score_samples(X)
    maps = fitted(Detector).anomaly_map(X)
    torch.set_default_dtype(torch.float64)
    try:
        detector = make_detector(Detector, random_state=0).fit(X)
        shipped = pickle.loads(pickle.dumps(detector))
        found = [each.score_samples(X) for each in (detector, shipped)]
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(np.array_equal(each, scores) for each in found)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            detector = make_detector(Detector, random_state=0).fit(X)
            shipped = pickle.loads(pickle.dumps(detector))
            assert np.array_equal(detector.score_samples(X), scores)
            assert np.array_equal(detector.anomaly_map(X), maps)
            assert torch.is_grad_enabled() is False
        # What was made within a mode works without it, too.
        assert np.array_equal(shipped.anomaly_map(X), maps)
        detector.set_params(warm_start=True).fit(X)


@pytest.mark.parametrize("y", [None, [1] * 100, [0, 1] * 50, ["a", "b"] * 50])
def test_labels_are_not_used(y):
    X = make_samples()
    detector = make_detector(MemAE, random_state=0).fit(X, y)
    assert np.array_equal(detector.score_samples(X), fitted(MemAE).score_samples(X))


def test_labelled_outliers_are_warned_of():
    """They are trained on, as labels are not used."""
    X, y = make_samples(), np.repeat([1, -1], [90, 10])
    with pytest.warns(UserWarning, match="y marks 10 of 100 samples as outliers"):
        detector = make_detector(MemAE, random_state=0).fit(X, y)
    assert np.array_equal(detector.score_samples(X), fitted(MemAE).score_samples(X))


# -- parameters ------------------------------------------------------------------------


@each_detector
def test_every_field_is_a_parameter_with_a_constraint(Detector):
    signature = inspect.signature(Detector.__init__).parameters
    fields = {field.name for field in dataclasses.fields(Detector)}
    assert fields == set(signature) - {"self"}
    assert fields == set(Detector._parameter_constraints)
    assert fields == set(Detector().get_params())
    assert all(p.kind is p.KEYWORD_ONLY for n, p in signature.items() if n != "self")
    assert own_fields(Detector) <= fields
    assert "{shared" not in Detector.__doc__


@each_detector
def test_modules_have_no_defaults_of_their_own(Detector):
    signature = inspect.signature(Detector.module_class).parameters
    assert not [n for n, p in signature.items() if p.default is not p.empty]


@each_detector
def test_parameters_are_not_changed_by_fit(Detector):
    callbacks = []
    parameters = {
        "hidden_sizes": [8, 4],
        "net_params": {"callbacks": callbacks, "optimizer__betas": (0.8, 0.9)},
    }
    detector = make_detector(Detector, **copy.deepcopy(parameters), early_stopping=True)
    detector.fit(make_samples())
    for name, value in parameters.items():
        assert getattr(detector, name) == value
    assert detector.net_.optimizer_.param_groups[0]["betas"] == (0.8, 0.9)


@each_detector
def test_fitted_detector_keeps_its_network_when_parameters_are_set(Detector):
    X = make_samples()
    detector = make_detector(Detector, hidden_sizes=(8,), random_state=0).fit(X)
    scores = detector.score_samples(X)
    detector.set_params(hidden_sizes=(16, 4), activation="relu", device="abacus")
    assert np.array_equal(detector.score_samples(X), scores)
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(X), scores)
    assert shipped.hidden_sizes == (16, 4)


# -- stopping and going on -------------------------------------------------------------


@each_detector
def test_early_stopping_goes_back_to_the_best_weights_of_each_phase(Detector):
    stopped = []

    class Keep(Callback):
        def on_train_begin(self, net, **kwargs):
            self.kept = []

        def on_epoch_end(self, net, **kwargs):
            if not stopped or stopped[-1] is not self.kept:
                stopped.append(self.kept)
            self.kept.append((net.history[-1, "valid_loss"], _weights(net)))

        def on_train_end(self, net, **kwargs):
            losses = [loss for loss, _ in self.kept]
            best = losses.index(min(losses))
            for name, weights in _weights(net).items():
                assert torch.equal(weights, self.kept[best][1][name]), name
            self.kept.append(best)

    detector = make_detector(
        Detector,
        max_epochs=200,
        batch_size=8,
        learning_rate=0.03,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        net_params={"callbacks": [Keep]},
        random_state=0,
    ).fit(make_samples(n_samples=60))
    assert detector.n_iter_ < 200
    assert any(len(kept) == kept[-1] + 4 for kept in stopped)  # and the one that stops


@each_detector
def test_warm_start_continues(Detector):
    X = make_samples()
    detector = make_detector(Detector, warm_start=True, random_state=0).fit(X)
    first = [row["phase"] for row in detector.history_]
    detector.set_params(max_epochs=20, learning_rate=2e-3).fit(X)
    assert detector.n_iter_ == 25
    numbers = [row["epoch"] for row in detector.history_]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= len(first) + 20
    if not is_adversarial(Detector):
        losses = [r["train_loss"] for r in detector.history_ if r["phase"] == first[0]]
        assert losses[-1] < losses[0]
    shipped = pickle.loads(pickle.dumps(detector)).set_params(max_epochs=2).fit(X)
    assert shipped.n_iter_ == 27
    with pytest.raises(ValueError, match="continues with samples of shape"):
        detector.fit(X[:, :3])
    assert detector.n_features_in_ == X.shape[1]
    detector.set_params(warm_start=False, max_epochs=2).fit(X[:, :3])
    assert detector.n_iter_ == 2


@each_detector
def test_warm_start_begins_with_the_weights_it_had(Detector):
    X = make_samples()
    detector = make_detector(Detector, warm_start=True, random_state=0).fit(X)
    before = {n: p.clone() for n, p in detector.module_.named_parameters()}
    seen = []

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            seen.append(_weights(net))

    detector.set_params(net_params={"callbacks": [Watch]}).fit(X)
    assert seen[0].keys() == before.keys()
    for name, weights in seen[0].items():
        assert torch.equal(weights, before[name]), name


@each_detector
def test_warm_start_with_other_shapes_is_refused(Detector):
    X = make_samples()
    detector = make_detector(Detector, hidden_sizes=(8,), warm_start=True).fit(X)
    scores = detector.score_samples(X)
    for params in ({"hidden_sizes": (9,)}, {"hidden_sizes": (8, 4)}):
        with pytest.raises(ValueError, match="those of another network"):
            clone_fitted(detector).set_params(**params).fit(X)
    detector.set_params(hidden_sizes=(9,))
    with pytest.raises(ValueError, match="those of another network"):
        detector.fit(X)
    assert np.array_equal(detector.score_samples(X), scores)


def clone_fitted(detector):
    return pickle.loads(pickle.dumps(detector))


@each_detector
def test_warm_start_takes_parameters_as_they_are_by_then(Detector):
    """What changes no shape takes effect: it was ignored, and shown by get_params."""
    X = make_samples()
    detector = make_detector(Detector, warm_start=True, random_state=0).fit(X)
    other = clone_fitted(detector).set_params(activation="gelu").fit(X)
    assert not np.array_equal(other.score_samples(X), detector.fit(X).score_samples(X))
    assert any("GELU" in type(each).__name__ for each in other.module_.modules())


@each_detector
def test_warm_start_moves_to_the_device_that_is_asked_for(Detector):
    X = make_samples()
    detector = make_detector(Detector, warm_start=True, device="cpu").fit(X)
    scores = detector.score_samples(X)
    detector.set_params(device="cuda:99")
    with pytest.raises(ValueError, match="not available"):
        detector.fit(X)
    assert np.array_equal(detector.score_samples(X), scores)


@each_detector
def test_failed_warm_start_leaves_the_detector_as_it_was(Detector):
    X = make_samples()
    detector = make_detector(Detector, warm_start=True, random_state=0).fit(X)
    scores, history = detector.score_samples(X), copy.deepcopy(detector.history_)

    class Raise(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if len(net.history) == 2:
                raise ArithmeticError

    detector.set_params(net_params={"callbacks": [Raise]})
    with pytest.raises(ArithmeticError):
        detector.fit(X)
    assert np.array_equal(detector.score_samples(X), scores)
    assert detector.history_ == history
    detector.set_params(net_params=None).fit(X)
    assert detector.n_iter_ == 10


@pytest.mark.parametrize("Detector", [StudentTeacher, OGNet])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_held_out_samples_are_never_trained_on(Detector, early_stopping):
    """They were computed anew in each phase: 31 of 40 had been trained on."""
    trained, validated = set(), set()

    class Watch(Callback):
        def on_batch_begin(self, net, batch, training=None, **kwargs):
            seen = trained if training else validated
            seen.update(batch[0][:, 0].tolist())
            phases.add((net.phase_.name, training))

    phases: set = set()
    X = make_samples(n_samples=200)
    split = ValidSplit(0.2, random_state=None)  # another one in each call
    net_params = {"train_split": split, "callbacks": [Watch]}
    detector = make_detector(
        Detector, early_stopping=early_stopping, net_params=net_params, random_state=0
    )
    if Detector is StudentTeacher:
        detector.set_params(teacher="autoencoder")
    detector.fit(X)
    assert len({name for name, training in phases if training}) == 2
    assert len({name for name, training in phases if not training}) == 2
    assert len(trained) == 160
    assert len(validated) == 40
    assert not trained & validated


# -- shipping --------------------------------------------------------------------------


class _Strict(pickle.Unpickler):
    """Load nothing of torch or skorch."""

    def find_class(self, module, name):
        assert module.split(".")[0] in {"skanomaly", "numpy", "builtins", "collections"}
        return super().find_class(module, name)


@each_detector
@each_shape
def test_copies_score_the_same(Detector, kind, tmp_path):
    detector, X = fitted(Detector, kind), make_samples(kind, 20)
    scores, maps = detector.score_samples(X), detector.anomaly_map(X)
    joblib.dump(detector, tmp_path / "detector.joblib")
    copies = [
        _Strict(io.BytesIO(pickle.dumps(detector))).load(),
        copy.deepcopy(detector),
        copy.copy(detector),
        joblib.load(tmp_path / "detector.joblib"),
        joblib.load(tmp_path / "detector.joblib", mmap_mode="r"),
    ]
    for each in copies:
        assert each.offset_ == detector.offset_
        assert each.history_ == detector.history_
        assert each.input_shape_ == detector.input_shape_
        state = each.module_.state_dict()
        assert all(torch.equal(v, state[n]) for n, v in weights_of(detector).items())
    for each in (copies[0], copies[-1]):
        assert np.array_equal(each.score_samples(X), scores)
    assert np.array_equal(copies[0].anomaly_map(X), maps)
    copies[1].set_params(max_epochs=2).fit(X + 1)
    assert np.array_equal(detector.score_samples(X), scores)
    with pytest.raises(AttributeError):
        _ = clone(detector).offset_


@each_detector
def test_unpickled_module_is_in_evaluation_mode(Detector):
    X = make_samples()
    detector = fitted(Detector)
    scores, data = detector.score_samples(X), pickle.dumps(detector)
    assert not any(each.training for each in detector.module_.modules())
    shipped = pickle.loads(data)
    assert not any(each.training for each in shipped.module_.modules())
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(shipped.score_samples, [X] * 16))
    assert all(np.array_equal(each, scores) for each in found)


def test_spectral_norm_does_not_change_by_scoring():
    X = make_samples()
    detector = make_detector(ALAD, spectral_norm=True, score_method="features")
    detector.fit(X)
    before = weights_of(detector)
    shipped = pickle.loads(pickle.dumps(detector))
    scores = [each.score_samples(X) for each in (detector, shipped, shipped)]
    assert all(np.array_equal(each, scores[0]) for each in scores)
    assert all(torch.equal(v, before[n]) for n, v in weights_of(shipped).items())


@each_detector
def test_pickle_does_not_grow_with_the_data(Detector):
    few, many = (
        make_detector(Detector, max_epochs=2).fit(make_samples(n_samples=n))
        for n in (100, 3000)
    )
    size = len(pickle.dumps(few))
    assert abs(len(pickle.dumps(many)) - size) < 64
    n_weights = sum(each.numel() for each in few.module_.state_dict().values())
    assert size < 4 * n_weights + 8000


def test_subclass_of_a_notebook_travels():
    """A class that no module holds can be shipped to a worker and back."""

    class Local(MemAE):
        def _module_arguments(self, input_shape):
            return super()._module_arguments(input_shape)

    X = make_samples()
    detector = make_detector(Local, max_epochs=2, random_state=0).fit(X)
    with joblib.Parallel(n_jobs=2) as parallel:
        fitted_there = parallel(
            joblib.delayed(clone(detector).fit)(X) for _ in range(2)
        )
        scores = parallel(joblib.delayed(detector.score_samples)([x]) for x in X[:6])
    for each in fitted_there:
        assert np.array_equal(each.score_samples(X[:6]), np.ravel(scores))


@each_detector
def test_detector_of_a_missing_device_is_loaded_on_the_cpu(Detector):
    X = make_samples()
    state = fitted(Detector).__getstate__() | {"_device": "cuda:99"}
    loaded = Detector.__new__(Detector)
    with pytest.warns(UserWarning, match="loaded on the CPU"):
        loaded.__setstate__(state)
    assert np.array_equal(loaded.score_samples(X), fitted(Detector).score_samples(X))


# -- on a GPU --------------------------------------------------------------------------


@pytest.mark.gpu
@each_detector
@each_shape
def test_gpu_scores_like_the_cpu(Detector, kind):
    X = make_samples(kind)
    detector = make_detector(Detector, device="cuda", random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert np.array_equal(detector.score_samples(X[:7]), scores[:7])
    loaded = Detector.__new__(Detector)
    loaded.__setstate__(detector.__getstate__() | {"_device": "cpu"})
    np.testing.assert_allclose(loaded.score_samples(X), scores, rtol=1e-2)


def test_discovery_finds_the_detectors():
    names = {cls.__name__ for cls in all_detectors()}
    assert {"Autoencoder", "VAE", "GANomaly"} <= names
    subclasses = {
        cls.__name__
        for cls in _subclasses(BaseDetector)
        if cls.__module__.startswith("skanomaly.") and "._" not in cls.__module__
    }
    assert subclasses - {"Repeated", "Center"} == names


def _subclasses(cls):
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)
