"""Memory maps, Arrow tables and Parquet data sets: what they hold, and their faults."""

import os
import pickle
import shutil
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from helpers import make_detector, make_samples
from joblib import Parallel, delayed

from skanomaly import Autoencoder
from skanomaly._sources import _array, _blocks, _rows, _table, as_source
from skanomaly.out_of_core import open_source

N = 200
NAMES = list("abcdef")
KINDS = ["memory map", "table", "batches", "Parquet file", "Parquet folder", "files"]
each_kind = pytest.mark.parametrize("kind", KINDS)


def table_of(X):
    return pa.table(dict(zip(NAMES, X.T, strict=True)))


def write_folder(X, folder):
    """Write two files of several row groups."""
    folder.mkdir(exist_ok=True)
    half = len(X) // 2
    pq.write_table(table_of(X[:half]), folder / "0.parquet", row_group_size=30)
    pq.write_table(table_of(X[half:]), folder / "1.parquet", row_group_size=40)
    return folder


@pytest.fixture
def put(tmp_path):
    """Return what puts rows into something that is read block by block."""

    def make(X, kind):
        if kind == "memory map":
            np.save(tmp_path / "X.npy", X)
            return np.load(tmp_path / "X.npy", mmap_mode="r")
        if kind == "table":
            return table_of(X)
        if kind == "batches":
            return table_of(X).to_batches(max_chunksize=30)
        folder = write_folder(X, tmp_path / "parquet")
        if kind == "Parquet file":
            pq.write_table(table_of(X), tmp_path / "X.parquet", row_group_size=30)
            return str(tmp_path / "X.parquet")
        return folder if kind == "Parquet folder" else sorted(folder.iterdir())

    return make


@pytest.fixture
def few_in_memory(monkeypatch):
    """Let nothing be small, and everything have several blocks."""
    monkeypatch.setattr(_blocks, "LARGEST_IN_MEMORY", 100)
    monkeypatch.setattr(_array, "VALUES_PER_BLOCK", 180)
    monkeypatch.setattr(_table, "VALUES_PER_BLOCK", 180)


# -- the same rows, whatever holds them ------------------------------------------------


@each_kind
def test_rows(put, kind, few_in_memory):
    X = make_samples(n_samples=N)
    source = open_source(put(X, kind))
    assert source.shape == X.shape
    assert source.columns == (None if kind == "memory map" else NAMES)
    assert source.n_blocks > 3
    blocks = [source.read(block) for block in range(source.n_blocks)]
    assert all(block.dtype == np.float32 for block in blocks)
    assert np.array_equal(np.concatenate(blocks), X)
    assert np.array_equal(source[::-3], X[::-3])
    assert np.array_equal(source[[5, 199, 5]], X[[5, 199, 5]])
    frames = [f for b in range(source.n_blocks) for f, _ in source.frames(b)]
    assert np.array_equal(np.concatenate(frames), X)
    assert np.array_equal(source.sample(np.array([3, 77, 150])), X[[3, 77, 150]])
    assert np.array_equal(source.first_frame(2), X[:2])
    assert open_source(source) is source


@each_kind
def test_parts_are_all_rows_and_travel(put, kind, few_in_memory, monkeypatch):
    monkeypatch.setattr(_rows, "ROWS_PER_PART", 60)
    X = make_samples(n_samples=N)
    parts = open_source(put(X, kind)).parts()
    assert len(parts) == {"Parquet file": 1, "Parquet folder": 2, "files": 2}.get(
        kind, 4
    )
    found = [pickle.loads(pickle.dumps(part))[:] for part in parts]
    assert np.array_equal(np.concatenate(found), X)
    if kind not in ("table", "batches"):  # by their first scores
        assert len({part.stamp() for part in parts}) == len(parts)


