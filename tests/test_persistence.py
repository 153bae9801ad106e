"""Files of estimators: what is kept, what is refused, and what becomes of the rest."""

import copy
import inspect
import json
import pickle
import re
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import hostile
import numpy as np
import pandas as pd
import pytest
from helpers import (
    SAMPLE_SHAPES,
    all_detectors,
    each_detector,
    make_detector,
    make_samples,
    own_fields,
    variants,
)
from joblib import Memory
from scipy.sparse import csc_array, csr_array, csr_matrix
from sklearn.base import BaseEstimator, clone
from sklearn.cluster import Birch
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree._tree import Tree
from skorch.callbacks import EpochTimer, LRScheduler
from torch import nn

import skanomaly
from skanomaly import Autoencoder, MemAE, load, make_tabular_pipeline, save
from skanomaly.calibration import ConformalDetector
from skanomaly.model_selection import (
    NoveltyDetector,
    NoveltySearchCV,
    NoveltySplit,
    synthetic_outlier_scorer,
)
from skanomaly.persistence import InvalidFileError
from skanomaly.persistence._trusted import TRUSTED_TYPES
from skanomaly.video import FramePooling, MotionWindows

FIXTURES = Path(__file__).parent / "fixtures"
SAVED = sorted(FIXTURES.glob("*/*.skops"))


class OwnDetector(Autoencoder):
    """A detector of a user's own."""


def own_function(X):
    """Return X twice as large."""
    return 2 * X


def make_table(n_rows=80):
    """Return numbers, dates and categories, some of them missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.normal(size=n_rows)})
    frame["kind"] = rng.choice(["x", "y", None], n_rows)
    hours = pd.to_timedelta(rng.integers(0, 1000, n_rows), unit="h")
    frame["when"] = pd.Timestamp("2024-01-01") + hours
    frame.loc[::7, "size"] = np.nan
    return frame


@pytest.fixture
def path(tmp_path):
    """Return where to save."""
    return tmp_path / "estimator.skops"


def shipped(estimator, path, **kwargs):
    """Save and load an estimator."""
    save(estimator, path)
    return load(path, **kwargs)


def quick(**params):
    """Return a small detector."""
    sizes = {"hidden_sizes": (8,), "max_epochs": 2, "random_state": 0}
    return make_detector(MemAE, **{**sizes, **params})


# -- the same scores -------------------------------------------------------------------


def unlike_the_defaults(cls):
    """Return parameters of a detector none of which is its default."""
    found = {"hidden_sizes": (8,), "activation": "relu", "contamination": 0.2}
    for params in variants(cls, own_fields(cls)):
        default = {n: getattr(cls, n) for n in params}
        found |= {n: v for n, v in params.items() if v != default[n]}
    found |= {} if cls.__name__ == "Autoencoder" else {"latent_size": 3}
    return found | {"early_stopping": True, "random_state": 0, "max_epochs": 3}


@cache
def fitted_detector(cls, kind):
    """Fit a detector with such parameters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = make_detector(cls, **unlike_the_defaults(cls))
        return detector.fit(make_samples(kind))


def _save_all(folder):
    """Save each detector on each kind of sample, bare, in a Pipeline and calibrated."""
    for cls in all_detectors():
        for kind in SAMPLE_SHAPES:
            X = make_samples(kind)
            detector = fitted_detector(cls, kind)
            frozen = FrozenEstimator(detector)
            wrapped = [detector, ConformalDetector(frozen).fit(X)]
            if kind == "rows":
                wrapped.append(make_pipeline(StandardScaler(), frozen).fit(X))
            for n, estimator in enumerate(wrapped):
                name = f"{cls.__name__}-{kind}-{n}"
                save(estimator, folder / f"{name}.skops")
                np.savez(folder / f"{name}.npz", X=X, scores=estimator.score_samples(X))


