"""Training and scoring of data larger than memory, by every detector."""

import json
import pickle
from functools import partial

import helpers
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from helpers import each_detector, make_outliers, make_samples
from joblib import parallel_config
from sklearn.ensemble import IsolationForest
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skanomaly import Autoencoder, NearestNeighborDetector, make_tabular_pipeline
from skanomaly._sources import _array, _blocks, _rows, _table
from skanomaly.calibration import ConformalDetector
from skanomaly.out_of_core import fit_batches, open_source, score_batches, score_frame
from skanomaly.training import blocks

# Five epochs are no training for a generator, and its warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:Mode collapse")
# Of batches that a buffer of `few_in_memory` has several of.
make_detector = partial(helpers.make_detector, batch_size=32)
NAMES = list("abcdef")
KINDS = ["memory map", "table", "Parquet"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def table_of(X, **columns):
    return pa.table({**dict(zip(NAMES, X.T, strict=True)), **columns})


@pytest.fixture
def put(tmp_path):
    """Return what puts rows into something that is read block by block."""

    def make(X, kind, **columns):
        if kind == "memory map":
            np.save(tmp_path / "X.npy", X)
            return np.load(tmp_path / "X.npy", mmap_mode="r")
        table = table_of(X, **columns)
        if kind == "table":
            return table
        (tmp_path / "X").mkdir()
        for nth, start in enumerate(range(0, len(X), 40)):
            file = tmp_path / "X" / f"{nth}.parquet"
            pq.write_table(table[start : start + 40], file, row_group_size=15)
        return tmp_path / "X"

    return make


@pytest.fixture
def few_in_memory(monkeypatch):
    """Let nothing be small, blocks have 15 rows of 6 columns, and buffers 4 blocks."""
    monkeypatch.setattr(_blocks, "LARGEST_IN_MEMORY", 100)
    monkeypatch.setattr(_array, "VALUES_PER_BLOCK", 90)
    monkeypatch.setattr(_table, "VALUES_PER_BLOCK", 90)
    monkeypatch.setattr(_rows, "ROWS_PER_PART", 40)
    monkeypatch.setattr(blocks, "VALUES_PER_BUFFER", 360)


# -- every detector --------------------------------------------------------------------


@each_kind
@each_detector
def test_small_sources_are_trained_on_as_arrays(Detector, kind, put):
    X = make_samples()
    on_array = make_detector(Detector, random_state=0).fit(X)
    source = put(X, kind)
    on_source = make_detector(Detector, random_state=0).fit(source)
    scores = on_array.score_samples(X)
    assert np.array_equal(on_source.score_samples(source), scores)
    assert on_source.offset_ == on_array.offset_
    assert np.array_equal(on_source.predict(source), on_array.predict(X))
    assert on_source.anomaly_map(source).shape == X.shape


@each_kind
@each_detector
def test_sources_are_scored_as_arrays(Detector, kind, put, few_in_memory):
    X = make_samples(n_samples=150)
    detector = make_detector(Detector, random_state=0)
    source = open_source(put(X, kind))
    detector.fit(X if kind == "memory map" else pd.DataFrame(X, columns=NAMES))
    scores = detector.score_samples(source)
    whole = X if kind == "memory map" else pd.DataFrame(X, columns=NAMES)
    assert np.array_equal(scores, detector.score_samples(whole))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("early_stopping", [False, True])
@each_detector
def test_blocks_are_trained_on(Detector, early_stopping, put, few_in_memory):
    X = make_samples(n_samples=150)
    params = {"early_stopping": early_stopping, "random_state": 0}
    source = open_source(put(X, "memory map"))
    one, same = (make_detector(Detector, **params).fit(source) for _ in range(2))
    scores = one.score_samples(X)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores, same.score_samples(X))  # with one seed
    assert 0 < (one.predict(X) == -1).mean() < 0.5


def test_one_block_is_shuffled_as_an_array(put, monkeypatch):
    monkeypatch.setattr(_blocks, "LARGEST_IN_MEMORY", 100)
    X = make_samples()
    on_array = make_detector(Autoencoder, random_state=0).fit(X)
    on_block = make_detector(Autoencoder, random_state=0).fit(put(X, "memory map"))
    assert np.array_equal(on_block.score_samples(X), on_array.score_samples(X))


def test_training_is_as_good_on_rows_sorted_by_class(put, few_in_memory):
    """Blocks of 15 rows, of which 4 are shuffled together, of two classes."""
    first, second = make_samples(n_samples=300), 3 + make_samples(n_samples=300, seed=1)
    X = np.concatenate([first, second])
    outliers = np.concatenate([make_outliers(), 3 + make_outliers(seed=2)])
    X_test = np.concatenate([X, outliers])
    is_outlier = np.arange(len(X_test)) >= len(X)
    found = []
    for rows in (X, put(X, "memory map")):
        detector = Autoencoder(max_epochs=20, batch_size=20, random_state=0).fit(rows)
        found.append(roc_auc_score(is_outlier, -detector.score_samples(X_test)))
    assert found[0] > 0.9
    assert found[1] > found[0] - 0.01