def test_pickled_parts_hold_their_own_rows_only(tmp_path, monkeypatch):
    monkeypatch.setattr(_rows, "ROWS_PER_PART", 1000)
    X = np.zeros((100_000, 6), np.float32)
    np.save(tmp_path / "X.npy", X)
    monkeypatch.setattr(_array, "VALUES_PER_BLOCK", 6000)
    monkeypatch.setattr(_table, "VALUES_PER_BLOCK", 6000)
    of_file = open_source(tmp_path / "X.npy").parts()
    of_table = open_source(table_of(X)).parts()
    assert len(pickle.dumps(of_file[3])) < 5000
    assert len(pickle.dumps(of_table[3])) < 40_000


def test_columns_are_selected(tmp_path):
    X = make_samples(n_samples=N)
    for given in (
        table_of(X),
        write_folder(X, tmp_path / "p"),
        pd.DataFrame(X, columns=NAMES),
        pl.DataFrame(X, schema=NAMES),
    ):
        source = open_source(given, columns=["c", "a"])
        assert source.columns == ["c", "a"]
        assert source.all_columns == NAMES
        assert np.array_equal(source[:], X[:, [2, 0]])
        with pytest.raises(ValueError, match=r"lacks the columns \['z'\]"):
            open_source(given, columns=["a", "z"])
    with pytest.raises(ValueError, match="columns is for tables"):
        open_source(X, columns=["a"])


def test_numbers_of_all_types_are_read():
    table = pa.table(
        {
            "int": pa.array([1, 2], pa.int64()),
            "uint": pa.array([1, 255], pa.uint8()),
            "bool": [True, False],
            "double": [0.5, 1.5],
            "decimal": [Decimal("1.25"), Decimal("2.5")],
            "half": pa.array(np.array([1, 2], np.float16)),
        }
    )
    expected = [[1, 1, 1, 0.5, 1.25, 1], [2, 255, 0, 1.5, 2.5, 2]]
    assert open_source(table)[:].tolist() == expected


@pytest.mark.parametrize("dtype", ["f8", "i2", "u1", "?", ">f4"])
def test_maps_of_other_types_are_converted(tmp_path, dtype):
    X = (make_samples(n_samples=N) > 0).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    assert np.array_equal(open_source(tmp_path / "X.npy")[:], X)


def test_views_of_a_map_are_read_from_their_place(tmp_path):
    X = make_samples(n_samples=N)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    part = open_source(mapped[30:][10:])
    assert isinstance(part, _array.MemoryMap)
    assert np.array_equal(part[:], X[40:])
    assert np.array_equal(open_source(mapped[:, 1:3])[:], X[:, 1:3])
    copied = np.load(tmp_path / "X.npy", mmap_mode="c")
    copied[0] = 7  # in memory only
    assert open_source(copied)[0:1].tolist() == [[7] * 6]


def test_arrays_that_joblib_shares_are_arrays(few_in_memory):
    """With n_jobs, as without, the same order and the same bits."""
    X = make_samples(n_samples=N)
    work = delayed(lambda X: (type(X).__name__, as_source(X)))(X)
    kinds = Parallel(n_jobs=2, max_nbytes=100, mmap_mode="r")([work, work])
    assert kinds == [("memmap", None)] * 2


def test_images_in_a_map(tmp_path, few_in_memory):
    X = make_samples("images")
    np.save(tmp_path / "X.npy", X)
    source = open_source(tmp_path / "X.npy")
    detector = make_detector(Autoencoder, random_state=0).fit(X)
    assert np.array_equal(detector.score_samples(source), detector.score_samples(X))
    assert make_detector(Autoencoder).fit(source).input_shape_ == X.shape[1:]
    flat = table_of(X.reshape(len(X), -1)[:, :6])
    shaped = make_detector(Autoencoder, sample_shape=(1, 2, 3)).fit(flat)
    assert shaped.input_shape_ == (1, 2, 3)