def test_a_fresh_process_gives_the_same_scores(tmp_path):
    """Each detector, with other parameters than its defaults, to the bit."""
    _save_all(tmp_path)
    code = """
import sys, pathlib, numpy as np, torch, skanomaly
torch.set_num_threads(1)
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.skops")):
    data = np.load(path.with_suffix(".npz"))
    scores = skanomaly.load(path).score_samples(data["X"])
    print(path.stem, np.array_equal(scores, data["scores"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 7 * len(all_detectors()), done.stderr
    assert {answer for _, answer in lines} == {"True"}, done.stdout


@each_detector
def test_parameters_and_attributes_are_kept(Detector, path):
    detector = fitted_detector(Detector, "rows")
    loaded = shipped(detector, path)
    assert repr(loaded) == repr(detector)
    assert loaded.history_ == detector.history_
    assert loaded.offset_ == detector.offset_
    assert loaded.input_shape_ == detector.input_shape_
    assert vars(loaded).keys() == vars(detector).keys()


def test_a_file_is_the_same_to_the_byte(path, tmp_path):
    detector = quick().fit(make_samples())
    save(detector, path)
    save(load(path), tmp_path / "again.skops")
    assert (tmp_path / "again.skops").read_bytes() == path.read_bytes()


def test_an_unfitted_estimator_is_kept(path):
    loaded = shipped(ConformalDetector(quick(latent_size=3)), path)
    assert loaded.detector.latent_size == 3
    assert not hasattr(loaded, "estimators_")


X_ROWS = make_samples()
Y_ROWS = np.r_[np.ones(90), -np.ones(10)]
TABULAR = [
    make_tabular_pipeline(quick()),
    make_tabular_pipeline(
        skanomaly.NearestNeighborDetector(), clip=None, drop=["when"]
    ),
    ConformalDetector(make_tabular_pipeline(quick()), tail="pareto", random_state=0),
    ConformalDetector(
        make_tabular_pipeline(quick()), method="cross", cv=2, random_state=0
    ),
    make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            (OneHotEncoder(handle_unknown="ignore", dtype=np.float32), ["kind"]),
            sparse_threshold=0,
        ),
        quick(),
    ),
]


@pytest.mark.parametrize("estimator", TABULAR, ids=lambda e: type(e).__name__)
def test_pipelines_of_tables(estimator, path):
    table = make_table()
    loaded = shipped(clone(estimator).fit(table), path)
    fitted = clone(estimator).fit(table)
    assert np.array_equal(loaded.score_samples(table), fitted.score_samples(table))
    if hasattr(fitted, "p_values"):
        assert np.array_equal(loaded.p_values(table), fitted.p_values(table))
    assert np.array_equal(loaded.predict(table), fitted.predict(table))
    if hasattr(loaded, "feature_names_in_"):
        with pytest.raises(ValueError, match="missing"):
            loaded.score_samples(table[["kind", "when"]])


ROWS = {
    "ensemble": skanomaly.DetectorEnsemble(
        [("near", skanomaly.NearestNeighborDetector()), ("net", quick())],
        random_state=0,
    ),
    "tree of neighbors": skanomaly.NearestNeighborDetector(n_neighbors=2),
    "novelty": NoveltyDetector(quick()),
    "search": NoveltySearchCV(quick(), {"latent_size": [2, 3]}, cv=2),
    "frozen": ConformalDetector(
        FrozenEstimator(quick().fit(X_ROWS)), alpha=0.1, random_state=0
    ),
    "ufunc": make_pipeline(FunctionTransformer(np.arctan), quick()),
    "svm": OneClassSVM(),
    "random state": quick(random_state=np.random.RandomState(3)),
    "scorer": NoveltySearchCV(
        quick(),
        {"latent_size": [2]},
        scoring=synthetic_outlier_scorer(),
        cv=NoveltySplit(2),
    ),
}


def fitted(name):
    """Fit one of them, with labels if it asks for some."""
    labels = Y_ROWS if name in ("novelty", "search", "scorer") else None
    return clone(ROWS[name]).fit(X_ROWS, labels)


@pytest.mark.parametrize("name", ROWS)
def test_other_estimators(name, path):
    estimator = fitted(name)
    loaded = shipped(estimator, path)
    X = make_samples(seed=1)
    assert np.array_equal(loaded.score_samples(X), estimator.score_samples(X))


@pytest.mark.parametrize("sparse", [csr_matrix, csr_array, csc_array])
def test_sparse_rows(sparse, path):
    X = sparse(np.where(np.abs(X_ROWS) > 1, X_ROWS, 0))
    for estimator in (skanomaly.NearestNeighborDetector(), OneClassSVM()):
        loaded = shipped(estimator.fit(X), path)
        assert np.array_equal(loaded.score_samples(X), estimator.score_samples(X))


def test_video(path):
    pooling = FramePooling(contamination=0.1)
    pooling.offset_, pooling.center_ = -0.5, np.float64(2)
    assert shipped(pooling, path).center_ == 2
    windows = MotionWindows(stride=4)
    windows.background_ = np.zeros((3, 3), dtype=np.float32)
    assert shipped(windows, path).background_.dtype == np.float32


def test_whatever_a_state_holds_is_kept(path):
    detector = quick().fit(X_ROWS)
    detector.state_ = state = {
        "reservoir": np.arange(6, dtype=np.int16).reshape(2, 3),
        "moments": [np.float32(1.5), np.zeros((0, 2)), np.array(["a", "bc"])],
        "flags": np.array([True, False]),
        "counts": {1: "one", "two": 2.5, "nothing": None},
        "pair": (1, (2, "x")),
        "levels": np.array(["a", None, 3], dtype=object),
        "times": np.array(["2024-01-01"], dtype="datetime64[s]"),
    }
    loaded = shipped(detector, path).state_
    assert repr(loaded) == repr(state)
    assert loaded["reservoir"].dtype == np.int16
    assert loaded["pair"] == (1, (2, "x"))


# -- files of this version and others --------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("file", SAVED, ids=lambda f: f"{f.parent.name}-{f.stem}")
def test_files_of_earlier_versions_are_loaded(file):
    """``make_fixtures.py`` writes those of this version."""
    expected = json.loads((file.parent / "expected.json").read_text())[file.stem]
    X = np.array(expected["X"], dtype=object if file.stem == "table" else np.float32)
    scores = load(file).score_samples(X)
    np.testing.assert_allclose(scores, expected["scores"], rtol=1e-4, atol=1e-6)


def test_there_is_a_file_of_each_kind():
    names = {file.stem for file in SAVED}
    assert names >= {cls.__name__ for cls in all_detectors()}
    assert names >= {"images", "clips", "table", "ensemble", "neighbors", "novelty"}


@pytest.mark.parametrize("name", ["ensemble", "tree of neighbors", "novelty", "frozen"])
def test_another_version_is_warned_of(name, path, monkeypatch):
    """In scikit-learn's manner, in files and in pickles."""
    estimator = fitted(name)
    monkeypatch.setattr("skanomaly._version.__version__", "0.0.1")
    save(estimator, path)
    pickled = pickle.dumps(estimator)
    monkeypatch.undo()
    own = type(estimator).__name__
    for load_it in (lambda: load(path), lambda: pickle.loads(pickled)):
        with pytest.warns(InconsistentVersionWarning) as record:
            loaded = load_it()
        assert own in {each.message.estimator_name for each in record}
        assert {each.message.original_sklearn_version for each in record} == {"0.0.1"}
        assert {each.filename for each in record} == {__file__}
        X = make_samples(seed=1)
        assert np.array_equal(loaded.score_samples(X), estimator.score_samples(X))


