"""Loaders on tiny files in the real formats; protocols on tiny tables."""

import gzip
import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
from PIL import Image, UnidentifiedImageError

from skanomaly.datasets import (
    _kddcup99,
    find_data,
    load_adbench,
    load_breast_cancer,
    load_cifar10,
    load_digits,
    load_kddcup99,
    load_mnist,
    load_ped2,
    one_class_split,
    split_kddcup99,
)

TAIL = "0,0,0,0,0,0,0,0,0,0,{count},2,0.00,0.00,0.00,0.00,1.00,0.00,0.00" + ",9" * 10
KINDS = ["normal", "smurf", "smurf", "neptune", "back"]


def kdd_lines(n_rows=200):
    """Write rows as in the real file; every second one repeats the one before."""
    for i in range(n_rows):
        row = i // 2
        kind = KINDS[row % 5]
        service = "http" if kind == "normal" else "ecr_i"
        tail = TAIL.format(count=row)
        yield f"0,tcp,{service},SF,{row},5450,0,0,0,0,0,1,{tail},{kind}.\n"


@pytest.fixture
def kdd_file(tmp_path):
    folder = tmp_path / "kddcup99"
    folder.mkdir()
    file = folder / "kddcup.data_10_percent.gz"
    with gzip.open(file, "wt") as stream:
        stream.writelines(kdd_lines())
    return file


@pytest.fixture
def kdd(kdd_file):
    return load_kddcup99(kdd_file)


# -- the small sets --------------------------------------------------------------------


def test_breast_cancer():
    cancer = load_breast_cancer()
    assert cancer.data.shape == (569, 30)
    assert (cancer.target == -1).sum() == 212
    assert len(cancer.feature_names) == 30


def test_digits():
    digits = load_digits(normal_class=4)
    assert digits.data.shape == (1797, 1, 8, 8)
    assert (digits.data.min(), digits.data.max()) == (0, 1)
    assert np.array_equal(digits.target == 1, digits.digit == 4)
    with pytest.raises(ValueError, match="normal_class"):
        load_digits(normal_class=10)


# -- KDD Cup 1999 ----------------------------------------------------------------------


def test_kddcup99_is_a_typed_frame(kdd):
    assert kdd.data.shape == (200, 41)
    assert (kdd.data.dtypes == "category").sum() == 7
    assert (kdd.data.dtypes == np.float32).sum() == 34
    assert list(kdd.data["service"].cat.categories) == ["ecr_i", "http"]
    assert kdd.data["dst_host_srv_rerror_rate"].eq(9).all()
    assert np.array_equal(kdd.target == 1, kdd.kind == "normal")
    assert set(kdd.kind) == set(KINDS)


def test_kddcup99_is_found_by_the_environment(kdd, kdd_file, monkeypatch):
    monkeypatch.setenv("SKANOMALY_DATA", str(kdd_file.parent.parent))
    pd.testing.assert_frame_equal(load_kddcup99().data, kdd.data)


def test_kddcup99_of_scikit_learn_is_the_same(kdd, monkeypatch):
    monkeypatch.delenv("SKANOMALY_DATA", raising=False)
    rows = [line.strip().split(",") for line in kdd_lines()]
    numbers = {i for i, c in enumerate(kdd.data) if kdd.data[c].dtype != "category"}
    numbers |= {
        i for i, c in enumerate(kdd.data) if c in _kddcup99._KDD_CATEGORICAL[3:]
    }
    values = np.array(
        [
            [float(v) if i in numbers else v.encode() for i, v in enumerate(row[:-1])]
            for row in rows
        ],
        dtype=object,
    )
    fetched = sklearn.utils.Bunch(
        data=values, target=np.array([row[-1].encode() for row in rows], dtype=object)
    )
    monkeypatch.setattr(sklearn.datasets, "fetch_kddcup99", lambda percent10: fetched)
    same = load_kddcup99()
    assert np.array_equal(same.kind, kdd.kind)
    assert (same.data.dtypes == "category").sum() == 7
    for name in kdd.data:
        left, right = kdd.data[name], same.data[name]
        if left.dtype == "category":
            left, right = left.cat.codes, right.cat.codes
        assert np.array_equal(left, right), name