def test_thresholds_of_very_many_rows_come_from_a_sample(monkeypatch):
    monkeypatch.setattr("skanomaly._fit._MOST_THRESHOLD_SAMPLES", 50)
    X = make_samples(n_samples=400)
    detector = make_detector(Autoencoder, random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert detector.offset_ != np.percentile(scores, 10)
    assert 0.02 < (detector.predict(X) == -1).mean() < 0.25


# -- pipelines -------------------------------------------------------------------------


@each_kind
def test_pipeline_is_an_ordinary_one(put, kind, few_in_memory):
    X = make_samples(n_samples=150)
    pipeline = make_pipeline(StandardScaler(), make_detector(Autoencoder))
    pipeline.set_params(autoencoder__random_state=0)
    source = put(X, kind)
    fitted = fit_batches(pipeline, source, random_state=0)
    assert not hasattr(pipeline[0], "mean_")  # the given one stays as it is
    np.testing.assert_allclose(fitted[0].mean_, X.mean(axis=0), rtol=1e-5)
    frame = X if kind == "memory map" else pd.DataFrame(X, columns=NAMES)
    scores = fitted.score_samples(frame)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.score_samples(frame), scores)
    assert fitted.predict(frame[:1]).shape == (1,)


def test_detector_is_trained_on_transformed_rows(put, tmp_path):
    X = 1000 + 20 * make_samples(n_samples=150)
    pipeline = make_pipeline(
        StandardScaler(), make_detector(Autoencoder, random_state=0)
    )
    fitted = fit_batches(pipeline, put(X, "memory map"), random_state=0)
    whole = pipeline.fit(X)
    np.testing.assert_allclose(
        fitted.score_samples(X), whole.score_samples(X), rtol=1e-3
    )


def test_mixed_table(put, few_in_memory):
    X = make_samples(n_samples=150)
    kinds = pa.array(np.resize(["red", "green", None], 150).tolist())
    a = pa.array([None if n % 10 == 0 else float(n % 7) for n in range(150)])
    source = put(X, "Parquet", color=kinds, holes=a)
    pipeline = make_tabular_pipeline(make_detector(Autoencoder, random_state=0))
    fitted = fit_batches(pipeline, source, random_state=0)
    frame = pq.read_table(source).to_pandas()
    assert np.isfinite(fitted.score_samples(frame)).all()
    assert fitted.score_samples(frame.iloc[:1]).shape == (1,)
    assert list(fitted.feature_names_in_) == [*NAMES, "color", "holes"]


def test_steps_are_fitted_on_some_rows(put, few_in_memory):
    X = make_samples(n_samples=150)
    pipeline = make_pipeline(StandardScaler(), make_detector(Autoencoder))
    first, same, other = (
        fit_batches(pipeline, put(X, "memory map"), max_samples=30, random_state=seed)
        for seed in (0, 0, 1)
    )
    assert first[0].n_samples_seen_ == 30
    assert np.array_equal(first[0].mean_, same[0].mean_)
    assert not np.array_equal(first[0].mean_, other[0].mean_)


def test_sparse_steps_and_memory(put, tmp_path, few_in_memory):
    X = np.round(make_samples(n_samples=150))
    encoder = OneHotEncoder(handle_unknown="ignore")
    pipeline = make_pipeline(
        encoder,
        make_detector(Autoencoder, random_state=0),
        memory=str(tmp_path / "cache"),
    )
    fitted = fit_batches(pipeline, put(X, "memory map"), random_state=0)
    assert np.isfinite(fitted.score_samples(X)).all()


def test_detectors_and_other_estimators(put, few_in_memory):
    X = make_samples(n_samples=150)
    source = put(X, "memory map")
    detector = make_detector(Autoencoder, random_state=0)
    scores = detector.fit(source).score_samples(X)
    for each in (detector, make_pipeline(detector)):
        assert np.array_equal(fit_batches(each, source).score_samples(X), scores)
    with pytest.raises(
        TypeError, match=r"got IsolationForest\(\)\. Fit it on a sample"
    ):
        fit_batches(make_pipeline(StandardScaler(), IsolationForest()), source)
    with pytest.raises(ValueError, match="no rows in X"):
        fit_batches(make_pipeline(StandardScaler(), detector), X[:0])