def test_this_version_is_not_warned_of_nor_kept(path):
    detector = quick().fit(X_ROWS)
    for loaded in (shipped(detector, path), copy.deepcopy(detector)):
        assert vars(loaded).keys() == vars(detector).keys()


def test_a_device_that_is_missing_is_warned_of(path):
    detector = quick().fit(X_ROWS)
    scores = detector.score_samples(X_ROWS)
    detector.net_.device = "cuda:99"
    save(detector, path)
    with pytest.warns(UserWarning, match="loaded on the CPU"):
        assert np.array_equal(load(path).score_samples(X_ROWS), scores)


# -- what a file may hold --------------------------------------------------------------


def test_all_public_estimators_are_trusted():
    def paths(module):
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, BaseEstimator) and "metrics" not in module.__name__:
                yield f"{cls.__module__}.{cls.__name__}"

    modules = [getattr(skanomaly, name) for name in skanomaly._MODULES]
    found = {path for module in modules for path in paths(module)}
    found |= {f"{cls.__module__}.{cls.__name__}" for cls in all_detectors()}
    assert len(found) > 15
    assert {name for name in found if name.startswith("skanomaly")} <= {*TRUSTED_TYPES}


def test_trusted_types_exist():
    for name in TRUSTED_TYPES:
        module, _, cls = name.rpartition(".")
        assert hasattr(
            sys.modules.get(module) or __import__(module, fromlist=[cls]), cls
        )


def test_a_class_of_the_user_must_be_named(path):
    detector = OwnDetector(max_epochs=2, random_state=0).fit(X_ROWS)
    save(detector, path)
    with pytest.raises(
        InvalidFileError, match=r"test_persistence.OwnDetector.*trusted="
    ):
        load(path)
    loaded = load(path, trusted=[OwnDetector])
    assert type(loaded) is OwnDetector
    assert np.array_equal(loaded.score_samples(X_ROWS), detector.score_samples(X_ROWS))