def test_kddcup99_without_file_and_network_says_what_to_do(monkeypatch):
    def fail(percent10):
        raise OSError("no network")

    monkeypatch.delenv("SKANOMALY_DATA", raising=False)
    monkeypatch.setattr(sklearn.datasets, "fetch_kddcup99", fail)
    with pytest.raises(OSError, match=r"kddcup.data_10_percent.gz.*SKANOMALY_DATA"):
        load_kddcup99()


def test_kddcup99_of_another_format_is_refused(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("1,2,3\n")
    with pytest.raises(ValueError, match="has 3 columns"):
        load_kddcup99(file)
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_kddcup99(tmp_path / "nothing.gz")


def test_kddcup99_without_pandas_names_the_extra(kdd_file):
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "from skanomaly.datasets import load_kddcup99\n"
        f"load_kddcup99({str(kdd_file)!r})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'skanomaly[frames]'" in shown.stderr


def test_dagmm_protocol(kdd):
    split = split_kddcup99(kdd, protocol="dagmm", random_state=0)
    assert len(split.X_test) == 100
    assert (split.kind_train != "normal").all()
    assert (split.y_train == 1).all()
    assert np.array_equal(split.y_test == -1, split.kind_test == "normal")
    in_test = (split.kind_test == "normal").sum()
    assert len(split.X_train) == 100 - (40 - in_test)
    assert split.X_train.index.intersection(split.X_test.index).empty
    assert np.array_equal(kdd.kind[split.X_test.index], split.kind_test)


def test_intrusion_protocol(kdd):
    split = split_kddcup99(kdd, protocol="intrusion", random_state=0)
    assert (split.kind_train == "normal").all()
    assert len(split.X_train) == 20
    assert len(split.X_test) == 180
    assert np.array_equal(split.y_test == -1, split.kind_test != "normal")
    assert split.X_train.index.intersection(split.X_test.index).empty


def test_ordered_protocol(kdd):
    split = split_kddcup99(kdd, protocol="ordered", random_state=0)
    normal, attacks = (np.flatnonzero((kdd.kind == "normal") == is_) for is_ in (1, 0))
    assert split.X_train.index.tolist() == normal[:20].tolist()
    assert split.X_test.index.tolist() == [*normal[20:], *attacks]
    assert np.array_equal(split.y_test == -1, split.kind_test != "normal")
    other = split_kddcup99(kdd, protocol="ordered", random_state=1)
    pd.testing.assert_frame_equal(other.X_test, split.X_test)


@pytest.mark.parametrize("protocol", ["dagmm", "intrusion", "ordered"])
def test_duplicates(kdd, protocol):
    # Twice, so that both halves of the file have each row.
    kdd.data, kdd.kind = pd.concat([kdd.data] * 2), np.tile(kdd.kind, 2)

    def repeated(frame):
        return frame.duplicated().any()

    def shared(split):
        return len(split.X_train.merge(split.X_test))

    kept = split_kddcup99(kdd, protocol=protocol, random_state=0)
    assert repeated(kept.X_train)
    assert repeated(kept.X_test)
    assert shared(kept)
    train = split_kddcup99(
        kdd, protocol=protocol, drop_duplicates="train", random_state=0
    )
    assert not repeated(train.X_train)
    pd.testing.assert_frame_equal(train.X_test, kept.X_test)
    assert len(train.X_train) == len(train.y_train) == len(train.kind_train)
    distinct = split_kddcup99(
        kdd, protocol=protocol, drop_duplicates="all", random_state=0
    )
    assert not repeated(distinct.X_test)
    assert not shared(distinct)


def test_split_is_decided_by_the_seed(kdd):
    first, same, other = (
        split_kddcup99(kdd, random_state=seed).X_test.index for seed in (0, 0, 1)
    )
    assert first.equals(same)
    assert not first.equals(other)
    with pytest.raises(ValueError, match="protocol"):
        split_kddcup99(kdd, protocol="other")


def test_what_load_kddcup99_does_not_return_is_refused(kdd):
    as_fetched = sklearn.utils.Bunch(data=kdd.data, target=kdd.target)
    for wrong in (kdd.data, kdd.data.to_numpy(), as_fetched, None):
        with pytest.raises(TypeError, match="must be the Bunch that") as error:
            split_kddcup99(wrong)
        assert len(str(error.value)) < 150


# -- files -----------------------------------------------------------------------------


@pytest.mark.parametrize("load", [load_mnist, load_cifar10, load_ped2])
def test_missing_files_say_how_to_get_them(load, monkeypatch, tmp_path):
    monkeypatch.delenv("SKANOMALY_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"Set the environment .* x_|It holds"):
        load()
    monkeypatch.setenv("SKANOMALY_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"is not in the folder {tmp_path}"):
        load()


def test_mnist(tmp_path):
    x = np.arange(2 * 28 * 28, dtype=np.uint8).reshape(2, 28, 28)
    file = tmp_path / "mnist.npz"
    np.savez(file, x_train=x, y_train=[3, 4], x_test=x[:1], y_test=np.uint8([5]))
    mnist = load_mnist(file)
    assert mnist.X_train.shape == (2, 1, 28, 28)
    assert mnist.X_train.dtype == np.float32
    assert np.array_equal(np.round(mnist.X_train[:, 0] * 255), x)
    assert mnist.y_train.tolist() == [3, 4]
    assert mnist.X_test.shape == (1, 1, 28, 28)
    assert mnist.y_test.tolist() == [5]


def test_cifar10(tmp_path):
    images = np.zeros((3, 32, 32, 3), dtype=np.uint8)
    images[0, :, :, 0] = images[1, :, :, 1] = images[2, :, :, 2] = 200
    jpegs = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, format="JPEG", quality=95)
        jpegs.append(stream.getvalue())
    offsets = np.cumsum([0, *map(len, jpegs)])
    file = tmp_path / "cifar10.npz"
    np.savez(
        file,
        jpeg_train=np.frombuffer(b"".join(jpegs), np.uint8),
        offsets_train=offsets,
        y_train=[0, 1, 2],
        jpeg_test=np.frombuffer(jpegs[2], np.uint8),
        offsets_test=[0, len(jpegs[2])],
        y_test=[2],
    )
    cifar = load_cifar10(file)
    assert cifar.X_train.shape == (3, 3, 32, 32)
    assert cifar.X_train.mean(axis=(2, 3)).argmax(axis=1).tolist() == [0, 1, 2]
    assert 0.7 < cifar.X_train.max() < 0.85
    assert cifar.X_test.shape == (1, 3, 32, 32)


def test_cifar10_of_another_format_is_refused(tmp_path):
    stream = io.BytesIO()
    Image.new("RGB", (32, 32)).save(stream, format="PNG")
    png, ends = np.frombuffer(stream.getvalue(), np.uint8), [0, stream.tell()]
    file = tmp_path / "cifar10.npz"
    parts = {"jpeg_train": png, "offsets_train": ends, "y_train": [0]}
    np.savez(file, **parts)
    with pytest.raises(UnidentifiedImageError):
        load_cifar10(file)


def test_ped2(tmp_path):
    x = np.full((4, 64, 96), 255, dtype=np.uint8)
    file = tmp_path / "ped2.npz"
    np.savez(
        file,
        x_train=x,
        video_train=[1, 1, 2, 2],
        x_test=x[:2],
        video_test=[1, 1],
        y_test=[0, 1],
    )
    ped2 = load_ped2(file)
    assert ped2.X_train.shape == (4, 1, 64, 96)
    assert ped2.X_train.max() == 1
    assert ped2.video_train.tolist() == [1, 1, 2, 2]
    assert ped2.y_test.tolist() == [1, -1]


def test_adbench(tmp_path, monkeypatch):
    (tmp_path / "adbench").mkdir()
    X = np.ones((4, 3), dtype=int)
    np.savez(tmp_path / "adbench" / "6_cardio.npz", X=X, y=[0, 0, 1, 0])
    monkeypatch.setenv("SKANOMALY_DATA", str(tmp_path))
    for name in ("cardio", "6_cardio"):
        cardio = load_adbench(name)
        assert cardio.data.dtype == np.float64
        assert cardio.target.tolist() == [1, 1, -1, 1]
    assert load_adbench("cardio", tmp_path / "adbench").data.shape == (4, 3)
    with pytest.raises(FileNotFoundError, match=r"no set 'shuttle'.*6_cardio"):
        load_adbench("shuttle")


def test_adbench_names(tmp_path):
    for i, stem in enumerate(["6_cardio", "7_cardio", "8_wine", "wine", "fast_glass"]):
        np.savez(tmp_path / f"{stem}.npz", X=np.full((2, 1), i), y=[0, 1])
    np.savez(tmp_path.parent / "outside.npz", X=np.ones((2, 1)), y=[0, 1])
    with pytest.raises(ValueError, match=r"ambiguous .*\['6_cardio', '7_cardio'\]"):
        load_adbench("cardio", tmp_path)
    for name, value in {"6_cardio": 0, "7_cardio": 1, "8_wine": 2, "wine": 3}.items():
        assert load_adbench(name, tmp_path).data[0] == value
    outside = tmp_path.parent / "outside"
    for name in ("../outside", str(outside), f"{outside}.npz", "glass", "6_cardio.npz"):
        with pytest.raises(FileNotFoundError, match=r"no set .*there are .*8_wine"):
            load_adbench(name, tmp_path)


def test_find_data_of_an_unknown_file(tmp_path, monkeypatch):
    monkeypatch.delenv("SKANOMALY_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"x\.npz is needed.*SKANOMALY_DATA"):
        find_data("x.npz")
    monkeypatch.setenv("SKANOMALY_DATA", str(tmp_path))
    for name in ("x.npz", "other/x.npz"):
        with pytest.raises(FileNotFoundError, match=r"is not in .*'cifar10', 'kddcup"):
            find_data(name)
    (tmp_path / "x.npz").touch()
    assert find_data("x.npz") == tmp_path / "x.npz"


def test_find_data_returns_the_file_named(tmp_path):
    file = tmp_path / "any.npz"
    file.touch()
    assert find_data("mnist/mnist.npz", path=str(file)) == file


# -- one class -------------------------------------------------------------------------


def test_one_class_split():
    X_train, y_train = np.arange(10), np.arange(10) % 5
    X_test, y_test = np.arange(50), np.arange(50) % 5
    split = one_class_split(X_train, y_train, X_test, y_test, 2)
    assert split.X_train.tolist() == [2, 7]
    assert np.array_equal(split.X_test, X_test)
    assert np.array_equal(split.y_test == 1, y_test == 2)
    few = one_class_split(
        X_train, y_train, X_test, y_test, 2, outlier_fraction=0.5, random_state=0
    )
    assert (few.y_test == 1).sum() == (few.y_test == -1).sum() == 10
    assert np.array_equal(few.class_test, few.X_test % 5)
    again = one_class_split(
        X_train, y_train, X_test, y_test, 2, outlier_fraction=0.5, random_state=0
    )
    assert np.array_equal(few.X_test, again.X_test)


def test_one_class_split_says_what_is_missing():
    X, y = np.arange(10), np.arange(10) % 2
    with pytest.raises(ValueError, match=r"of class 7; there are \[0, 1\]"):
        one_class_split(X, y, X, y, 7)
    with pytest.raises(ValueError, match="needs 45 outliers"):
        one_class_split(X, y, X, y, 1, outlier_fraction=0.9)


# -- the real data ---------------------------------------------------------------------


@pytest.mark.data
def test_real_files():
    kdd = load_kddcup99()
    assert kdd.data.shape == (494021, 41)
    assert (kdd.target == 1).sum() == 97278
    split = split_kddcup99(kdd, random_state=0)
    assert len(split.X_test) == 247011
    ordered = split_kddcup99(kdd, protocol="ordered")
    assert ordered.X_train.shape == (48639, 41)
    assert len(ordered.X_test) == 494021 - 48639
    assert load_mnist().X_train.shape == (60000, 1, 28, 28)
    assert load_cifar10().X_test.shape == (10000, 3, 32, 32)
    ped2 = load_ped2()
    assert ped2.X_train.shape == (2550, 1, 64, 96)
    assert len(ped2.y_test) == 2010
    assert load_adbench("cardio").data.shape == (1831, 21)