def test_nan_after_the_steps_is_named(put, few_in_memory):
    X = make_samples(n_samples=150)
    X[77, 2] = np.nan
    pipeline = make_pipeline(StandardScaler(), make_detector(Autoencoder))
    place = r"in what the steps make of row 77 of "
    with pytest.raises(ValueError, match=rf"NaN: column 2 {place}.*X\.npy"):
        fit_batches(pipeline, put(X, "memory map"))
    pipeline[0].set_output(transform="pandas")
    with pytest.raises(ValueError, match=rf"NaN: column 'c' {place}the table"):
        fit_batches(pipeline, put(X, "table"))


# -- scores ----------------------------------------------------------------------------


@pytest.fixture(name="X")
def rows():
    return make_samples(n_samples=150)


@pytest.fixture
def detector(X):
    return make_detector(Autoencoder, random_state=0).fit(X)


@pytest.fixture
def named(X):
    frame = pd.DataFrame(X, columns=NAMES)
    return make_detector(Autoencoder, random_state=0).fit(frame)


def read(paths):
    return pq.read_table([str(path) for path in paths]).to_pandas()


@each_kind
def test_scores_are_those_of_the_estimator(
    put, kind, X, detector, named, tmp_path, few_in_memory
):
    estimator = detector if kind == "memory map" else named
    keep = [] if kind == "memory map" else ["key"]
    source = put(X, kind, key=pa.array(range(150), pa.int16()))
    paths = score_batches(estimator, source, tmp_path / "scores", keep=keep)
    assert len(paths) == 4
    found = read(paths)
    assert list(found.columns) == [*keep, "score", "prediction"]
    frame = X if kind == "memory map" else pd.DataFrame(X, columns=NAMES)
    assert np.array_equal(found["score"], estimator.score_samples(frame))
    assert np.array_equal(found["prediction"], estimator.predict(frame))
    if keep:
        assert pq.read_schema(paths[0]).field("key").type == pa.int16()
        assert np.array_equal(found["key"], range(150))
    whole = pyarrow.dataset.dataset(tmp_path / "scores").to_table()
    assert len(whole) == 150  # the manifest is passed over


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_frames_are_scored(make, X, named, tmp_path):
    frame = make(dict(zip([*NAMES, "key"], [*X.T, np.arange(150)], strict=True)))
    found = read(score_batches(named, frame, tmp_path / "s", keep=["key"]))
    expected = named.score_samples(pd.DataFrame(X, columns=NAMES))
    assert np.array_equal(found["score"], expected)


def test_rows_are_scored_once(X, monkeypatch):
    conformal = ConformalDetector(FrozenEstimator(NearestNeighborDetector().fit(X)))
    conformal.fit(X)
    expected = conformal.score_samples(X), conformal.p_values(X), conformal.predict(X)
    n_rows, score_samples = [], NearestNeighborDetector.score_samples
    monkeypatch.setattr(
        NearestNeighborDetector,
        "score_samples",
        lambda self, X: n_rows.append(len(X)) or score_samples(self, X),
    )
    found = score_frame(conformal, pd.DataFrame(X))
    assert n_rows == [len(X)]
    for name, values in zip(("score", "p_value", "prediction"), expected, strict=True):
        assert np.array_equal(found[name], values)


def test_any_estimator(put, X, tmp_path, few_in_memory):
    frame = pd.DataFrame(X, columns=NAMES)
    forest = make_pipeline(
        StandardScaler(), IsolationForest(n_estimators=5, random_state=0)
    ).fit(frame)
    source = put(X, "table")
    found = read(score_batches(forest, source, tmp_path / "forest"))
    assert np.array_equal(found["score"], forest.score_samples(frame))
    assert np.array_equal(found["prediction"], forest.predict(frame))
    nearest = NearestNeighborDetector().fit(frame)
    conformal = ConformalDetector(FrozenEstimator(nearest)).fit(frame)
    found = read(score_batches(conformal, source, tmp_path / "conformal"))
    assert np.array_equal(found["p_value"], conformal.p_values(frame))
    assert np.array_equal(found["prediction"], conformal.predict(frame))
    with pytest.raises(TypeError, match="outlier detector with score_samples"):
        score_batches(StandardScaler().fit(X), source, tmp_path / "no")


def test_workers_write_the_same(put, X, tmp_path, few_in_memory):
    source, detector = put(X, "memory map"), NearestNeighborDetector().fit(X)
    one = score_batches(detector, source, tmp_path / "one")
    with parallel_config("loky", n_jobs=2):
        two = score_batches(detector, source, tmp_path / "two")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two]


