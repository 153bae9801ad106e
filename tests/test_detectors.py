"""Our own checks, on every detector.

scikit-learn's suite passes with the sign unflipped and with random_state ignored; this
one does not.
"""

import copy
import dataclasses
import inspect
import io
import pickle
import random
import re
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import (
    NO_LATER_PHASES,
    QUICK,
    SAMPLE_SHAPES,
    each_detector,
    each_shape,
    epochs,
    is_adversarial,
    make_outliers,
    make_samples,
    own_fields,
)
from scipy import sparse
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skanomaly.base import BaseDetector

# Five epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:The generator has collapsed")

# -- does it detect? -------------------------------------------------------------------


@each_detector
@each_shape
def test_outliers_score_lower(Detector, kind):
    detector = Detector(max_epochs=epochs(Detector, 30), batch_size=32, random_state=0)
    detector.fit(make_samples(kind))
    inliers, outliers = make_samples(kind, seed=2), make_outliers(kind)
    scores = detector.score_samples(np.concatenate([inliers, outliers]))
    assert roc_auc_score([1] * len(inliers) + [0] * len(outliers), scores) > 0.9
    assert (detector.predict(outliers) == -1).mean() > 0.9


@each_detector
def test_training_lowers_the_loss_and_raises_the_scores(Detector):
    X = make_samples()
    settings = {"batch_size": 32, "random_state": 0}
    if "n_search_steps" in own_fields(Detector):
        settings["n_search_steps"] = 50  # a short search says more of the search
    little = Detector(max_epochs=1, **settings).fit(X)
    more = Detector(max_epochs=epochs(Detector, 40), **settings).fit(X)
    if is_adversarial(Detector):  # the units of its features are its own
        assert more.anomaly_map(X).mean() < little.anomaly_map(X).mean()
        return
    assert more.history_[-1]["train_loss"] < more.history_[0]["train_loss"]
    # Scores in units of held-out samples stay where they are: ask for what is in them.
    judged = "validation_loss" if Detector._always_holds_out else "score"
    before, after = (d.net_.evaluate(judged, X).mean() for d in (little, more))
    assert after < before


@each_detector
@each_shape
def test_each_player_moves_and_only_by_its_own_loss(Detector, kind):
    """After a loss's backward and step, other players are as they were."""
    seen = {}

    class Watch(Callback):
        def on_train_begin(self, net, **kwargs):
            self.before = _weights(net)
            seen.setdefault("first", self.before)  # training may have phases

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self._check(net)
            self.turn = {name for name, _ in named_parameters}
            assert all(p.grad is not None for _, p in named_parameters)

        def on_batch_end(self, net, **kwargs):
            self._check(net)
            self.turn = set()

        def _check(self, net):
            now = _weights(net)
            for name in now.keys() - getattr(self, "turn", set()):
                assert torch.equal(now[name], self.before[name]), name
            self.before = now

    detector = Detector(max_epochs=1, random_state=0, net_params={"callbacks": [Watch]})
    detector.fit(make_samples(kind))
    module = detector.net_.module_
    assert set(module.players) <= {name for name, _ in module.named_children()}
    for name, parameter in module.named_parameters():
        moved = not torch.equal(parameter, seen["first"][name])
        assert moved == parameter.requires_grad, name


def _weights(net):
    return {n: p.detach().clone() for n, p in net.module_.named_parameters()}


# -- seeds -----------------------------------------------------------------------------


@each_detector
def test_same_seed_same_scores(Detector):
    X = make_samples()
    first = Detector(**QUICK, random_state=7)
    scores = first.fit(X).score_samples(X)
    torch.manual_seed(123)
    np.random.seed(123)
    same = [
        Detector(**QUICK, random_state=7).fit(X),
        clone(first).fit(X),
        first.fit(X),
        Detector(**QUICK, random_state=1).set_params(random_state=7).fit(X),
        Detector(**QUICK, random_state=np.random.RandomState(7)).fit(X),
    ]
    for detector in same:
        assert np.array_equal(detector.score_samples(X), scores)
    other = Detector(**QUICK, random_state=8).fit(X)
    assert not np.allclose(other.score_samples(X), scores)
    first, second = (Detector(**QUICK).fit(X).score_samples(X) for _ in range(2))
    assert not np.allclose(first, second)