@pytest.mark.parametrize("trusted", [OwnDetector, "OwnDetector", own_function])
def test_trusted_is_a_list(trusted, path):
    save(quick(), path)
    with pytest.raises(TypeError, match="trusted must be a list"):
        load(path, trusted=trusted)


def test_a_function_of_the_user_must_be_named(path):
    pipeline = make_pipeline(FunctionTransformer(own_function), quick()).fit(X_ROWS)
    save(pipeline, path)
    with pytest.raises(InvalidFileError, match="own_function"):
        load(path)
    scores = load(path, trusted=[own_function]).score_samples(X_ROWS)
    assert np.array_equal(scores, pipeline.score_samples(X_ROWS))


@pytest.mark.parametrize(
    "estimator", [IsolationForest(n_estimators=3), LocalOutlierFactor(novelty=True)]
)
def test_trees_of_compiled_code_must_be_named(estimator, path):
    save(estimator.fit(X_ROWS), path)
    with pytest.raises(InvalidFileError, match=r"Tree"):
        load(path)
    distances = "sklearn.metrics._dist_metrics.EuclideanDistance64"
    trusted = [Tree, "sklearn.neighbors._kd_tree.KDTree", distances]
    scores = load(path, trusted=trusted).score_samples(X_ROWS)
    assert np.array_equal(scores, estimator.score_samples(X_ROWS))


