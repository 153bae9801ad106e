"""Wrong input ends in an error that says what is wrong, and before any training."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly import (
    Autoencoder,
    DeepEnsemble,
    NearestNeighborDetector,
    StudentTeacher,
    default_ensemble,
    load,
    make_tabular_pipeline,
    save,
    to_onnx,
)
from skanomaly.__main__ import main
from skanomaly.calibration import ConformalDetector
from skanomaly.datasets import find_data, load_mnist, one_class_split
from skanomaly.ensemble import fit_together
from skanomaly.inspection import HistoryDisplay, explain, report
from skanomaly.metrics import precision_recall_f1_at
from skanomaly.model_selection import NoveltyDetector, make_synthetic_outliers
from skanomaly.out_of_core import (
    fit_batches,
    open_source,
    score_batches,
    score_frame,
)
from skanomaly.preprocessing import TableEncoder
from skanomaly.training import DetectorNet

X = np.random.default_rng(0).normal(size=(40, 4))
FRAME = pd.DataFrame(X, columns=list("abcd"))
ROWS = [{"a": 1, "b": 2}, {"a": 2, "b": 3}]
NO_NUMBERS = "takes numbers only. For a table with categories use skanomaly.make_tab"
IN_MEMORY = "X must be an array or a frame in memory"
FOLDER = "must be that of a file; .* is a folder"
NO_FOLDER = "must be in a folder that exists"
NO_ARRAY = "can't be read as an array of numbers"
AN_ESTIMATOR = "must be a fitted outlier detector with score_samples, got"
LIST_OF_NAMES = "must be a list of names"


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    """An error that comes after training comes too late."""

    def train_phase(self, *args):
        pytest.fail("training has begun")

    monkeypatch.setattr(DetectorNet, "train_phase", train_phase)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files that hold something else than is wanted, and paths that hold nothing."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("text.npy", "text.csv", "text.npz", "empty.csv"):
        (folder / name).write_text("" if name == "empty.csv" else "no numbers")
    np.save(folder / "objects.npy", np.array([[1, "a"]], dtype=object))
    np.save(folder / "scalar.npy", np.array(1.0))
    np.save(folder / "complex.npy", np.ones((5, 2), dtype=complex))
    (folder / "folder").mkdir()
    for number, text in enumerate(["{", "[]"]):
        (folder / f"sink{number}").mkdir()
        (folder / f"sink{number}" / "_score_batches.json").write_text(text)
    return folder


@pytest.fixture(scope="module")
def fitted():
    """Estimators without training; a network without any is fitted just as well."""
    train_phase = DetectorNet.train_phase
    neighbors = NearestNeighborDetector().fit(FRAME)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DetectorNet, "train_phase", lambda *args: False)
        network = Autoencoder(random_state=0).fit(X)
    assert DetectorNet.train_phase is train_phase
    return SimpleNamespace(
        neighbors=neighbors,
        network=network,
        encoder=TableEncoder().fit(FRAME),
    )


SAMPLES = {
    "mappings": (ROWS, TypeError, NO_NUMBERS),
    "a mapping": ({"a": [1, 2]}, TypeError, NO_NUMBERS),
    "a generator": ((x for x in X), TypeError, NO_NUMBERS),
    "a set": ({1, 2}, TypeError, NO_NUMBERS),
    "rows of several lengths": ([[1, 2], [3]], ValueError, "as many for each sample"),
    "text": ([["a", "b"], ["c", "d"]], ValueError, NO_NUMBERS),
    "records": (np.zeros(3, dtype="f8,f8"), TypeError, NO_NUMBERS),
    "a file that is missing": ("nowhere.npy", OSError, NO_ARRAY),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("samples", SAMPLES)
def test_samples_of_a_network(samples, method):
    given, kind, message = SAMPLES[samples]
    with pytest.raises(kind, match=message):
        getattr(Autoencoder(), method)(given)


@pytest.mark.parametrize("samples", [s for s in SAMPLES if s[:6] != "a file"])
def test_samples_to_score(samples, fitted):
    given, kind, message = SAMPLES[samples]
    with pytest.raises(kind, match=message):
        fitted.network.score_samples(given)


@pytest.mark.parametrize(
    ("samples", "kind", "message"),
    [
        *(SAMPLES[name] for name in ("mappings", "a mapping", "a generator", "text")),
        ([[1.0, np.nan]] * 3, ValueError, "contains NaN: NearestNeighborDetector need"),
        ([[1.0, np.inf]] * 3, ValueError, "contains infinity .*needs finite numbers"),
    ],
)
def test_samples_of_neighbors(samples, kind, message):
    with pytest.raises(kind, match=message):
        NearestNeighborDetector().fit(samples)


@pytest.mark.parametrize(
    "estimator",
    [ConformalDetector(NearestNeighborDetector()), DeepEnsemble(), default_ensemble()],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize(
    "samples",
    [None, "rows.parquet", {"a": [1, 2]}, iter(X)],
    ids=lambda samples: type(samples).__name__,
)
def test_samples_that_are_divided(estimator, samples):
    """Rows are drawn from them, and so they must be in memory."""
    with pytest.raises(TypeError, match=IN_MEMORY):
        estimator.fit(samples)


@pytest.mark.parametrize(
    "detector",
    [Autoencoder(latent_size=10**12), StudentTeacher(n_students=10**12)],
    ids=lambda d: type(d).__name__,
)
def test_a_network_that_no_memory_holds(detector):
    with pytest.raises(MemoryError, match=r"doesn't fit into memory.*Lower its sizes"):
        detector.fit(X)


def test_names_of_an_earlier_fit_are_forgotten():
    detector = NoveltyDetector(NearestNeighborDetector()).fit(FRAME)
    assert list(detector.feature_names_in_) == list("abcd")
    assert not hasattr(detector.fit(X), "feature_names_in_")


def test_the_network_of_an_unfitted_detector():
    with pytest.raises(ValueError, match="Autoencoder instance is not fitted yet"):
        _ = Autoencoder().module_
    assert not hasattr(Autoencoder(), "module_")


# What is called, with files and fitted estimators, and what it must say.
CALLS = {
    "fit_together: no list": (
        lambda f, e: fit_together(None, X),
        (TypeError, "detectors must be a list of detectors, got None"),
    ),
    "make_tabular_pipeline: no detector": (
        lambda f, e: make_tabular_pipeline("VAE"),
        (TypeError, "detector must be an estimator with fit, got 'VAE'"),
    ),
    "make_tabular_pipeline: scaler's name": (
        lambda f, e: make_tabular_pipeline(Autoencoder(), scaler="robust"),
        (TypeError, "scaler must be an estimator with fit, got 'robust'"),
    ),
    "make_tabular_pipeline: clip": (
        lambda f, e: make_tabular_pipeline(Autoencoder(), clip="10"),
        (ValueError, "clip must be a positive number or None, got '10'"),
    ),
    "inverse_transform: one dimension": (
        lambda f, e: e.encoder.inverse_transform([1.0, 2.0]),
        (ValueError, "Expected 2D array"),
    ),
    "inverse_transform: width": (
        lambda f, e: e.encoder.inverse_transform(X[:, :2]),
        (ValueError, "X has 2 features, but inverse_transform expects the 4 that"),
    ),
    "get_feature_names_out: names": (
        lambda f, e: e.encoder.get_feature_names_out(["a"]),
        (ValueError, "input_features"),
    ),
    "precision_recall_f1_at: NaN": (
        lambda f, e: precision_recall_f1_at([1, -1], [np.nan, 1.0], 0.5),
        (ValueError, "Input scores contains NaN"),
    ),
    "precision_recall_f1_at: text": (
        lambda f, e: precision_recall_f1_at([1, -1], ["a", "b"], 0.5),
        (ValueError, "could not convert"),
    ),
    "make_synthetic_outliers: no columns": (
        lambda f, e: make_synthetic_outliers(np.empty((5, 0))),
        (ValueError, "X has no columns"),
    ),
    "one_class_split: lengths": (
        lambda f, e: one_class_split(X, [0, 1], X, np.zeros(40), 0),
        (ValueError, "inconsistent numbers of samples"),
    ),
    "find_data: no name": (
        lambda f, e: find_data(None),
        (TypeError, "name must be a str such as 'mnist/mnist.npz', got None"),
    ),
    "load_mnist: text": (
        lambda f, e: load_mnist(f / "text.npz"),
        (ValueError, "text.npz is not the .npz file that is meant, or is damaged"),
    ),
    "load_mnist: another array": (
        lambda f, e: load_mnist(f / "scalar.npy"),
        (ValueError, "scalar.npy is not the .npz file that is meant"),
    ),
    "explain: no samples": (
        lambda f, e: explain(e.neighbors, FRAME[:0]),
        (ValueError, "X has no samples"),
    ),
    "HistoryDisplay: an array": (
        lambda f, e: HistoryDisplay.from_history(X),
        (ValueError, "must be a list of dicts"),
    ),
    "report: a folder": (
        lambda f, e: report(e.neighbors, FRAME, path=f),
        (IsADirectoryError, FOLDER),
    ),
    "save: a folder": (lambda f, e: save(e.neighbors, f), (IsADirectoryError, FOLDER)),
    "save: no folder": (
        lambda f, e: save(e.neighbors, f / "nowhere" / "file"),
        (FileNotFoundError, NO_FOLDER),
    ),
    "save: no path": (
        lambda f, e: save(e.neighbors, 3),
        (TypeError, "path must be a str or a path, got 3"),
    ),
    "load: no path": (
        lambda f, e: load(None),
        (TypeError, "path must be a str or a path, got None"),
    ),
    "load: trusted": (
        lambda f, e: load(f / "text.npy", trusted=[3]),
        (TypeError, "trusted must be a list of types or names"),
    ),
    "to_onnx: a folder": (
        lambda f, e: to_onnx(e.neighbors, f),
        (IsADirectoryError, FOLDER),
    ),
    "to_onnx: tolerance": (
        lambda f, e: to_onnx(e.neighbors, f / "model", tolerance=np.nan),
        (ValueError, "tolerance must be finite, got nan"),
    ),
    "to_onnx: width": (
        lambda f, e: to_onnx(e.network, f / "model", X[:, :2]),
        (ValueError, r"X has samples of shape \(2,\), but the estimator was fitted"),
    ),
    "open_source: text": (
        lambda f, e: open_source(f / "text.npy"),
        (OSError, NO_ARRAY),
    ),
    "open_source: objects": (
        lambda f, e: open_source(f / "objects.npy"),
        (OSError, NO_ARRAY),
    ),
    "open_source: a scalar": (
        lambda f, e: open_source(f / "scalar.npy"),
        (ValueError, r"Expected an array of shape \(n_samples, n_features\)"),
    ),
    "open_source: complex": (
        lambda f, e: open_source(f / "complex.npy"),
        (TypeError, "Expected an array of numbers or objects, got complex128"),
    ),
    "open_source: rows": (
        lambda f, e: open_source([[1, 2]]),
        (TypeError, "Expected a path of Parquet files"),
    ),
    "open_source: paths and others": (
        lambda f, e: open_source([f, 3]),
        (TypeError, "Expected a path of Parquet files"),
    ),
    "open_source: a column": (
        lambda f, e: open_source(FRAME, columns="a"),
        (ValueError, f"columns {LIST_OF_NAMES}, got 'a'"),
    ),
    "open_source: no column": (
        lambda f, e: open_source(FRAME, columns=[]),
        (ValueError, f"columns {LIST_OF_NAMES}"),
    ),
    "open_source: a column twice": (
        lambda f, e: open_source(FRAME, columns=["a", "a"]),
        (ValueError, r"several columns of the names \['a'\]"),
    ),
    "open_source: opened": (
        lambda f, e: open_source(open_source(FRAME), columns=["a"]),
        (ValueError, "columns is for what is not opened yet"),
    ),
    "fit_batches: dates": (
        lambda f, e: fit_batches(Autoencoder(), np.ones((9, 2), dtype="M8[s]")),
        (TypeError, "Networks take numbers only, and X holds datetime64"),
    ),
    "fit_batches: text": (
        lambda f, e: fit_batches(Autoencoder(), np.array([["a", "b"]] * 9)),
        (ValueError, NO_NUMBERS),
    ),
    "fit_batches: no detector": (
        lambda f, e: fit_batches("VAE", X),
        (TypeError, "Only detectors of skanomaly are trained block by block, got 'V"),
    ),
    "fit_batches: max_samples": (
        lambda f, e: fit_batches(
            make_pipeline(StandardScaler(), Autoencoder()), X, max_samples=0
        ),
        (ValueError, "max_samples == 0, must be >= 2"),
    ),
    "score_frame: no estimator": (
        lambda f, e: score_frame("VAE", FRAME),
        (TypeError, AN_ESTIMATOR),
    ),
    "score_frame: keep": (
        lambda f, e: score_frame(e.neighbors, FRAME, keep="a"),
        (TypeError, f"keep {LIST_OF_NAMES}"),
    ),
    "score_batches: a class": (
        lambda f, e: score_batches(Autoencoder, FRAME, f / "folder"),
        (TypeError, AN_ESTIMATOR),
    ),
    "score_batches: no sink": (
        lambda f, e: score_batches(e.neighbors, FRAME, None),
        (TypeError, "sink must be the path of a folder, got None"),
    ),
    "score_batches: a file": (
        lambda f, e: score_batches(e.neighbors, FRAME, f / "text.csv"),
        (NotADirectoryError, "sink must be a folder"),
    ),
    "score_batches: a damaged sink": (
        lambda f, e: score_batches(e.neighbors, FRAME, f / "sink0"),
        (ValueError, "_score_batches.json is damaged. Delete the folder"),
    ),
    "score_batches: another sink": (
        lambda f, e: score_batches(e.neighbors, FRAME, f / "sink1"),
        (ValueError, "_score_batches.json is damaged. Delete the folder"),
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_calls(call, files, fitted):
    function, (kind, message) = CALLS[call]
    with pytest.raises(kind, match=message):
        function(files, fitted)


def test_record_batches_of_several_schemas():
    pa = pytest.importorskip("pyarrow")
    batches = [pa.record_batch({"a": [1.0]}), pa.record_batch({"b": [1.0]})]
    with pytest.raises(ValueError, match="record batches have several schemas"):
        open_source(batches)


@pytest.mark.parametrize("table", ["empty.csv", "missing.csv", "folder.csv"])
def test_command_line_names_the_table(table, files, capsys):
    (files / "folder.csv").mkdir(exist_ok=True)
    assert main(["score", str(files / table)]) == 2
    assert f"{table} can't be read: " in capsys.readouterr().err