def test_partitions_are_columns(tmp_path):
    X = make_samples(n_samples=N)
    table = table_of(X).append_column("year", pa.array([2024] * 150 + [2025] * 50))
    pq.write_to_dataset(table, tmp_path, partition_cols=["year"])
    source = open_source(tmp_path)
    assert source.columns == [*NAMES, "year"]
    assert np.bincount(source[:][:, -1].astype(int)).tolist()[2024:] == [150, 50]


def test_what_is_no_source_is_left_alone():
    for X in ([[1.0, 2.0]], np.ones((2, 2)), pd.DataFrame([[1.0]]), [], [[]]):
        assert as_source(X) is None
    with pytest.raises(TypeError, match="Expected a path of Parquet files"):
        open_source(3)


# -- faults ----------------------------------------------------------------------------


def fit(X):
    return make_detector(Autoencoder, random_state=0).fit(X)


def test_truncated_map(tmp_path, few_in_memory, monkeypatch):
    np.save(tmp_path / "X.npy", make_samples(n_samples=20_000))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    source = open_source(mapped)
    os.truncate(tmp_path / "X.npy", 100_000)
    with pytest.raises(OSError, match=r"X\.npy is truncated.*byte 100000"):
        fit(mapped)
    # While it is read: an error, where reading through the map would be a SIGBUS.
    with pytest.raises(OSError, match=r"X\.npy is truncated"):
        fit(source)
    monkeypatch.setattr(_blocks, "LARGEST_IN_MEMORY", 2**25)
    with pytest.raises(OSError, match="is truncated"):
        fit(mapped)


def test_vanished_map(tmp_path, few_in_memory):
    np.save(tmp_path / "X.npy", make_samples(n_samples=N))
    source = open_source(tmp_path / "X.npy")
    (tmp_path / "X.npy").unlink()
    with pytest.raises(OSError, match=r"X\.npy can't be read: .*No such file"):
        fit(source)
    with pytest.raises(FileNotFoundError, match=r"X\.npy"):
        open_source(tmp_path / "X.npy")


@pytest.mark.parametrize("fault", ["truncated", "empty", "text"])
def test_bad_parquet_file(tmp_path, fault):
    folder = write_folder(make_samples(n_samples=N), tmp_path / "p")
    if fault == "truncated":
        os.truncate(folder / "1.parquet", 1000)
    else:
        (folder / "1.parquet").write_text("" if fault == "empty" else "a,b\n1,2\n")
    with pytest.raises(OSError, match=r"1\.parquet can't be read"):
        fit(folder)


@pytest.mark.parametrize("fault", ["truncated", "vanished", "rewritten"])
def test_parquet_file_changes_while_it_is_read(tmp_path, fault, few_in_memory):
    X = make_samples(n_samples=N)
    folder = write_folder(X, tmp_path / "p")
    detector, source = fit(X), open_source(folder)
    before = vars(detector).copy()
    if fault == "truncated":
        os.truncate(folder / "1.parquet", 1000)
    elif fault == "vanished":
        (folder / "1.parquet").unlink()
    else:
        pq.write_table(table_of(X[:7]), folder / "1.parquet")
    with pytest.raises(OSError, match=r"1\.parquet can't be read.*open the data anew"):
        detector.fit(source)
    assert vars(detector) == before


def test_nothing_at_a_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file or folder .*missing"):
        fit(tmp_path / "missing")


def test_files_must_agree(tmp_path):
    X = make_samples(n_samples=N)
    folder = write_folder(X, tmp_path / "p")
    pq.write_table(table_of(X).drop_columns(["c"]), folder / "2.parquet")
    with pytest.raises(ValueError, match=r"2\.parquet lacks the column 'c'"):
        fit(folder)
    whole = table_of(X)
    double = whole.set_column(1, "b", whole["b"].cast(pa.float64()))
    pq.write_table(double, folder / "2.parquet")
    with pytest.raises(
        ValueError,
        match=r"'b' has the type double in .*2\.parquet, but float in others",
    ):
        fit(folder)
    # Another order, and further columns, are no matter.
    further = whole.select(NAMES[::-1]).append_column("z", pa.array(["x"] * N))
    pq.write_table(further, folder / "2.parquet")
    assert np.array_equal(open_source(folder)[N:], X)


