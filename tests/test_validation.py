"""What may enter a detector, and what is said of what may not."""

import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from helpers import (
    SAMPLE_SHAPES,
    each_detector,
    each_shape,
    make_detector,
    make_samples,
)
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skanomaly import Autoencoder, FAnoGAN, GANomaly, MemAE, OGNet, StudentTeacher
from skanomaly.base import BaseDetector, parameters
from skanomaly.nn import DetectorModule, Phase

# Five epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")


def fitted_names(detector):
    """Name what a fit has left on a detector."""
    names = vars(detector).keys() - detector.get_params()
    return [name for name in names if name.endswith("_")]


# -- samples ---------------------------------------------------------------------------


def _with(value):
    X = make_samples().astype(type(value) if isinstance(value, complex) else float)
    X[3, 2] = value
    return X


def _masked(mask):
    return np.ma.masked_array(make_samples(), mask=mask)


DATES = np.arange("2020-01-01", "2020-01-10", dtype="datetime64[D]")
BAD_DATA = {
    "NaN": (_with(np.nan), ValueError, "NaN"),
    "infinity": (_with(np.inf), ValueError, "infinity"),
    "too large for float32": (_with(1e300), ValueError, "too large"),
    "complex": (_with(1j), ValueError, "Complex data not supported"),
    "strings": (np.array([["a", "b"]] * 9), ValueError, "make_tabular_pipeline"),
    "one dimension": (np.ones(9), ValueError, "Reshape your data"),
    "one row": (np.ones((1, 4)), ValueError, "minimum of 2"),
    "no rows": (np.ones((0, 4)), ValueError, "minimum of 2"),
    "no columns": (np.ones((9, 0)), ValueError, "0 feature"),
    "images without channels": (np.ones((9, 8, 8)), ValueError, "np.newaxis"),
    "images of no channels": (np.ones((9, 0, 8, 8)), ValueError, "without values"),
    "images of no height": (np.ones((9, 1, 0, 8)), ValueError, "without values"),
    "six dimensions": (np.ones((9, 1, 2, 2, 2, 2)), ValueError, "takes rows"),
    "dates": (DATES[:, np.newaxis], TypeError, "dates or durations"),
    "durations": ((DATES - DATES[0])[:, np.newaxis], TypeError, "dates or durations"),
    "dates in a frame": (
        pd.DataFrame({"a": np.ones(9), "day": DATES}),
        TypeError,
        r"\['day'\]",
    ),
    "durations in a frame": (
        pd.DataFrame({"a": np.ones(9), "age": DATES - DATES[0]}),
        TypeError,
        r"\['age'\]",
    ),
    "dates in a frame of polars": (
        pl.DataFrame({"a": np.ones(9), "day": DATES}),
        TypeError,
        r"\['day'\]",
    ),
    "lazy frame": (
        pl.DataFrame({"a": np.ones(9), "b": np.ones(9)}).lazy(),
        TypeError,
        r"X\.collect\(\)",
    ),
    "masked values": (_masked(make_samples() > 1), ValueError, r"X\.filled"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")  # numpy's own
@pytest.mark.parametrize(("X", "error", "message"), BAD_DATA.values(), ids=BAD_DATA)
@pytest.mark.parametrize("Detector", [Autoencoder, StudentTeacher])
def test_bad_data(Detector, X, error, message):
    detector = make_detector(Detector)
    with pytest.raises(error, match=message):
        detector.fit(X)
    assert not fitted_names(detector)


@pytest.mark.parametrize(
    "name", ["dates", "durations", "masked values", "lazy frame", "strings", "NaN"]
)
def test_bad_data_is_not_scored(name):
    X, error, message = BAD_DATA[name]
    if hasattr(X, "shape") and X.shape[1] != 6:
        X = np.repeat(X[:, :1], 6, axis=1)
    detector = make_detector(Autoencoder).fit(make_samples())
    with pytest.raises(error, match=message):
        detector.score_samples(X)


def test_masked_array_without_masked_values_is_an_array():
    X = make_samples()
    detector = make_detector(Autoencoder, random_state=0).fit(_masked(False))
    same = make_detector(Autoencoder, random_state=0).fit(X)
    assert np.array_equal(detector.score_samples(X), same.score_samples(X))


@each_detector
@each_shape
def test_samples_unlike_those_fitted(Detector, kind):
    detector = make_detector(Detector, max_epochs=2).fit(make_samples(kind, 20))
    wide = np.ones((3, detector.n_features_in_ + 1))
    with pytest.raises(ValueError, match=f"expecting {detector.n_features_in_}"):
        detector.predict(wide)
    for other in {*SAMPLE_SHAPES} - {kind, "rows"}:
        with pytest.raises(ValueError, match="fitted with samples of shape"):
            detector.predict(make_samples(other))
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"NaN|infinity"):
            detector.predict(np.full_like(make_samples(kind), bad))
    with pytest.raises(NotFittedError):
        make_detector(Detector).anomaly_map(make_samples(kind))


def test_sparse_images_are_refused_with_a_way_out():
    X = make_samples("images")
    flat = sparse.csr_matrix(X.reshape(len(X), -1))
    shape = SAMPLE_SHAPES["images"]
    with pytest.raises(TypeError, match="sparse_threshold=0"):
        make_detector(Autoencoder, sample_shape=shape).fit(flat)
    with pytest.raises(TypeError, match="sparse_threshold=0"):
        make_detector(Autoencoder).fit(X).score_samples(flat)


@pytest.mark.parametrize("make", [sparse.csr_array, sparse.csr_matrix])
def test_bad_values_in_sparse_rows(make):
    X = make_samples()
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        make_detector(Autoencoder).fit(make(X))


# -- units -----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@each_detector
def test_units_far_from_one_are_warned_of(Detector):
    for scale in (1e-8, 200.0):
        detector = make_detector(Detector, max_epochs=2, learning_rate=1e-5)
        with pytest.warns(UserWarning, match="StandardScaler"):
            detector.fit(scale * make_samples())
    make_detector(Detector, max_epochs=2).fit(10 * make_samples())


def test_images_of_bytes_are_warned_of():
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(40, 1, 8, 8)).astype(np.uint8)
    detector = make_detector(Autoencoder, max_epochs=2, random_state=0)
    with pytest.warns(UserWarning, match="by 255"):
        detector.fit(X)
    detector.fit(X / 255)