def test_finished_parts_are_not_scored_again(put, X, detector, tmp_path, few_in_memory):
    source, sink = put(X, "memory map"), tmp_path / "scores"
    paths = score_batches(detector, source, sink)
    times = [path.stat().st_mtime_ns for path in paths]
    expected = paths[1].read_bytes()
    paths[1].unlink()
    (sink / ".part-00001.0123.parquet").write_bytes(b"a draft of a killed process")
    assert score_batches(detector, source, sink) == paths
    assert paths[1].read_bytes() == expected
    later = [path.stat().st_mtime_ns for path in paths]
    assert [a == b for a, b in zip(times, later, strict=True)] == [
        True,
        False,
        True,
        True,
    ]
    assert len(list(sink.iterdir())) == 5


def test_a_full_disk_loses_nothing(
    put, X, detector, tmp_path, few_in_memory, monkeypatch
):
    source, sink = put(X, "memory map"), tmp_path / "scores"
    n_written, write = 0, pq.ParquetWriter.write_table

    def write_until_full(writer, table):
        nonlocal n_written
        n_written += len(table)
        if n_written > 60:
            raise OSError(28, "No space left on device")
        write(writer, table)

    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", write_until_full)
        with pytest.raises(OSError, match="No space left on device"):
            score_batches(detector, source, sink)
    there = sorted(path.name for path in sink.iterdir())
    assert there == ["_score_batches.json", "part-00000.parquet"]
    first = (sink / there[1]).stat().st_mtime_ns
    paths = score_batches(detector, source, sink)
    assert paths[0].stat().st_mtime_ns == first
    assert np.array_equal(read(paths)["score"], detector.score_samples(X))


def test_runs_are_not_mixed_up(put, X, named, tmp_path, few_in_memory):
    sink = tmp_path / "scores"
    source = put(X, "Parquet", key=pa.array(range(150)))
    score_batches(named, source, sink, keep=["key"])
    with pytest.raises(ValueError, match="with other keep "):
        score_batches(named, source, sink)
    other = make_detector(Autoencoder, random_state=1).fit(
        pd.DataFrame(X, columns=NAMES)
    )
    with pytest.raises(ValueError, match="with other first_scores "):
        score_batches(other, source, sink, keep=["key"])
    pq.write_table(table_of(X[:3], key=pa.array([1, 2, 3])), source / "3.parquet")
    with pytest.raises(ValueError, match=r"with other parts .*Choose another folder"):
        score_batches(named, source, sink, keep=["key"])
    assert json.loads((sink / "_score_batches.json").read_text())["keep"] == ["key"]
    with pytest.raises(ValueError, match="files that score_batches didn't write"):
        score_batches(named, source, source)


def test_bad_columns(put, X, named, tmp_path):
    table = put(X, "table", key=pa.array(range(150)), score=pa.array(range(150)))
    for keep, match in (
        (["kee"], r"columns \['kee'\] are missing"),
        (["score"], "names of results"),
    ):
        with pytest.raises(ValueError, match=match):
            score_batches(named, table, tmp_path / "scores", keep=keep)
        with pytest.raises(ValueError, match=match):
            score_frame(named, table, keep=keep)
    with pytest.raises(ValueError, match=r"\['f'\] are missing"):
        score_batches(named, table.drop_columns(["f"]), tmp_path / "scores")
    with pytest.raises(ValueError, match="columns of an array have no names"):
        score_batches(named, X, tmp_path / "scores", keep=["key"])
    assert not (tmp_path / "scores").exists()


def test_empty_files_give_empty_parts(put, X, named, tmp_path):
    source = put(X, "Parquet", key=pa.array(range(150)))
    pq.write_table(table_of(X[:0], key=pa.array([], pa.int64())), source / "00.parquet")
    paths = score_batches(named, source, tmp_path / "scores", keep=["key"])
    assert [pq.read_metadata(path).num_rows for path in paths] == [40, 0, 40, 40, 30]
    assert pq.read_schema(paths[1]).equals(pq.read_schema(paths[0]))


def test_frame_of_each_kind(X, named):
    frame = pd.DataFrame(X, columns=NAMES, index=np.arange(150)[::-1]).assign(key="k")
    scores = named.score_samples(frame[NAMES])
    found = score_frame(named, frame, keep=["key"])
    assert list(found.columns) == ["key", "score", "prediction"]
    assert found.index.equals(frame.index)
    assert np.array_equal(found["score"], scores)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    for rows in (table, table.to_batches()[0]):
        given = score_frame(named, rows, keep=["key"])
        assert type(given) is type(rows)
        assert np.array_equal(given.column("score"), scores)
        assert given.schema.names == ["key", "score", "prediction"]
    assert len(score_frame(named, frame[:0])) == 0
    assert score_frame(named, frame[:0]).dtypes["prediction"] == np.int8
    with pytest.raises(TypeError, match="Expected a DataFrame of pandas"):
        score_frame(named, X)