def _local():
    def inner(X):
        return X

    return inner


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"func": lambda X: X}, r"steps\.0\.1\.func is <lambda>.*imported"),
        ({"func": _local()}, "func is inner"),
        ({"kw_args": {"a": b"x"}}, "kw_args.a is of the type builtins.bytes"),
        ({"func": iter([1])}, "func is list_iterator"),
        ({"func": nn.Linear(1, 1)}, "without running code: functiontransformer__func"),
        ({"kw_args": {"a": Birch()}}, "without running code"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(params, message, path):
    pipeline = make_pipeline(FunctionTransformer(**params), quick())
    with pytest.raises(TypeError, match=message):
        save(pipeline, path)
    assert not path.exists()


@pytest.mark.parametrize("callback", [EpochTimer, LRScheduler("StepLR", step_size=1)])
def test_callbacks_are_not_saved(callback, path):
    """They belong to a fit; what was fitted is kept without them."""
    detector = quick(net_params={"callbacks": [callback]}).fit(X_ROWS)
    with pytest.raises(TypeError, match=r"net_params\.callbacks\.0 .*net_params=None"):
        save(detector, path)
    scores = detector.score_samples(X_ROWS)
    loaded = shipped(detector.set_params(net_params=None), path)
    assert np.array_equal(loaded.score_samples(X_ROWS), scores)
    assert shipped(quick(net_params={"lr": 0.1}), path).net_params == {"lr": 0.1}


def test_a_cache_is_not_saved(path):
    pipeline = make_pipeline(quick(), memory=Memory(None))
    with pytest.raises(TypeError, match=r"memory is of the type joblib"):
        save(pipeline, path)


@pytest.mark.parametrize("value", [[1], "detector", None, Autoencoder])
def test_only_estimators_are_saved(value, path):
    with pytest.raises(TypeError, match="takes an estimator"):
        save(value, path)


# -- paths and writing -----------------------------------------------------------------


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(quick(), "plain")
    assert load("plain").hidden_sizes == (8,)
    with pytest.raises(FileNotFoundError, match="folder that exists"):
        save(quick(), tmp_path / "nowhere" / "file")
    with pytest.raises(FileNotFoundError):
        load("nothing")
    with pytest.raises(OSError, match="folder"):
        save(quick(), tmp_path / "plain" / "folder")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        save(quick(), tmp_path / "folder")
    with pytest.raises(IsADirectoryError):
        load(tmp_path / "folder")


def test_too_large_a_file_is_told(path, monkeypatch):
    monkeypatch.setattr("zipfile.ZIP64_LIMIT", 10_000)
    with pytest.raises(ValueError, match="larger than 2 GB"):
        save(quick().fit(X_ROWS), path)
    assert not path.exists()


def test_a_crash_leaves_the_old_file(path, monkeypatch):
    save(quick(latent_size=3), path)

    def crash(file, data):
        with open(file, "wb") as written:
            written.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", crash)
    with pytest.raises(KeyboardInterrupt):
        save(quick(latent_size=4), path)
    assert load(path).latent_size == 3
    assert list(path.parent.iterdir()) == [path]


def test_skops_is_named_where_it_is_missing(path, monkeypatch):
    save(quick(), path)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (lambda: save(quick(), path), lambda: load(path)):
        with pytest.raises(
            ImportError, match=r"pip install 'skanomaly\[persistence\]'"
        ):
            call()


def test_skops_reads_the_file(path):
    """It is one of skops', with a member more."""
    import skops.io

    detector = quick().fit(X_ROWS)
    save(detector, path)
    names = skops.io.get_untrusted_types(file=path)
    assert names == ["skanomaly.detectors.memae.MemAE"]
    loaded = skops.io.load(path, trusted=names)
    assert np.array_equal(loaded.score_samples(X_ROWS), detector.score_samples(X_ROWS))


# -- damaged and hostile files ---------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return files, what to score, and the scores."""
    return list(hostile.make_files(tmp_path_factory.mktemp("files")))


@pytest.fixture(scope="module")
def lies(files, tmp_path_factory):
    """Return hostile files, and the file that code in them would create."""
    mark = tmp_path_factory.mktemp("lies") / "mark"
    return hostile.lies(files[1][1], mark), mark


@pytest.mark.parametrize("damage", hostile.DAMAGES, ids=lambda d: d.__name__)
def test_damaged_files_are_refused_or_harmless(damage, files, path):
    rng = np.random.default_rng(0)
    for n in range(12):
        _, data, X, scores = files[n % len(files)]
        damaged = damage(data, rng)
        found, peak = hostile.outcome(damaged, path, X, scores)
        assert found == "loaded" or peak < 2 * len(data) + 20_000


def test_random_lies_are_refused_or_harmless(files, path):
    """The checksum is right, and what it is of is not."""
    rng = np.random.default_rng(0)
    found = {}
    for n in range(60):
        data = files[n % len(files)][1]
        kind, peak = hostile.outcome(hostile.lie(data, rng), path)
        found[kind] = found.get(kind, 0) + 1
        assert peak < 3_000_000
    assert found["refused"] > 30


def test_hostile_files_are_refused(files, lies, path):
    """None runs code, and none allocates what it says."""
    told, mark = lies
    _, _, X, scores = files[1]
    for kind, lie in told.items():
        known = (X, scores) if kind == "another module" else (None, None)
        found, peak = hostile.outcome(lie, path, *known)
        assert found == ("loaded" if kind == "another module" else "refused"), kind
        assert peak < 2 * len(lie) + 500_000, kind
    assert not mark.exists()


def test_the_payload_would_run(tmp_path):
    """Else the test above could not fail."""
    pickle.loads(pickle.dumps(hostile.Payload(tmp_path / "mark")))
    assert (tmp_path / "mark").exists()


MESSAGES = {
    "a newer format": r"format 99, written by skanomaly 9.0.*install the newer",
    "an array of objects": "array of objects, which would run code",
    "a pickle in bytes": r"x_ is of the type builtins.bytes",
    "a function": r"os.system.*trusted=",
    "absurd hidden sizes": "another network",
    "lists that double": "may stand for another part",
    "deep lists": "nested too deeply",
    "a hundred thousand parts": "too many parts",
    "a path out of the folder": r"parts that nothing needs: '../../x'",
    "a member twice": "is there twice",
    "a packed member": "packed",
    "a number that is a size": "an array as a numpy.void",
    "indices out of a matrix": "ind",
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_messages_say_what_is_wrong(kind, lies, path):
    path.write_bytes(lies[0][kind])
    with pytest.raises(InvalidFileError, match=MESSAGES[kind]) as error:
        load(path)
    assert str(error.value).startswith(f"{path} can't be loaded: ")


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" * 9, pickle.dumps({1: 2})])
def test_other_files_are_no_estimators(data, path):
    path.write_bytes(data)
    with pytest.raises(InvalidFileError, match=re.escape(str(path))):
        load(path)


def test_a_changed_file_is_told_by_its_checksum(files, path):
    data = bytearray(files[1][1])
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(InvalidFileError, match="is damaged"):
        load(path)
    path.write_bytes(hostile.swap_members(bytes(files[1][1]), np.random.default_rng(0)))
    with pytest.raises(InvalidFileError, match="checksum is wrong"):
        load(path)