def test_sparse_units_are_those_of_all_values():
    X = sparse.csr_array(np.eye(40) * 1e3)
    with pytest.warns(UserWarning, match="StandardScaler"):
        make_detector(Autoencoder, max_epochs=2).fit(
            sparse.csr_array(np.ones((9, 9))) * 1e3
        )
    make_detector(Autoencoder, max_epochs=2).fit(X)  # nine of ten values are zero


def test_channels_that_come_last_are_warned_of():
    X = make_samples((8, 7, 3), 20)
    detector = make_detector(Autoencoder, max_epochs=2)
    with pytest.warns(UserWarning, match=r"np\.moveaxis"):
        detector.fit(X)
    detector.fit(np.moveaxis(X, -1, 1))


def test_constant_zeros_are_of_no_unit():
    make_detector(Autoencoder, max_epochs=2).fit(np.zeros((20, 3)))


# -- parameters ------------------------------------------------------------------------

BAD_PARAMETERS = {
    "contamination of none": ({"contamination": 0.0}, "contamination"),
    "contamination of most": ({"contamination": 0.6}, "contamination"),
    "hidden size of zero": ({"hidden_sizes": (8, 0)}, "hidden_sizes"),
    "negative hidden size": ({"hidden_sizes": (-8,)}, "hidden_sizes"),
    "broken hidden size": ({"hidden_sizes": (8.5,)}, "hidden_sizes"),
    "no hidden size": ({"hidden_sizes": ()}, "hidden_sizes must hold"),
    "hidden size of a switch": ({"hidden_sizes": (True,)}, "hidden_sizes"),
    "no code": ({"latent_size": 0}, "latent_size"),
    "code of a switch": ({"latent_size": True}, "latent_size must not be a bool"),
    "epochs of a switch": ({"max_epochs": True}, "max_epochs must not be a bool"),
    "unknown activation": ({"activation": "step"}, "activation"),
    "no epochs": ({"max_epochs": 0}, "max_epochs"),
    "epochs in words": ({"max_epochs": "many"}, "max_epochs"),
    "no batch": ({"batch_size": 0}, "batch_size"),
    "no step": ({"learning_rate": 0.0}, "learning_rate"),
    "step far too large": ({"learning_rate": 1e10}, "learning_rate"),
    "all held out": ({"validation_fraction": 1.0}, "validation_fraction"),
    "unknown device": ({"device": "abacus"}, "device='abacus' is not available"),
    "device not there": ({"device": "cuda:99"}, "device='cuda:99' is not available"),
    "sample shape": ({"sample_shape": (1, 2, 2)}, "needs 4"),
    "flat sample shape": ({"sample_shape": (6,)}, "sample_shape"),
    "sample shape of zero": ({"sample_shape": (0, 2, 2)}, "sample_shape"),
}


