"""Tensors in, tensors out: scikit-learn's array API dispatch."""

import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import each_detector, make_detector, make_outliers, make_samples
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import get_namespace, move_estimator_to

import skanomaly
from skanomaly import Autoencoder, DetectorEnsemble, NearestNeighborDetector
from skanomaly._validation import check_training_samples
from skanomaly.calibration import ConformalDetector
from skanomaly.metrics import outlier_scorer

METHODS = ("score_samples", "decision_function", "predict", "anomaly_map")
ignore_convergence = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)


@pytest.fixture
def dispatch():
    """Let results be arrays of the library of X, as scikit-learn does it."""
    with config_context(array_api_dispatch=True):
        yield


def results_of(detector, X):
    """Return what all methods return, by name."""
    names = [n for n in (*METHODS, "reconstruct") if hasattr(detector, n)]
    return {name: getattr(detector, name)(X) for name in names}


def assert_same_bits(tensors, arrays):
    for name, array in arrays.items():
        tensor = tensors[name]
        assert isinstance(tensor, torch.Tensor), name
        assert tensor.dtype == (torch.int64 if name == "predict" else torch.float64)
        assert not tensor.requires_grad
        np.testing.assert_array_equal(tensor.numpy(), array, err_msg=name)


@ignore_convergence
@each_detector
@pytest.mark.parametrize(
    ("kind", "params"),
    [("rows", {}), ("images", {}), ("rows", {"early_stopping": True})],
    ids=["rows", "images", "held-out rows"],
)
def test_bits_are_those_of_numpy(Detector, kind, params):
    X = make_samples(kind, 40)
    settings = {"max_epochs": 2, "batch_size": 32, "random_state": 0}
    detector = make_detector(Detector, **settings, **params)
    arrays = results_of(clone(detector).fit(X), X)
    with config_context(array_api_dispatch=True):
        tensors = results_of(detector.fit(torch.tensor(X)), torch.tensor(X))
    assert type(detector.offset_) is float
    assert_same_bits(tensors, arrays)


def test_without_dispatch_results_are_of_numpy():
    X = make_samples()
    arrays = results_of(Autoencoder(max_epochs=2, random_state=0).fit(X), X)
    detector = Autoencoder(max_epochs=2, random_state=0).fit(torch.tensor(X))
    for name, result in results_of(detector, torch.tensor(X)).items():
        assert type(result) is np.ndarray
        np.testing.assert_array_equal(result, arrays[name])
    assert detector.score_samples(torch.tensor(X).bfloat16()).dtype == np.float64


@pytest.mark.usefixtures("dispatch")
def test_without_tensors_results_are_of_numpy():
    X = make_samples()
    for given in (X, X.tolist()):
        detector = Autoencoder(max_epochs=2).fit(given)
        assert type(detector.score_samples(given)) is np.ndarray


@pytest.mark.usefixtures("dispatch")
def test_float32_is_not_copied():
    X = torch.tensor(make_samples())
    samples, schema = check_training_samples(Autoencoder(), X)
    assert samples.data_ptr() == X.data_ptr()
    assert schema.namespace[1] == "cpu"


