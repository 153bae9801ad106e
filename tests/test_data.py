"""Data: one face for arrays, sparse rows, memory maps and tensors; passes over them."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from helpers import make_samples, make_sparse_samples
from scipy import sparse
from skorch.dataset import Dataset, ValidSplit
from torch.utils.data import Subset

from skanomaly.out_of_core import open_source
from skanomaly.training import Data, Streams, blocks
from skanomaly.training.batches import Rounds
from skanomaly.training.passes import any_row, collect, map_batches, mean

KINDS = [
    "ndarray",
    "read-only",
    "memory map",
    "CSR matrix",
    "CSR array",
    "tensor",
    "blocks of a file",
    "blocks of a Parquet file",
]
each_kind = pytest.mark.parametrize("kind", KINDS)
N = 103


@pytest.fixture
def make(tmp_path):
    """Return what puts samples into a container of a kind."""

    def put(X, kind):
        if kind == "memory map":
            np.save(tmp_path / "X.npy", X)
            return np.load(tmp_path / "X.npy", mmap_mode="r")
        if kind == "blocks of a file":
            np.save(tmp_path / "X.npy", X)
            return open_source(tmp_path / "X.npy")
        if kind == "blocks of a Parquet file":
            table = pa.table({str(n): column for n, column in enumerate(X.T)})
            pq.write_table(table, tmp_path / "X.parquet", row_group_size=30)
            return open_source(tmp_path / "X.parquet")
        if kind == "read-only":
            X = X.copy()
            X.flags.writeable = False
            return X
        makers = {
            "ndarray": np.array,
            "CSR matrix": sparse.csr_matrix,
            "CSR array": sparse.csr_array,
            "tensor": torch.tensor,
        }
        return makers[kind](X)

    return put


def samples():
    X = make_samples(n_samples=N)
    X[np.abs(X) < 0.3] = 0
    return X


def rows_of(data, batch_size=20):
    return torch.cat([x for x, _ in data.batches(batch_size)]).numpy()


# -- the same values, whatever holds them ----------------------------------------------


@each_kind
def test_batches_hold_each_row_once(kind, make):
    X = samples()
    data = Data(make(X, kind))
    assert len(data) == N
    assert np.array_equal(rows_of(data), X)
    batches = data.batches(20, torch.Generator().manual_seed(0))
    assert len(batches) == 6
    first, second = ([x for x, _ in batches] for _ in range(2))
    assert [len(x) for x in first] == [20, 20, 20, 20, 20, 3]
    assert not torch.equal(torch.cat(first), torch.cat(second))
    for epoch in (first, second):
        rows = torch.cat(epoch).numpy()
        assert np.array_equal(np.sort(rows, axis=0), np.sort(X, axis=0))
        assert not np.array_equal(rows, X)


@each_kind
def test_passes(kind, make):
    X = samples()
    data = Data(make(X, kind))
    mapped = list(data.map(lambda x: 2 * x, sizes=(40,)))
    assert all(len(part) <= 40 for part in mapped)
    assert np.array_equal(torch.cat(mapped).numpy(), 2 * X)
    average = data.mean()
    assert average.dtype == torch.float64
    np.testing.assert_allclose(average.numpy(), X.mean(axis=0, dtype=float), rtol=1e-12)
    squares = data.mean(lambda x: x.square().sum(1))
    np.testing.assert_allclose(squares, (X**2).sum(1).mean(dtype=float), rtol=1e-6)
    found = data.any(lambda x: x > np.sort(X[:, 0])[-1])
    assert np.array_equal(found, (np.sort(X[:, 0])[-1] < X).any(axis=0))


@each_kind
def test_samples_and_splits(kind, make):
    X = samples()
    plain = Data(X, streams=Streams(3))
    data = Data(make(X, kind), streams=Streams(3))
    assert np.array_equal(rows_of(data.sample(10)), rows_of(plain.sample(10)))
    assert not np.array_equal(
        rows_of(data.sample(10)), rows_of(data.sample(10, "memory"))
    )
    split = ValidSplit(0.2, random_state=0)
    parts, expected = data.split(split), plain.split(split)
    assert parts.held_out is not None
    assert parts.held_out.held_out is None
    assert np.array_equal(rows_of(parts), rows_of(expected))
    assert np.array_equal(rows_of(parts.held_out), rows_of(expected.held_out))
    both = np.concatenate([rows_of(parts), rows_of(parts.held_out)])
    assert np.array_equal(np.sort(both, axis=0), np.sort(X, axis=0))
    # A part of a part, and its passes.
    some = parts.held_out.sample(7)
    assert len(some) == 7
    np.testing.assert_allclose(
        some.mean(), rows_of(some).mean(axis=0, dtype=float), rtol=1e-12
    )
    X_of_part = some.X.toarray() if sparse.issparse(some.X) else np.asarray(some.X)
    assert np.array_equal(X_of_part, rows_of(some))


@each_kind
def test_spread_out_values(kind, make):
    X = samples()
    data, plain = (Data(each, streams=Streams(0)) for each in (make(X, kind), X))
    chosen = data.spread_out(lambda x: x, 5, N)
    assert torch.equal(chosen, plain.spread_out(lambda x: x, 5, N))
    assert len({tuple(row) for row in chosen.tolist()}) == 5
    assert all((row == X).all(axis=1).any() for row in chosen.numpy())


def test_spread_out_values_are_far_from_each_other():
    rng = np.random.default_rng(0)
    centers = 100 * np.eye(6)
    X = np.repeat(centers, 50, axis=0) + rng.normal(size=(300, 6))
    data = Data(X.astype(np.float32), streams=Streams(1))
    chosen = data.spread_out(lambda x: x, 6, 300).numpy()
    assert set(chosen.argmax(axis=1)) == set(range(6))
    # By the key: on it there are but two kinds.
    by_sign = data.spread_out(lambda x: x, 2, 300, lambda x: (x[:, :1] > 50).float())
    assert {bool(row[0] > 50) for row in by_sign} == {True, False}


def test_spread_out_takes_some_twice_if_there_are_fewer():
    data = Data(make_samples(n_samples=3))
    assert data.spread_out(lambda x: x, 10, 100).shape == (10, 6)


# -- batches ---------------------------------------------------------------------------


@each_kind
def test_batches_are_copies(kind, make):
    source = make(samples(), kind)
    data = Data(source)
    for x, _ in data.batches(200):
        x.zero_()
    for _, x in data.padded_batches((200,)):
        x.zero_()
    assert np.array_equal(rows_of(Data(source)), samples())


@pytest.mark.parametrize(
    ("shape", "sizes"),
    [
        ((1,), {4, 32, 256, 1024}),
        ((3, 32, 32), {4, 32, 64}),
        ((1, 16, 64, 96), {2}),
    ],
)
def test_padded_batches_have_few_shapes(shape, sizes):
    found = set()
    for n_samples in (1, 2, 4, 5, 32, 33, 40, 256, 257, 1024, 1025):
        X = np.ones((n_samples, *shape), dtype=np.float32)
        n_rows = 0
        for n, x in Data(X).padded_batches((4, 32, 256, 1024)):
            assert x.shape[1:] == shape
            assert len(x) >= n
            found.add(len(x))
            assert (x[:n] == 1).all()
            assert (x[n:] == 0).all()
            n_rows += n
        assert n_rows == n_samples
    assert found == sizes


def test_padded_batches_are_no_larger_than_asked_for():
    sizes = {len(x) for _, x in Data(samples()).padded_batches((48,))}
    assert sizes == {32}  # whole blocks
    assert {len(x) for _, x in Data(samples()).padded_batches((5,))} == {5}


def test_rounds_go_through_all_samples_again_and_again():
    X = np.arange(10, dtype=np.float32).reshape(10, 1)
    rounds = Rounds(Data(X).batches(4), n_batches=8, n_per_round=3)
    found = [[x.ravel().tolist() for x, _ in rounds] for _ in range(4)]
    assert [len(each) for each in found] == [3, 3, 2, 0]
    flat = [batch for each in found for batch in each]
    assert flat[:4] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9], [0, 1, 2, 3]]


# -- blocks ----------------------------------------------------------------------------


@pytest.fixture
def make_blocks(tmp_path, monkeypatch):
    """Return what makes a source of small blocks, of which a buffer has a few."""

    def put(X, rows_per_block, blocks_per_buffer):
        table = pa.table({str(n): column for n, column in enumerate(X.T)})
        pq.write_table(table, tmp_path / "X.parquet", row_group_size=rows_per_block)
        monkeypatch.setattr(
            blocks, "VALUES_PER_BUFFER", rows_per_block * X.shape[1] * blocks_per_buffer
        )
        return open_source(tmp_path / "X.parquet")

    return put


@pytest.mark.parametrize("batch_size", [7, 10, 64])
def test_buffers_hold_each_row_once(make_blocks, batch_size):
    X = np.arange(103, dtype=np.float32).reshape(-1, 1)
    source = make_blocks(X, 10, 3)
    some = np.flatnonzero(np.arange(103) % 3)  # leaves out a third of each block
    for rows in (None, some, some[-2:]):
        data = Data(source, rows)
        expected = X.ravel() if rows is None else X.ravel()[rows]
        assert np.array_equal(rows_of(data, batch_size).ravel(), expected)
        batches = data.batches(batch_size, torch.Generator().manual_seed(0))
        found = [x.ravel() for x, _ in batches]
        assert len(found) == len(batches)
        assert {len(x) for x in found[:-1]} <= {batch_size}
        assert np.array_equal(np.sort(torch.cat(found)), expected)


def test_orders_of_blocks_come_from_the_generator(make_blocks):
    data = Data(make_blocks(np.arange(100, dtype=np.float32).reshape(-1, 1), 10, 3))

    def orders(seed):
        batches = data.batches(10, torch.Generator().manual_seed(seed))
        return [torch.cat([x for x, _ in batches]).ravel().tolist() for _ in range(2)]

    assert orders(0) == orders(0)
    assert orders(0)[0] != orders(0)[1]
    assert orders(0)[0] != orders(1)[0]


def test_rows_of_far_blocks_meet_in_a_batch(make_blocks):
    """Of rows that are sorted by class, every batch has some of each."""
    is_second = np.repeat([0, 1], 2000).astype(np.float32).reshape(-1, 1)
    data = Data(make_blocks(is_second, 50, 20))
    batches = data.batches(100, torch.Generator().manual_seed(0))
    shares = [x.mean().item() for x, _ in batches]
    assert np.mean(shares) == pytest.approx(0.5)
    assert 0.1 < min(shares) < max(shares) < 0.9
    # Buffers don't hold neighbors.
    first = torch.cat([x for x, _ in batches][:10])
    assert 0.2 < first.mean() < 0.8


def test_many_rows_are_drawn_once_each(monkeypatch):
    monkeypatch.setattr("skanomaly.training.data._LARGEST_PERMUTATION", 50)
    X = np.arange(1000, dtype=np.float32).reshape(-1, 1)
    for n in (10, 999, 2000):
        rows = rows_of(Data(X, streams=Streams(0)).sample(n)).ravel()
        assert len(rows) == min(n, 1000)
        assert (np.diff(rows) > 0).all()
    other = rows_of(Data(X, streams=Streams(1)).sample(10)).ravel()
    assert not np.array_equal(other, rows_of(Data(X).sample(10)).ravel())


# -- splits ----------------------------------------------------------------------------


def test_parts_keep_the_order_of_the_data():
    X = np.arange(20, dtype=np.float32).reshape(20, 1)
    data = Data(X).split(ValidSplit(0.25, random_state=0))
    for part in (data, data.held_out):
        assert (np.diff(rows_of(part).ravel()) > 0).all()


def test_split_of_subsets():
    X = np.arange(10, dtype=np.float32).reshape(10, 1)

    def split(dataset, y=None):
        assert isinstance(dataset, Dataset)
        return Subset(dataset, [2, 4, 6]), Subset(dataset, [9, 1])

    data = Data(X).split(split)
    assert rows_of(data).ravel().tolist() == [2, 4, 6]
    assert rows_of(data.held_out).ravel().tolist() == [1, 9]


def test_empty_part_is_refused():
    def split(dataset, y=None):
        return Subset(dataset, range(len(dataset))), Subset(dataset, [])

    with pytest.raises(ValueError, match="0 would be held out"):
        Data(samples()).split(split)


# -- memory ----------------------------------------------------------------------------


def _peak_of(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


def test_passes_over_sparse_rows_need_little_memory():
    """Dense, they would be 1,600 MB."""
    X = make_sparse_samples(50_000, 8_000, 1e-4)
    data = Data(X)
    assert _peak_of(data.mean) < 10
    sums = np.asarray(X.sum(axis=0)) / X.shape[0]
    np.testing.assert_allclose(data.mean().numpy(), sums, atol=1e-8)
    assert _peak_of(lambda: data.any(lambda x: x)) < 10
    assert _peak_of(lambda: [None for _ in data.batches(100)]) < 10


def test_parts_are_no_copies():
    X = np.zeros((100_000, 50), dtype=np.float32)  # 19 MB
    assert _peak_of(lambda: Data(X).split(ValidSplit(0.2)).held_out.sample(100)) < 8


# -- passes on their own ---------------------------------------------------------------


def test_passes_of_batches():
    batches = [(2, torch.tensor([[1.0], [2.0], [9.0]])), (1, torch.tensor([[4.0]] * 3))]
    values = list(map_batches(torch.neg, batches))
    assert [each.ravel().tolist() for each in values] == [[-1, -2], [-4]]
    assert collect(values, 3).ravel().tolist() == [-1, -2, -4]
    assert collect(values, 3).dtype == torch.float64
    assert mean(values).item() == pytest.approx(-7 / 3)
    assert any_row([torch.zeros(2, 2), torch.eye(2)[:1]]).tolist() == [True, False]


def test_progress_wraps_the_batches_of_a_pass():
    seen = []

    def progress(batches, n_samples):
        seen.append(n_samples)
        yield from batches

    data = Data(samples(), progress=progress)
    assert np.array_equal(torch.cat(list(data.map(lambda x: x))).numpy(), samples())
    assert seen == [N]
    assert data.sample(5).progress is progress