@each_detector
@pytest.mark.parametrize(
    ("params", "message"), BAD_PARAMETERS.values(), ids=BAD_PARAMETERS
)
def test_bad_parameters(Detector, params, message):
    detector = make_detector(Detector).set_params(**params)
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples())
    assert not fitted_names(detector)


@pytest.mark.parametrize(
    ("detector", "message"),
    [
        (FAnoGAN(max_epochs=1), "max_epochs must be at least 2"),
        (MemAE(memory_size=5, shrinkage=5), "memory_size=5"),
        (StudentTeacher(n_students=1), "n_students"),
        (StudentTeacher(patch_sizes=(0,)), "patch_sizes"),
        (OGNet(discriminator_learning_rate=1e10), "discriminator_learning_rate"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_bad_parameters_of_one_detector(detector, message):
    with pytest.raises(ValueError, match=message):
        detector.fit(make_samples("images"))
    assert not fitted_names(detector)


BAD_NET_PARAMS = {
    "learning rate": ({"lr": 0.1}, ValueError, "Set learning_rate"),
    "optimizer's rate": ({"optimizer__lr": 0.1}, ValueError, "Set learning_rate"),
    "epochs": ({"max_epochs": 3}, ValueError, "Set max_epochs"),
    "batch size": ({"batch_size": 3}, ValueError, "Set batch_size"),
    "device": ({"device": "cpu"}, ValueError, "Set device"),
    "verbose": ({"verbose": 1}, ValueError, "Set verbose"),
    "a typo": ({"optimiser": torch.optim.SGD}, ValueError, "net_params.*optimiser"),
    "another typo": (
        {"optimizer_momentum": 0.9},
        ValueError,
        "net_params.*optimizer_momentum",
    ),
    "name of an optimizer": ({"optimizer": "adam"}, TypeError, "optimizer class"),
    "LBFGS": ({"optimizer": torch.optim.LBFGS}, TypeError, "optimizer class"),
    "no list": ({"callbacks": "disable"}, TypeError, "must be a list of skorch"),
}


@pytest.mark.parametrize(
    ("net_params", "error", "message"), BAD_NET_PARAMS.values(), ids=BAD_NET_PARAMS
)
@pytest.mark.parametrize("Detector", [Autoencoder, GANomaly])
def test_bad_net_params(Detector, net_params, error, message):
    detector = make_detector(Detector, net_params=net_params)
    with pytest.raises(error, match=message):
        detector.fit(make_samples())
    assert not fitted_names(detector)


def test_split_that_holds_out_nothing():
    def keep_all(dataset, y=None):
        return dataset, None

    detector = make_detector(Autoencoder, net_params={"train_split": keep_all})
    with pytest.raises(ValueError, match="split the samples in two"):
        detector.fit(make_samples())
    students = make_detector(StudentTeacher, net_params={"train_split": None})
    with pytest.raises(ValueError, match="holds out none"):
        students.fit(make_samples())


# -- divergence ------------------------------------------------------------------------


@each_detector
def test_diverging_training_raises_with_advice(Detector):
    X = make_samples()
    detector = make_detector(Detector, max_epochs=2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    detector.set_params(
        learning_rate=1.0,
        max_epochs=50,
        net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.99},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(
            ValueError, match=r"Scale the features.*lower learning_rate"
        ):
            detector.fit(1e9 * X)
    assert np.array_equal(detector.score_samples(X), scores)


class SingularModule(DetectorModule):
    """What a GAN does that has diverged: torch refuses to factorize a matrix."""

    def __init__(self, input_shape, hidden_sizes, latent_size, activation):
        super().__init__(input_shape)
        self.weight = torch.nn.Parameter(torch.ones(input_shape))

    def losses(self, x):
        torch.linalg.cholesky(torch.full((2, 2), torch.nan))
        yield self.score(x).mean()

    def score(self, x):
        return (x * self.weight).sum(1)


@parameters
class Singular(BaseDetector):
    module_class = SingularModule


def test_matrices_that_are_not_finite_are_a_divergence():
    with pytest.raises(ValueError, match=r"Training diverged.*lower learning_rate"):
        Singular(max_epochs=2).fit(make_samples())


# -- warnings land on the line that called ---------------------------------------------


class BoundlessModule(SingularModule):
    def losses(self, x):
        yield self.score(x).square().mean()

    def phases(self, data):
        yield Phase(self.losses)
        from skanomaly.base import warn_user

        warn_user("It has not converged.", ConvergenceWarning)


class Boundless(Singular):
    module_class = BoundlessModule


def _warned_at(record, message):
    (found,) = [each for each in record if message in str(each.message)]
    return found.filename


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_warnings_land_on_the_line_of_the_caller(in_pipeline):
    def wrap(detector):
        if in_pipeline:
            return make_pipeline(FunctionTransformer(), detector)
        return detector

    X = make_samples()
    with pytest.warns(UserWarning, match="StandardScaler") as record:
        wrap(make_detector(Autoencoder, learning_rate=1e-5)).fit(1e3 * X)
    assert _warned_at(record, "StandardScaler") == __file__
    with pytest.warns(ConvergenceWarning, match="not converged") as record:
        wrap(make_detector(Boundless)).fit(X)
    assert _warned_at(record, "not converged") == __file__
    collapsing = make_detector(MemAE, temperature=100, memory_size=5, shrinkage=3)
    with pytest.warns(ConvergenceWarning, match="memory is dead") as record:
        wrap(collapsing).fit(X)
    assert _warned_at(record, "memory is dead") == __file__


def test_warning_of_a_pickle_lands_on_the_line_of_the_caller():
    detector = make_detector(Autoencoder).fit(make_samples())
    state = detector.__getstate__() | {"_device": "cuda:99"}
    with pytest.warns(UserWarning, match="loaded on the CPU") as record:
        Autoencoder.__new__(Autoencoder).__setstate__(state)
    assert _warned_at(record, "loaded on the CPU") == __file__


# -- files -----------------------------------------------------------------------------


class _Sentinel:
    """Refuses to allocate layers of a network; those on "meta" have no values."""

    def __init__(self, monkeypatch, largest):
        self.largest = largest
        empty = torch.empty
        # At its first use a device lists the functions that make tensors: it would list
        # the one below, and `empty` would allocate on the CPU what "meta" asks for.
        with torch.device("meta"):
            empty(0)

        def watched(*size, **kwargs):
            device = kwargs.get("device") or torch.get_default_device()
            if torch.device(device).type != "meta":
                shape = size[0] if size and not isinstance(size[0], int) else size
                assert np.prod([int(n) for n in shape], dtype=float) <= largest
            return empty(*size, **kwargs)

        monkeypatch.setattr(torch, "empty", watched)


@each_detector
@pytest.mark.parametrize(
    "damage",
    [
        {"hidden_sizes": (10**9, 10**9)},
        {"hidden_sizes": (10**9,)},
        {"latent_size": 10**9},
        {"input_shape": (10**9,)},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_small_file_of_a_huge_network_is_refused(Detector, damage, monkeypatch):
    state = make_detector(Detector, max_epochs=2).fit(make_samples()).__getstate__()
    n_weights = sum(each.size for each in state["_weights"].values())
    state["_arguments"] = state["_arguments"] | damage
    _Sentinel(monkeypatch, largest=10 * n_weights)
    with pytest.raises(ValueError, match="damaged"):
        Detector.__new__(Detector).__setstate__(state)


@each_detector
def test_weights_of_another_network_are_refused(Detector):
    state = make_detector(Detector, max_epochs=2).fit(make_samples()).__getstate__()
    name = next(n for n, each in state["_weights"].items() if each.ndim == 2)
    state["_weights"][name] = state["_weights"][name][:, :-1]
    with pytest.raises(ValueError, match="another network"):
        Detector.__new__(Detector).__setstate__(state)


def test_state_of_an_unfitted_detector_travels():
    detector = pickle.loads(pickle.dumps(Autoencoder(max_epochs=7)))
    assert detector.max_epochs == 7
    with pytest.raises(NotFittedError):
        detector.predict([[1.0]])


LABELED = [1, 1, -1, 1, 1, 1]


@pytest.mark.parametrize("y", [LABELED, np.array(LABELED, dtype=float)])
def test_fit_warns_of_labeled_outliers(y):
    X = make_samples(n_samples=6)
    with pytest.warns(UserWarning, match=r"1 of 6 samples.*NoveltySearchCV"):
        Autoencoder(max_epochs=1).fit(X, y)


@pytest.mark.parametrize(
    "y",
    [
        None,
        [1] * 6,
        [-1] * 6,
        [0, 1, 0, 1, 0, 1],
        [-1, 0, 1, 1, 1, 1],
        ["a", "b", "a", "b", "a", "b"],
        [[1, -1]] * 6,
    ],
)
def test_fit_says_nothing_of_other_labels(y):
    X = make_samples(n_samples=6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        Autoencoder(max_epochs=1).fit(X, y)


# -- a plain array takes a shorter way -------------------------------------------------


class Array(np.ndarray):
    """An array that scikit-learn has to look at."""


@each_detector
@each_shape
def test_plain_arrays_score_as_those_that_are_validated(Detector, kind):
    X = make_samples(kind, 20)
    detector = make_detector(Detector, max_epochs=2, random_state=0).fit(X)
    scores = detector.score_samples(X.view(Array))
    for plain in (
        X,
        X.astype(np.float64),
        np.asfortranarray(X),
        np.repeat(X, 2, 0)[::2],
    ):
        assert np.array_equal(detector.score_samples(plain), scores)
    assert np.array_equal(detector.score_samples(X[:1]), scores[:1])
    if kind == "rows":
        named = make_detector(Detector, max_epochs=2, random_state=0)
        frame = pd.DataFrame(X).add_prefix("x")
        assert np.array_equal(named.fit(frame).score_samples(frame), scores)
        assert np.array_equal(detector.score_samples(X.tolist()), scores)
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            assert np.array_equal(named.score_samples(X), scores)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda X: np.where(X[2, 3] == X, np.nan, X),
        lambda X: np.where(X[2, 3] == X, -np.inf, X),
        lambda X: X[:, :-1],
        lambda X: X[:0],
        lambda X: X[0],
        lambda X: X[:, :, np.newaxis],
        lambda X: X * (1e300 if X.dtype == np.float64 else np.inf),
    ],
    ids=["NaN", "infinity", "width", "no rows", "one row", "3-d", "too large"],
)
def test_plain_arrays_are_refused_in_the_same_words(spoil, dtype):
    detector = make_detector(Autoencoder, max_epochs=2).fit(make_samples())
    X = spoil(make_samples().astype(dtype))
    said = []
    for same in (X, X.view(Array)):
        with pytest.raises(ValueError) as raised:  # noqa: PT011 # the test compares messages
            detector.predict(same)
        said.append(str(raised.value))
    assert said[0] == said[1]