@each_detector
def test_global_random_states_are_untouched(Detector):
    X = make_samples()
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    detector = Detector(**QUICK, random_state=0).fit(X)
    detector.score_samples(X)
    pickle.loads(pickle.dumps(detector))
    assert random.getstate() == before[0]
    assert np.array_equal(np.random.get_state()[1], before[1][1])
    assert torch.equal(torch.get_rng_state(), before[2])


@each_detector
def test_fits_in_threads_do_not_disturb_each_other(Detector):
    X = make_samples()

    def scores(_):
        return Detector(**QUICK, random_state=0).fit(X).score_samples(X)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(scores, range(8)))
    assert all(np.array_equal(found[0], each) for each in found)


# -- scores ----------------------------------------------------------------------------


@each_detector
@each_shape
def test_score_does_not_depend_on_the_batch(Detector, kind):
    X = make_samples(kind, 300)
    detector = Detector(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert scores.dtype == np.float64
    assert np.array_equal(detector.score_samples(X), scores)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(detector.score_samples(X[order]), scores[order])
    for size in (1, 7, 299):
        assert np.array_equal(detector.score_samples(X[:size]), scores[:size])
    large = np.concatenate([X] * 8)
    assert np.array_equal(detector.score_samples(large), np.tile(scores, 8))


@each_detector
@each_shape
def test_dtypes_and_orders_agree(Detector, kind):
    X = make_samples(kind)
    detector = Detector(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)
    for same in (X.astype(np.float64), np.asfortranarray(X), X.tolist()):
        refitted = Detector(**QUICK, random_state=0).fit(same)
        assert np.array_equal(refitted.score_samples(same), scores)
    assert detector.score_samples(np.round(X).astype(int)).shape == (len(X),)


@each_detector
def test_threshold_and_signs_agree(Detector):
    X = make_samples()
    detector = Detector(**QUICK, contamination=0.2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    shifted = detector.decision_function(X)
    assert np.array_equal(shifted, scores - detector.offset_)
    assert np.array_equal(detector.predict(X) == -1, shifted < 0)
    assert (detector.predict(X) == -1).mean() == 0.2
    labels = clone(detector).fit_predict(X)
    assert np.array_equal(labels, detector.predict(X))
    strict = Detector(**QUICK, contamination=0.01, random_state=0).fit(X)
    assert np.array_equal(strict.score_samples(X), scores)


@each_detector
@each_shape
def test_anomaly_map_has_the_shape_of_the_input(Detector, kind):
    X = make_samples(kind)
    detector = Detector(**QUICK, random_state=0).fit(X)
    maps = detector.anomaly_map(X)
    assert maps.shape == X.shape
    assert maps.dtype == np.float64
    assert np.isfinite(maps).all()


@each_detector
@each_shape
def test_anomaly_map_shows_what_was_spoilt(Detector, kind):
    X = make_samples(kind)
    n_epochs = epochs(Detector, 50)
    detector = Detector(max_epochs=n_epochs, batch_size=16, random_state=0).fit(X)
    spoilt = make_samples(kind, seed=3)
    where = (0,) * (X.ndim - 2) + (3,)
    spoilt[(slice(None), *where)] += 10
    maps = detector.anomaly_map(spoilt).reshape(len(X), -1)
    expected = np.ravel_multi_index(where, X.shape[1:])
    assert (maps.argmax(axis=1) == expected).mean() > 0.9


@each_detector
def test_scores_of_extreme_samples_are_finite_and_low(Detector):
    X = make_samples()
    detector = Detector(**QUICK, random_state=0).fit(X)
    largest = np.finfo(np.float32).max
    extreme = np.full((1, X.shape[1]), largest, dtype=np.float32)
    assert np.isfinite(detector.score_samples(extreme)).all()
    assert detector.predict(extreme) == -1


# -- what comes in ---------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:memory_size=100 is far above")
@each_detector
@pytest.mark.parametrize("n_samples", [2, 3, 17, 33])
def test_few_samples_and_odd_batches(Detector, n_samples):
    X = make_samples(n_samples=n_samples)
    detector = Detector(max_epochs=2, batch_size=16, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    if n_samples == 17:  # the last batch holds one sample, and it is trained on
        X[-1] += 1
        other = Detector(max_epochs=2, batch_size=16, random_state=0).fit(X)
        assert not np.array_equal(
            other.score_samples(X[:5]), detector.score_samples(X[:5])
        )


@each_detector
def test_sparse_rows_score_as_dense_ones(Detector):
    X = make_samples()
    X[np.abs(X) < 0.5] = 0
    dense = Detector(**QUICK, random_state=0).fit(X)
    rows = Detector(**QUICK, random_state=0).fit(sparse.csr_matrix(X))
    scores = dense.score_samples(X)
    assert np.array_equal(rows.score_samples(sparse.csr_array(X)), scores)
    assert np.array_equal(rows.score_samples(sparse.coo_matrix(X)), scores)
    assert np.array_equal(rows.anomaly_map(sparse.csr_array(X)), dense.anomaly_map(X))
    assert dense.__sklearn_tags__().input_tags.sparse


@each_detector
@pytest.mark.parametrize("kind", ["images", "clips"])
def test_flat_rows_are_reshaped_to_samples(Detector, kind):
    X = make_samples(kind)
    flat = X.reshape(len(X), -1)
    shaped = Detector(**QUICK, random_state=0).fit(X)
    detector = Detector(**QUICK, sample_shape=SAMPLE_SHAPES[kind], random_state=0)
    detector.fit(flat)
    scores = shaped.score_samples(X)
    assert np.array_equal(detector.score_samples(flat), scores)
    assert np.array_equal(detector.score_samples(X), scores)
    assert np.array_equal(shaped.score_samples(flat), scores)
    assert detector.anomaly_map(flat).shape == flat.shape
    assert detector.n_features_in_ == flat.shape[1]
    assert detector.input_shape_ == SAMPLE_SHAPES[kind]
    pipeline = make_pipeline(StandardScaler(), clone(detector)).fit(flat)
    assert pipeline.score_samples(flat).shape == (len(X),)
    assert not detector.__sklearn_tags__().input_tags.sparse


@each_detector
def test_frames(Detector):
    X = make_samples()
    names = list("abcdef")
    detector = Detector(**QUICK, random_state=0)
    scores = clone(detector).fit(X).score_samples(X)
    for frame in (pd.DataFrame(X, columns=names), pl.DataFrame(X, schema=names)):
        fitted = clone(detector).fit(frame)
        assert list(fitted.feature_names_in_) == names
        assert np.array_equal(fitted.score_samples(frame), scores)
        assert fitted.anomaly_map(frame).shape == X.shape
        with pytest.raises(ValueError, match="feature names should match"):
            fitted.score_samples(frame[names[::-1]])


@each_detector
def test_constant_features(Detector):
    X = make_samples()
    X[:, 2] = 5
    n_epochs = epochs(Detector, 60)
    detector = Detector(max_epochs=n_epochs, batch_size=16, random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(X)).all()
    changed = X.copy()
    changed[:, 2] = 9
    assert detector.score_samples(changed).mean() < detector.score_samples(X).mean()


@pytest.mark.filterwarnings("ignore:The memory is dead")  # of MemAE: with good reason
@each_detector
def test_constant_data(Detector):
    X = np.zeros((20, 3))
    assert (Detector(**QUICK, random_state=0).fit(X).predict(X) == 1).all()


@each_detector
@each_shape
def test_input_is_neither_changed_nor_copied_for_writing(Detector, kind):
    X = make_samples(kind)
    X.flags.writeable = False
    detector = Detector(**QUICK, random_state=0).fit(X)
    writeable = X.copy()
    same = Detector(**QUICK, random_state=0).fit(writeable)
    assert np.array_equal(writeable, X)
    assert np.array_equal(detector.score_samples(X), same.score_samples(writeable))


@each_detector
def test_memory_map_is_trained_on(Detector, tmp_path):
    X = make_samples()
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    detector = Detector(**QUICK, random_state=0).fit(mapped)
    same = Detector(**QUICK, random_state=0).fit(X)
    assert np.array_equal(detector.score_samples(mapped), same.score_samples(X))


# -- bad input -------------------------------------------------------------------------


def _fitted(detector):
    """Name what a fit has left on a detector."""
    names = vars(detector).keys() - detector.get_params()
    return [name for name in names if name.endswith("_")]


def _with(value):
    X = make_samples().astype(type(value) if isinstance(value, complex) else float)
    X[3, 2] = value
    return X


BAD_DATA = {
    "NaN": (_with(np.nan), ValueError, "NaN"),
    "infinity": (_with(np.inf), ValueError, "infinity"),
    "too large for float32": (_with(1e300), ValueError, "too large"),
    "complex": (_with(1j), ValueError, "Complex data not supported"),
    "strings": (np.array([["a", "b"]] * 9), ValueError, "could not convert"),
    "one dimension": (np.ones(9), ValueError, "Reshape your data"),
    "one row": (np.ones((1, 4)), ValueError, "minimum of 2"),
    "no rows": (np.ones((0, 4)), ValueError, "minimum of 2"),
    "no columns": (np.ones((9, 0)), ValueError, "0 feature"),
    "images without channels": (np.ones((9, 8, 8)), ValueError, "np.newaxis"),
    "six dimensions": (np.ones((9, 1, 2, 2, 2, 2)), ValueError, "takes rows"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # numpy's own
@each_detector
@pytest.mark.parametrize(("X", "error", "message"), BAD_DATA.values(), ids=BAD_DATA)
def test_bad_data(Detector, X, error, message):
    detector = Detector(**QUICK)
    with pytest.raises(error, match=message):
        detector.fit(X)
    assert not _fitted(detector)


BAD_PARAMETERS = {
    "contamination of none": ({"contamination": 0.0}, "contamination"),
    "contamination of most": ({"contamination": 0.6}, "contamination"),
    "hidden size of zero": ({"hidden_sizes": (8, 0)}, "hidden_sizes"),
    "negative hidden size": ({"hidden_sizes": (-8,)}, "hidden_sizes"),
    "broken hidden size": ({"hidden_sizes": (8.5,)}, "hidden_sizes"),
    "no code": ({"latent_size": 0}, "latent_size"),
    "unknown activation": ({"activation": "step"}, "activation"),
    "no epochs": ({"max_epochs": 0}, "max_epochs"),
    "epochs in words": ({"max_epochs": "many"}, "max_epochs"),
    "no batch": ({"batch_size": 0}, "batch_size"),
    "no step": ({"learning_rate": 0.0}, "learning_rate"),
    "all held out": ({"validation_fraction": 1.0}, "validation_fraction"),
    "unknown device": ({"device": "abacus"}, "device='abacus' is not available"),
    "device not there": ({"device": "cuda:99"}, "device='cuda:99' is not available"),
    "sample shape": ({"sample_shape": (1, 2, 2)}, "needs 4"),
    "flat sample shape": ({"sample_shape": (6,)}, "sample_shape"),
    "sample shape of zero": ({"sample_shape": (0, 2, 2)}, "sample_shape"),
    "unknown setting": ({"net_params": {"epochs": 3}}, "epochs"),
}


@each_detector
@pytest.mark.parametrize(
    ("parameters", "message"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS
)
def test_bad_parameters(Detector, parameters, message):
    detector = Detector(**QUICK).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())
    assert not _fitted(detector)


@each_detector
def test_bad_callbacks(Detector):
    detector = Detector(**QUICK, net_params={"callbacks": "disable"})
    with pytest.raises(TypeError, match="must be a list of skorch callbacks"):
        detector.fit(make_samples())


@each_detector
@each_shape
def test_samples_unlike_those_fitted(Detector, kind):
    detector = Detector(**QUICK).fit(make_samples(kind))
    wide = np.ones((3, detector.n_features_in_ + 1))
    with pytest.raises(ValueError, match=f"expecting {detector.n_features_in_}"):
        detector.predict(wide)
    for other in {*SAMPLE_SHAPES} - {kind, "rows"}:
        with pytest.raises(ValueError, match="fitted with samples of shape"):
            detector.predict(make_samples(other))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            detector.predict(np.full_like(make_samples(kind), bad))


@each_detector
def test_sparse_images_are_refused_with_a_way_out(Detector):
    X = make_samples("images")
    flat = sparse.csr_matrix(X.reshape(len(X), -1))
    with pytest.raises(TypeError, match="sparse_threshold=0"):
        Detector(**QUICK, sample_shape=SAMPLE_SHAPES["images"]).fit(flat)
    with pytest.raises(TypeError, match="sparse_threshold=0"):
        Detector(**QUICK).fit(X).score_samples(flat)


@each_detector
def test_diverging_training_raises_with_advice(Detector):
    X = make_samples()
    detector = Detector(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)
    detector.set_params(
        learning_rate=1e30, net_params={"optimizer": torch.optim.SGD}, max_epochs=20
    )
    with pytest.raises(ValueError, match=r"Scale the features.*or lower learning_rate"):
        detector.fit(X)
    assert np.array_equal(detector.score_samples(X), scores)


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
def test_parameters_are_not_changed_by_fit(Detector):
    callbacks = []
    parameters = {
        "hidden_sizes": [8, 4],
        "net_params": {"callbacks": callbacks, "optimizer__betas": (0.8, 0.9)},
    }
    detector = Detector(**QUICK, **copy.deepcopy(parameters), early_stopping=True)
    detector.fit(make_samples())
    for name, value in parameters.items():
        assert getattr(detector, name) == value
    assert detector.net_.optimizer_.param_groups[0]["betas"] == (0.8, 0.9)


@each_detector
def test_fitted_detector_keeps_its_network_when_parameters_are_set(Detector):
    X = make_samples()
    detector = Detector(**QUICK, hidden_sizes=(8,), random_state=0).fit(X)
    scores = detector.score_samples(X)
    detector.set_params(hidden_sizes=(16, 4), activation="relu", device="abacus")
    assert np.array_equal(detector.score_samples(X), scores)
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(X), scores)
    assert shipped.hidden_sizes == (16, 4)


# -- silence, progress, history --------------------------------------------------------


@each_detector
def test_silent_by_default(Detector, capfd):
    X = make_samples()
    detector = Detector(**QUICK, early_stopping=True, random_state=0)
    pickle.loads(pickle.dumps(detector.fit(X))).predict(X)
    assert capfd.readouterr() == ("", "")


@each_detector
def test_progress_is_shown_when_asked_for(Detector, capfd):
    X = make_samples()
    Detector(**QUICK, verbose=1, random_state=0).fit(X)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert Detector.__name__ in shown.err
    assert re.search(r"(\d)/\1 ", shown.err)
    assert "train=" in shown.err
    Detector(**QUICK, verbose=2, early_stopping=True, random_state=0).fit(X)
    assert "valid_loss" in capfd.readouterr().out


@each_detector
def test_history_is_a_table(Detector):
    detector = Detector(**QUICK, early_stopping=True, random_state=0)
    detector.fit(make_samples())
    table = pd.DataFrame(detector.history_)
    assert table["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert {"train_loss", "valid_loss", "dur"} <= set(table)
    assert np.isfinite([v for row in detector.history_ for v in row.values()]).all()
    assert len(table) == detector.n_iter_


# -- stopping and going on -------------------------------------------------------------


@each_detector
def test_early_stopping_goes_back_to_the_best_weights(Detector):
    X = make_samples(n_samples=60)
    kept = {}

    class Keep(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            kept[net.history[-1, "epoch"] - 1] = _weights(net)

    detector = Detector(
        max_epochs=300,
        batch_size=8,
        learning_rate=0.03,
        early_stopping=True,
        validation_fraction=0.2,
        n_iter_no_change=3,
        net_params={"callbacks": [Keep]},
        random_state=0,
        **NO_LATER_PHASES.get(Detector.__name__, {}),
    ).fit(X)
    losses = [row["valid_loss"] for row in detector.history_]
    best = detector.n_iter_ - 4
    assert 0 <= best < 296
    assert losses[best] == min(losses[best:])
    for name, weights in _weights(detector.net_).items():
        assert torch.equal(weights, kept[best][name])


@each_detector
def test_warm_start_goes_on(Detector):
    X = make_samples()
    detector = Detector(**QUICK, warm_start=True, random_state=0).fit(X)
    first = detector.history_[-1]["train_loss"]
    detector.set_params(max_epochs=20, learning_rate=2e-3).fit(X)
    assert detector.n_iter_ == 25
    assert [row["epoch"] for row in detector.history_] == list(range(1, 26))
    if not is_adversarial(Detector):
        assert detector.history_[5]["train_loss"] < detector.history_[0]["train_loss"]
        assert detector.history_[-1]["train_loss"] < first
    assert detector.net_.optimizer_.param_groups[0]["lr"] == 2e-3
    shipped = pickle.loads(pickle.dumps(detector)).set_params(max_epochs=1).fit(X)
    assert shipped.n_iter_ == 26
    with pytest.raises(ValueError, match="goes on with samples of shape"):
        detector.fit(X[:, :3])
    assert detector.n_features_in_ == X.shape[1]
    detector.set_params(warm_start=False, max_epochs=1).fit(X[:, :3])
    assert detector.n_iter_ == 1


@each_detector
def test_failed_warm_start_leaves_the_detector_as_it_was(Detector):
    X = make_samples()
    detector = Detector(**QUICK, warm_start=True, random_state=0).fit(X)
    scores, history = detector.score_samples(X), detector.history_
    detector.set_params(net_params={"callbacks": [_raiser(ArithmeticError, epoch=7)]})
    with pytest.raises(ArithmeticError):
        detector.fit(X)
    assert np.array_equal(detector.score_samples(X), scores)
    assert detector.history_ == history
    detector.set_params(net_params=None).fit(X)
    assert detector.n_iter_ == 10


def _raiser(error, epoch):
    """Make a callback that raises in the middle of an epoch."""

    class Raise(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.history[-1, "epoch"] == epoch:
                raise error

    return Raise


@each_detector
@pytest.mark.parametrize("early_stopping", [False, True])
def test_interrupted_fit_keeps_the_model_so_far(Detector, early_stopping, monkeypatch):
    X = make_samples()
    detector = Detector(**QUICK, early_stopping=early_stopping, random_state=0)
    _interrupt_at(monkeypatch, Detector, batch=15)
    with pytest.warns(UserWarning, match=r"interrupted after \d of 5 epochs"):
        detector.fit(X)
    assert 1 <= detector.n_iter_ < 5
    assert (detector.predict(X) == -1).mean() == pytest.approx(0.1)
    assert detector.history_[-1]["train_loss"] > 0


@each_detector
def test_fit_interrupted_at_once_leaves_the_detector_as_it_was(Detector, monkeypatch):
    X = make_samples()
    fresh, fitted = Detector(**QUICK), Detector(**QUICK, random_state=0).fit(X)
    scores = fitted.score_samples(X)
    _interrupt_at(monkeypatch, Detector, batch=2)
    with pytest.raises(KeyboardInterrupt):
        fresh.fit(X)
    assert not _fitted(fresh)
    with pytest.raises(KeyboardInterrupt):
        fitted.fit(X + 1)
    assert np.array_equal(fitted.score_samples(X), scores)


def _interrupt_at(monkeypatch, Detector, batch):
    """Press Ctrl-C while the given batch's loss is computed."""
    module_of = Detector._make_module

    def make_module(self, input_shape):
        module = module_of(self, input_shape)
        losses_of, calls = module.losses, []

        def losses(x):
            calls.append(x)
            if len(calls) == batch:
                raise KeyboardInterrupt
            return losses_of(x)

        module.losses = losses
        return module

    monkeypatch.setattr(Detector, "_make_module", make_module)


# -- shipping --------------------------------------------------------------------------


class _Strict(pickle.Unpickler):
    """Load nothing of torch or skorch."""

    def find_class(self, module, name):
        assert module.split(".")[0] in {"skanomaly", "numpy", "builtins", "collections"}
        return super().find_class(module, name)


@each_detector
@each_shape
def test_copies_score_the_same(Detector, kind, tmp_path):
    X = make_samples(kind)
    detector = Detector(**QUICK, random_state=0).fit(X)
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
        assert np.array_equal(each.score_samples(X), scores)
        assert np.array_equal(each.anomaly_map(X), maps)
        assert each.offset_ == detector.offset_
        assert each.history_ == detector.history_
    copies[1].set_params(max_epochs=1).fit(X + 1)
    assert np.array_equal(detector.score_samples(X), scores)
    with pytest.raises(AttributeError):
        _ = clone(detector).offset_


@each_detector
def test_pickle_does_not_grow_with_the_data(Detector):
    sizes = [
        len(pickle.dumps(Detector(**QUICK).fit(make_samples(n_samples=n))))
        for n in (100, 3000)
    ]
    assert abs(sizes[1] - sizes[0]) < 64
    module = Detector(**QUICK).fit(make_samples()).net_.module_
    n_weights = sum(weights.numel() for weights in module.state_dict().values())
    assert sizes[0] < 4 * n_weights + 8000


@each_detector
def test_subclass_of_a_notebook_travels(Detector):
    """A class that no module holds can be shipped to a worker and back."""

    class Local(Detector):
        def _make_module(self, input_shape):
            return super()._make_module(input_shape)

    X = make_samples()
    detector = Local(**QUICK, random_state=0).fit(X)
    fitted_there = joblib.Parallel(n_jobs=2)(
        joblib.delayed(clone(detector).fit)(X) for _ in range(2)
    )
    scores = joblib.Parallel(n_jobs=2)(
        joblib.delayed(detector.score_samples)([x]) for x in X
    )
    for each in fitted_there:
        assert np.array_equal(each.score_samples(X), np.ravel(scores))


@each_detector
def test_detector_of_a_missing_device_is_loaded_on_the_cpu(Detector):
    X = make_samples()
    detector = Detector(**QUICK, random_state=0).fit(X)
    scores = detector.score_samples(X)
    state = detector.__getstate__()
    state["_module_parameters"] = {**state["_module_parameters"], "device": "cuda:99"}
    loaded = Detector.__new__(Detector)
    with pytest.warns(UserWarning, match="loaded on the CPU"):
        loaded.__setstate__(state)
    assert np.array_equal(loaded.score_samples(X), scores)


# -- on a GPU --------------------------------------------------------------------------


@pytest.mark.gpu
@each_detector
@each_shape
def test_gpu_scores_like_the_cpu(Detector, kind):
    X = make_samples(kind)
    detector = Detector(**QUICK, device="cuda", random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert np.array_equal(detector.score_samples(X[:7]), scores[:7])
    state = detector.__getstate__()
    state["_module_parameters"] = {**state["_module_parameters"], "device": "cpu"}
    loaded = Detector.__new__(Detector)
    loaded.__setstate__(state)
    np.testing.assert_allclose(loaded.score_samples(X), scores, rtol=1e-2)


def test_discovery_finds_the_detectors():
    from helpers import all_detectors

    names = {cls.__name__ for cls in all_detectors()}
    assert {"Autoencoder", "VAE", "GANomaly"} <= names
    subclasses = {
        cls.__name__
        for cls in _subclasses(BaseDetector)
        if cls.__module__.startswith("skanomaly.") and "._" not in cls.__module__
    }
    assert subclasses == names


def _subclasses(cls):
    for each in cls.__subclasses__():
        yield each
        yield from _subclasses(each)