def test_empty_files(tmp_path):
    X = make_samples(n_samples=N)
    folder = write_folder(X, tmp_path / "p")
    pq.write_table(table_of(X[:0]), folder / "00.parquet")
    pq.write_table(table_of(X[:0]), folder / "2.parquet")
    assert np.array_equal(fit(folder).score_samples(folder), fit(X).score_samples(X))
    shutil.rmtree(folder)
    folder.mkdir()
    pq.write_table(table_of(X[:0]), folder / "0.parquet")
    for empty in (folder, table_of(X[:0])):
        with pytest.raises(ValueError, match="0 sample"):
            fit(empty)


@pytest.mark.parametrize("is_small", [True, False])
def test_nan_is_named(tmp_path, monkeypatch, is_small):
    if not is_small:
        monkeypatch.setattr(_blocks, "LARGEST_IN_MEMORY", 100)
        monkeypatch.setattr(_array, "VALUES_PER_BLOCK", 180)
    X = make_samples(n_samples=N)
    detector = fit(X)
    X[177, 3] = np.nan
    folder = write_folder(X, tmp_path / "p")
    place = r"contains NaN: column 'd' in row 77 of .*1\.parquet"
    np.save(tmp_path / "X.npy", X)
    for work in (fit, fit(table_of(make_samples())).score_samples):
        with pytest.raises(ValueError, match=place):
            work(folder)
    for work in (fit, detector.score_samples):
        with pytest.raises(ValueError, match=r"column 3 in row 177 of .*X\.npy"):
            work(open_source(tmp_path / "X.npy"))
    with_null = table_of(make_samples(n_samples=N)).append_column(
        "n", pa.array([None, *range(N - 1)])
    )
    with pytest.raises(ValueError, match="NaN: column 'n' in row 0 of the table"):
        fit(with_null)
    too_large = pa.table({"x": [1.0, 1e300]})
    with pytest.raises(ValueError, match="too large for float32: column 'x' in row 1"):
        fit(too_large)


def test_columns_that_are_no_numbers_are_named():
    table = table_of(make_samples(n_samples=N)).append_column(
        "key", pa.array(["x"] * N)
    )
    dates = pa.array(np.arange(N).astype("datetime64[D]"))
    with pytest.raises(
        TypeError, match=r"'key' \(string\), 'day' \(date32.*open_source.*fit_batches"
    ):
        fit(table.append_column("day", dates))


def test_columns_of_one_name_are_refused():
    table = pa.Table.from_arrays([pa.array([1.0, 2.0])] * 2, names=["x", "x"])
    with pytest.raises(ValueError, match=r"several columns of the names \['x'\]"):
        fit(table)


def test_other_data_sets_are_refused(tmp_path):
    X = make_samples(n_samples=N)
    folder = write_folder(X, tmp_path / "p")
    data = pyarrow.dataset.dataset(folder)
    assert np.array_equal(open_source(data)[:], X)
    with pytest.raises(ValueError, match="filtered data set"):
        fit(data.filter(pc.field("a") > 0))
    pyarrow.dataset.write_dataset(table_of(X), tmp_path / "csv", format="csv")
    with pytest.raises(TypeError, match="Expected a data set of Parquet files"):
        fit(pyarrow.dataset.dataset(tmp_path / "csv", format="csv"))


def test_missing_pyarrow_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'skanomaly\[arrow\]'"):
        fit("table.parquet")


def test_names_of_columns_must_match():
    X = make_samples(n_samples=N)
    detector = fit(table_of(X))
    assert detector.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="feature names should match"):
        detector.score_samples(table_of(X).select(NAMES[::-1]))
    with pytest.raises(ValueError, match="feature names should match"):
        detector.score_samples(open_source(table_of(X), columns=["a", "b"]))