@pytest.mark.usefixtures("dispatch")
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int32", "bool"])
def test_other_dtypes_become_float32(dtype):
    X = torch.tensor(make_samples() * 3).to(getattr(torch, dtype))
    detector = Autoencoder(max_epochs=2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert scores.dtype == torch.float64
    assert torch.equal(scores, detector.score_samples(X.float()))


@pytest.mark.usefixtures("dispatch")
def test_strides_do_not_matter():
    X = torch.tensor(make_samples())
    detector = Autoencoder(max_epochs=2, random_state=0).fit(X)
    scores = detector.score_samples(X)
    columns = X.T.contiguous().T
    assert not columns.is_contiguous()
    assert torch.equal(detector.score_samples(columns), scores)
    every_other = X.repeat_interleave(2, 0)[::2]
    assert torch.equal(detector.score_samples(every_other), scores)
    assert torch.equal(clone(detector).fit(columns).score_samples(X), scores)


@pytest.mark.usefixtures("dispatch")
def test_tensors_of_inference_mode():
    with torch.inference_mode():
        X = torch.tensor(make_samples())
        detector = Autoencoder(max_epochs=2, random_state=0).fit(X)
        assert torch.isfinite(detector.score_samples(X)).all()


@pytest.mark.usefixtures("dispatch")
def test_flat_images_in_their_shape():
    X = torch.tensor(make_samples("images"))
    flat = X.flatten(1)
    detector = Autoencoder(max_epochs=2, sample_shape=X.shape[1:]).fit(flat)
    assert detector.anomaly_map(flat).shape == flat.shape
    assert torch.equal(detector.score_samples(flat), detector.score_samples(X))


@pytest.mark.usefixtures("dispatch")
def test_pipeline():
    X = make_samples().astype(np.float64)
    with config_context(array_api_dispatch=False):
        network = Autoencoder(max_epochs=2, random_state=0)
        arrays = make_pipeline(StandardScaler(), clone(network)).fit(X).score_samples(X)
    pipeline = make_pipeline(StandardScaler(), network).fit(torch.tensor(X))
    scores = pipeline.score_samples(torch.tensor(X))
    assert isinstance(scores, torch.Tensor)
    np.testing.assert_allclose(scores.numpy(), arrays, rtol=1e-4)


@pytest.mark.usefixtures("dispatch")
def test_grid_search():
    X = torch.tensor(np.concatenate([make_samples(), make_outliers()]))
    y = torch.tensor([1] * 100 + [-1] * 50)
    rows = np.random.default_rng(0).permutation(150)
    pipeline = make_pipeline(StandardScaler(), Autoencoder(max_epochs=2))
    for scoring in ("roc_auc", "f1"):
        search = GridSearchCV(
            pipeline,
            {"autoencoder__latent_size": [1, 2]},
            scoring=outlier_scorer(scoring),
            cv=2,
            refit=False,
        )
        with pytest.warns(UserWarning, match="y marks"):
            search.fit(X[rows], y[rows])
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.usefixtures("dispatch")
@pytest.mark.parametrize(
    ("spoil", "error", "match"),
    [
        (lambda X: X.requires_grad_(), ValueError, r"X\.detach\(\)"),
        (lambda X: X.to("meta"), ValueError, "have no values|same device"),
        (lambda X: X.to_sparse(), TypeError, r"X\.to_dense\(\)"),
        (lambda X: X.to_sparse_csr(), TypeError, "CSR matrix of scipy"),
        (lambda X: X.to(torch.complex64), ValueError, "Complex data not supported"),
        (lambda X: X.index_fill(0, torch.tensor(3), torch.nan), ValueError, "NaN"),
        (lambda X: X.double() * 1e300, ValueError, "too large for float32"),
        (lambda X: X[:0], ValueError, "0 sample"),
        (lambda X: X[0], ValueError, "1D array"),
        (lambda X: X[:, None], ValueError, "axis of channels|samples of shape"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
def test_bad_tensors(spoil, error, match):
    X = torch.tensor(make_samples())
    detector = Autoencoder(max_epochs=2).fit(X)
    bad = spoil(X.clone())
    with pytest.raises(error, match=match):
        Autoencoder(max_epochs=2).fit(bad)
    with pytest.raises(error, match=match):
        detector.score_samples(bad)


def test_bad_tensors_without_dispatch():
    detector = Autoencoder(max_epochs=2)
    with pytest.raises(ValueError, match=r"X\.detach\(\)"):
        detector.fit(torch.tensor(make_samples(), requires_grad=True))


@pytest.mark.usefixtures("dispatch")
def test_too_few_features():
    detector = Autoencoder(max_epochs=2).fit(torch.tensor(make_samples()))
    with pytest.raises(ValueError, match="expecting 6 features"):
        detector.score_samples(torch.tensor(make_samples())[:, :5])


@pytest.mark.usefixtures("dispatch")
def test_labels_of_outliers_may_be_a_tensor():
    X, y = torch.tensor(make_samples()), torch.ones(100)
    with pytest.warns(UserWarning, match="y marks 1 of 100"):
        Autoencoder(max_epochs=1).fit(X, y.index_fill(0, torch.tensor(3), -1))


@pytest.mark.usefixtures("dispatch")
def test_units_are_looked_at():
    with pytest.warns(UserWarning, match="X has values of about"):
        Autoencoder(max_epochs=1).fit(torch.tensor(make_samples()) * 1000)


@pytest.mark.usefixtures("dispatch")
@pytest.mark.parametrize("method", [*METHODS, "reconstruct"])
def test_another_namespace_is_refused(method):
    X = make_samples()
    detector = Autoencoder(max_epochs=2).fit(torch.tensor(X))
    with pytest.raises(
        ValueError, match=rf"Autoencoder\.{method}\(\) must use the same"
    ):
        getattr(detector, method)(X)
    with config_context(array_api_dispatch=False):
        assert len(getattr(detector, method)(X)) == len(X)


@pytest.mark.parametrize("is_dispatched", [True, False])
def test_a_detector_can_be_moved(is_dispatched):
    X = make_samples()
    detector = Autoencoder(max_epochs=2).fit(X)
    with config_context(array_api_dispatch=True):
        xp, _ = get_namespace(torch.tensor(X))
    with config_context(array_api_dispatch=is_dispatched):
        moved = move_estimator_to(detector, xp, "cpu")
        back = move_estimator_to(moved, np, "cpu")
    scores = detector.score_samples(X)
    with config_context(array_api_dispatch=True):
        tensor = moved.score_samples(torch.tensor(X))
        np.testing.assert_array_equal(tensor.numpy(), scores)
        np.testing.assert_array_equal(back.score_samples(X), scores)
        with pytest.raises(ValueError, match="must use the same namespace"):
            detector.score_samples(torch.tensor(X))
    assert moved.net_ is not detector.net_
    assert not hasattr(move_estimator_to(Autoencoder(), xp, "cpu"), "net_")


@pytest.mark.usefixtures("dispatch")
def test_it_survives_pickling_without_tensors():
    X = torch.tensor(make_samples())
    detector = Autoencoder(max_epochs=2).fit(X)
    pickled = pickle.dumps(detector)
    assert b"_rebuild_tensor" not in pickled
    scores = pickle.loads(pickled).score_samples(X)
    assert torch.equal(scores, detector.score_samples(X))


@pytest.mark.parametrize(
    "estimator",
    [
        NearestNeighborDetector(),
        DetectorEnsemble(
            [
                ("network", Autoencoder(max_epochs=2)),
                ("rows", NearestNeighborDetector()),
            ],
            random_state=0,
        ),
        ConformalDetector(
            Autoencoder(max_epochs=2, random_state=0), alpha=0.1, random_state=0
        ),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_computes_on_the_host_returns_tensors(estimator):
    X = make_samples()
    methods = [*METHODS, "reconstruct", "p_values", "predict_proba", "predict_batch"]
    methods = [name for name in methods if hasattr(estimator, name)]
    arrays = clone(estimator).fit(X)
    with config_context(array_api_dispatch=True):
        tensors = clone(estimator).fit(torch.tensor(X))
        for name in methods:
            result = getattr(tensors, name)(torch.tensor(X))
            assert isinstance(result, torch.Tensor), name
            expected = getattr(arrays, name)(X)
            np.testing.assert_array_equal(result.numpy(), expected, err_msg=name)


@pytest.mark.usefixtures("dispatch")
@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_arrays_of_another_library(device):
    """By DLPack where memory can be shared, else through numpy."""
    xp = pytest.importorskip("array_api_strict")
    given = make_samples()
    X = xp.asarray(given, device=xp.Device(device))
    detector = Autoencoder(max_epochs=2, random_state=0).fit(X)
    expected = Autoencoder(max_epochs=2, random_state=0).fit(given)
    for name, array in results_of(expected, given).items():
        result = getattr(detector, name)(X)
        assert isinstance(result, type(X))
        assert result.device == X.device
        on_host = xp.asarray(result, device=xp.Device("CPU_DEVICE"))
        np.testing.assert_array_equal(np.asarray(on_host), array)


def test_an_older_scikit_learn_has_no_such_support(monkeypatch):
    path = Path(skanomaly.__file__).with_name("_namespace.py")
    monkeypatch.setitem(sys.modules, "sklearn.externals.array_api_compat", None)
    spec = importlib.util.spec_from_file_location("skanomaly._old_namespace", path)
    old = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(old)
    assert not old.HAS_ARRAY_API
    assert not old.is_dispatched(torch.ones(1))
    assert old.namespace_of(torch.ones(1)) == ("numpy", "cpu")


@pytest.mark.usefixtures("dispatch")
def test_memory_that_runs_backwards():
    """torch would end the process."""
    xp = pytest.importorskip("array_api_strict")
    X = xp.asarray(make_samples())
    detector = Autoencoder(max_epochs=2).fit(xp.flip(X, axis=0))
    scores = detector.score_samples(X)
    assert xp.all(detector.score_samples(xp.flip(X, axis=0)) == xp.flip(scores))


@pytest.mark.gpu
@pytest.mark.usefixtures("dispatch")
def test_on_a_gpu():
    X = torch.tensor(make_samples(), device="cuda")
    pipeline = make_pipeline(StandardScaler(), Autoencoder(max_epochs=2)).fit(X)
    assert pipeline[-1].module_.center.device == X.device
    for name, result in results_of(pipeline[-1], X).items():
        assert result.device == X.device, name
    assert pipeline.score_samples(X).device == X.device
    with pytest.raises(ValueError, match="must use the same namespace"):
        pipeline[-1].score_samples(X.cpu())
    with config_context(array_api_dispatch=False):
        assert type(pipeline[-1].score_samples(X.cpu())) is np.ndarray


@pytest.mark.gpu
@pytest.mark.usefixtures("dispatch")
def test_a_gpu_and_a_network_on_the_cpu():
    X = torch.tensor(make_samples(), device="cuda")
    detector = Autoencoder(max_epochs=2, device="cpu").fit(X)
    assert detector.module_.center.device.type == "cpu"
    assert detector.score_samples(X).device == X.device
