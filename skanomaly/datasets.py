"""Data sets, and the published ways to split them.

The loaders of small sets need nothing but scikit-learn. `load_kddcup99` downloads its
data through scikit-learn where no local copy is found. The rest read files that you
have; `find_data` says where they are looked for.
"""

import io
import itertools
import os
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

__all__ = [
    "find_data",
    "load_adbench",
    "load_breast_cancer",
    "load_cifar10",
    "load_digits",
    "load_kddcup99",
    "load_mnist",
    "load_ped2",
    "one_class_split",
    "split_kddcup99",
]

_KDD_FILE = "kddcup99/kddcup.data_10_percent.gz"
_KDD_COLUMNS = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment "
    "urgent hot num_failed_logins logged_in num_compromised root_shell su_attempted "
    "num_root num_file_creations num_shells num_access_files num_outbound_cmds "
    "is_host_login is_guest_login count srv_count serror_rate srv_serror_rate "
    "rerror_rate srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate "
    "dst_host_count dst_host_srv_count dst_host_same_srv_rate dst_host_diff_srv_rate "
    "dst_host_same_src_port_rate dst_host_srv_diff_host_rate dst_host_serror_rate "
    "dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate"
).split()
_KDD_CATEGORICAL = (
    "protocol_type service flag land logged_in is_host_login is_guest_login"
).split()


def find_data(name, path=None):
    """Find a data file, or say how to get it.

    Parameters
    ----------
    name : str
        The file's place in a folder of data, such as ``"mnist/mnist.npz"``.
    path : str, path-like or None, default=None
        The file itself. None looks in the folder that the environment variable
        ``SKANOMALY_DATA`` names.

    Returns
    -------
    path : pathlib.Path
        A file that exists.

    Raises
    ------
    FileNotFoundError
        Where there is no such file; the message says where it belongs.

    Examples
    --------
    >>> from skanomaly.datasets import find_data
    >>> find_data("mnist/mnist.npz", path="nowhere.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: There is no file nowhere.npz.
    """
    if path is not None:
        found = Path(path)
        if not found.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        return found
    folder = os.environ.get("SKANOMALY_DATA")
    if folder is None:
        raise FileNotFoundError(
            f"{name} is needed. Set the environment variable SKANOMALY_DATA to the "
            f"folder that holds it, or name the file by path=. {_how_to_get(name)}"
        )
    found = Path(folder) / name
    if not found.is_file():
        raise FileNotFoundError(
            f"{name} is not in the folder {folder} that SKANOMALY_DATA names. "
            f"{_how_to_get(name)}"
        )
    return found


def _how_to_get(name: str) -> str:
    return {
        "kddcup99": "The file is 'kddcup.data_10_percent.gz' of the UCI KDD archive.",
        "mnist": (
            "It is Keras's mnist.npz: arrays x_train, y_train, x_test and y_test."
        ),
        "cifar10": (
            "It holds CIFAR-10 as JPEG files end to end: uint8 arrays jpeg_train and "
            "jpeg_test, integer arrays offsets_train and offsets_test with the start "
            "of each file and the end of the last, y_train and y_test. Make it from "
            "the images of https://www.cs.toronto.edu/~kriz/cifar.html."
        ),
        "ucsd_ped2": (
            "It holds the frames of UCSD Ped2 "
            "(http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm), gray and shrunk: "
            "arrays x_train, video_train, x_test, video_test and y_test."
        ),
        "adbench": (
            "The sets lie in 'adbench/datasets/Classical' of "
            "https://github.com/Minqi824/ADBench."
        ),
    }[Path(name).parts[0]]


# -- tables ----------------------------------------------------------------------------


def load_breast_cancer():
    """Load the Wisconsin breast cancer data as a one-class problem.

    It comes with scikit-learn and needs no network.

    Returns
    -------
    data : Bunch
        - ``data``: ndarray of shape (569, 30), float64, not scaled.
        - ``target``: ndarray of shape (569,), 1 for benign, -1 for malignant tumours.
        - ``feature_names``: ndarray of shape (30,).
        - ``DESCR``: str.

    Examples
    --------
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> cancer.data.shape, int((cancer.target == -1).sum())
    ((569, 30), 212)
    """
    cancer = sklearn_datasets.load_breast_cancer()
    return Bunch(
        data=cancer.data,
        target=np.where(cancer.target == 1, 1, -1),
        feature_names=cancer.feature_names,
        DESCR=cancer.DESCR,
    )


@validate_params(
    {"normal_class": [Interval(Integral, 0, 9, closed="both")]},
    prefer_skip_nested_validation=True,
)
def load_digits(normal_class=0):
    """Load scikit-learn's 8 x 8 digits as a one-class problem on images.

    They come with scikit-learn and need no network.

    Parameters
    ----------
    normal_class : int, default=0
        The digit that is normal.

    Returns
    -------
    data : Bunch
        - ``data``: ndarray of shape (1797, 1, 8, 8), float32 in [0, 1].
        - ``target``: ndarray of shape (1797,), 1 for the normal digit, -1 for others.
        - ``digit``: ndarray of shape (1797,), which digit it is.
        - ``DESCR``: str.

    Examples
    --------
    >>> from skanomaly.datasets import load_digits
    >>> digits = load_digits(normal_class=3)
    >>> digits.data.shape, int((digits.target == 1).sum())
    ((1797, 1, 8, 8), 183)
    """
    digits = sklearn_datasets.load_digits()
    return Bunch(
        data=(digits.images[:, np.newaxis] / 16).astype(np.float32),
        target=np.where(digits.target == normal_class, 1, -1),
        digit=digits.target,
        DESCR=digits.DESCR,
    )


def load_kddcup99(path=None):
    """Load the 10 % file of KDD Cup 1999: network connections, normal and attacks.

    The file is `path`, or else lies in the folder named by ``SKANOMALY_DATA``, or else
    is downloaded and cached by `sklearn.datasets.fetch_kddcup99`.

    Parameters
    ----------
    path : str, path-like or None, default=None
        A file in the format of ``kddcup.data_10_percent.gz``: 41 values and a label a
        line, separated by commas, compressed or not.

    Returns
    -------
    data : Bunch
        - ``data``: DataFrame of shape (494021, 41); 34 columns are float32, the 7
          categorical ones have the dtype ``category``.
        - ``target``: ndarray of shape (494021,), 1 for normal connections, -1 for
          attacks.
        - ``kind``: ndarray of shape (494021,) of str, ``"normal"`` or the kind of
          attack, such as ``"smurf"``.

    Raises
    ------
    FileNotFoundError
        Where `path` is given and there is no such file.
    OSError
        Where there is neither a file nor a network; the message says what to do.
    ValueError
        Where the file has another format.
    ImportError
        Where pandas is missing.

    See Also
    --------
    split_kddcup99 : The published ways to split it.

    Notes
    -----
    Of the 494,021 rows 145,586 are distinct, and a nearest neighbour among the distinct
    training rows does as well on protocol ``"dagmm"`` as any network. A high figure on
    this data says little about a method.

    References
    ----------
    .. [1] S. Hettich, S. D. Bay, "The UCI KDD Archive", University of California,
       Irvine, 1999, http://kdd.ics.uci.edu.

    Examples
    --------
    >>> from skanomaly.datasets import load_kddcup99
    >>> kdd = load_kddcup99()  # doctest: +SKIP
    >>> kdd.data.shape  # doctest: +SKIP
    (494021, 41)
    """
    pandas = _import_pandas("load_kddcup99")
    try:
        file = find_data(_KDD_FILE, path)
    except FileNotFoundError:
        if path is not None:
            raise
        frame = _fetch_kddcup99(pandas)
    else:
        frame = pandas.read_csv(file, header=None)
        if frame.shape[1] != len(_KDD_COLUMNS) + 1:
            raise ValueError(
                f"{file} has {frame.shape[1]} columns; KDD Cup 1999 has "
                f"{len(_KDD_COLUMNS)} and a label."
            )
    frame.columns = [*_KDD_COLUMNS, "label"]
    kind = frame.pop("label").str.rstrip(".").to_numpy(dtype=str)
    types = dict.fromkeys(_KDD_COLUMNS, np.float32)
    frame = frame.astype(types | dict.fromkeys(_KDD_CATEGORICAL, "category"))
    return Bunch(data=frame, target=np.where(kind == "normal", 1, -1), kind=kind)


def _fetch_kddcup99(pandas):
    try:
        kdd = sklearn_datasets.fetch_kddcup99(percent10=True)
    except OSError as error:
        raise OSError(
            "KDD Cup 1999 could not be downloaded. Get 'kddcup.data_10_percent.gz' "
            "from the UCI KDD archive, and give its path, or put it into the folder "
            "'kddcup99' of the folder that the environment variable SKANOMALY_DATA "
            "names."
        ) from error
    frame = pandas.DataFrame(kdd.data)
    frame["label"] = kdd.target
    texts = [name for name in frame if isinstance(frame[name].iloc[0], bytes)]
    frame[texts] = frame[texts].apply(lambda column: column.str.decode("ascii"))
    return frame


@validate_params(
    {
        "kdd": [Bunch],
        "protocol": [StrOptions({"dagmm", "intrusion"})],
        "drop_duplicates": [StrOptions({"train", "all"}), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def split_kddcup99(kdd, *, protocol="dagmm", drop_duplicates=None, random_state=None):
    """Split KDD Cup 1999 as published.

    ``"dagmm"``, of the papers on DAGMM, MemAE, EGBAD and ALAD: a random half of all
    rows is for training, of which only the attacks are kept, as the *normal* class;
    all of the other half is for testing, and its normal connections, about a fifth,
    are the *outliers*. The papers call the fifth with the highest scores outliers; see
    `skanomaly.metrics.precision_recall_f1_at`.

    ``"intrusion"``, the direction in which the data would be used: a random half of the
    normal connections is for training; the other half and all attacks are for testing,
    and the attacks are the outliers. No kind of attack has been seen in training.

    Parameters
    ----------
    kdd : Bunch
        From `load_kddcup99`.
    protocol : {"dagmm", "intrusion"}, default="dagmm"
        Which split.
    drop_duplicates : {"train", "all"} or None, default=None
        Where only one of several equal rows is kept: in the training part, in both
        parts (then before the split, so that no test row stands in the training part),
        or nowhere, as published.
    random_state : int, RandomState instance or None, default=None
        Decides the split.

    Returns
    -------
    split : Bunch
        - ``X_train``, ``X_test``: DataFrame.
        - ``y_train``, ``y_test``: ndarray of 1 for inliers and -1 for outliers; all of
          ``y_train`` is 1.
        - ``kind_train``, ``kind_test``: ndarray of str, ``"normal"`` or the kind of
          attack.

    Notes
    -----
    GOAD and NeuTraL-AD put *all* normal connections into the test part and take the
    true share of outliers for their threshold: about six points of F1 more for the same
    scores. Figures of the two protocols must not stand in one table.

    References
    ----------
    .. [1] B. Zong et al., "Deep Autoencoding Gaussian Mixture Model for Unsupervised
       Anomaly Detection", ICLR 2018, section 4.

    Examples
    --------
    >>> from skanomaly.datasets import load_kddcup99, split_kddcup99
    >>> kdd = load_kddcup99()  # doctest: +SKIP
    >>> split = split_kddcup99(kdd, random_state=0)  # doctest: +SKIP
    >>> split.X_train.shape  # doctest: +SKIP
    (198348, 41)
    """
    random_state = check_random_state(random_state)
    data, kind = kdd.data, kdd.kind
    if drop_duplicates == "all":
        data, kind = _distinct(data, kind)
    is_inlier = (kind == "normal") if protocol == "intrusion" else (kind != "normal")
    if protocol == "dagmm":
        pool, test = train_test_split(
            np.arange(len(data)), test_size=0.5, random_state=random_state
        )
        train = pool[is_inlier[pool]]
    else:
        train, held_out = train_test_split(
            np.flatnonzero(is_inlier), test_size=0.5, random_state=random_state
        )
        test = np.concatenate([held_out, np.flatnonzero(~is_inlier)])
    X_train, kind_train = data.iloc[train], kind[train]
    if drop_duplicates == "train":
        X_train, kind_train = _distinct(X_train, kind_train)
    return Bunch(
        X_train=X_train,
        X_test=data.iloc[test],
        y_train=np.ones(len(X_train), dtype=int),
        y_test=np.where(is_inlier[test], 1, -1),
        kind_train=kind_train,
        kind_test=kind[test],
    )


def _distinct(data, kind):
    keep = ~data.duplicated().to_numpy()
    return data[keep], kind[keep]


def load_adbench(name, path=None):
    """Load one of ADBench's classical tables.

    Parameters
    ----------
    name : str
        As ADBench names it, with or without the number: ``"cardio"`` or
        ``"6_cardio"``.
    path : str, path-like or None, default=None
        The folder with the ``.npz`` files; None takes ``adbench`` in the folder that
        ``SKANOMALY_DATA`` names.

    Returns
    -------
    data : Bunch
        - ``data``: ndarray of shape (n_samples, n_features), float64, not scaled.
        - ``target``: ndarray of shape (n_samples,), 1 for inliers, -1 for outliers.

    Raises
    ------
    FileNotFoundError
        Where there is no such set; the message lists those that are there.

    References
    ----------
    .. [1] S. Han et al., "ADBench: Anomaly Detection Benchmark", NeurIPS 2022,
       arXiv:2206.09426.

    Examples
    --------
    >>> from skanomaly.datasets import load_adbench
    >>> load_adbench("cardio").data.shape  # doctest: +SKIP
    (1831, 21)
    """
    if path is None:
        path = Path(os.environ.get("SKANOMALY_DATA", ".")) / "adbench"
    files = {file.stem: file for file in sorted(Path(path).glob("*.npz"))}
    short = {stem.split("_", 1)[-1]: file for stem, file in files.items()}
    file = (short | files).get(name)
    if file is None:
        raise FileNotFoundError(
            f"There is no set {name!r} in {path}; there are {sorted(files)}. "
            f"{_how_to_get('adbench')} Name their folder by path=, or by "
            "SKANOMALY_DATA the folder that holds it as 'adbench'."
        )
    with np.load(file) as arrays:
        X, y = arrays["X"].astype(np.float64), arrays["y"].ravel()
    return Bunch(data=X, target=np.where(y == 1, -1, 1))


# -- images and video ------------------------------------------------------------------


def load_mnist(path=None):
    """Load MNIST from a local file.

    Parameters
    ----------
    path : str, path-like or None, default=None
        Keras's ``mnist.npz``; None takes ``mnist/mnist.npz`` in the folder that
        ``SKANOMALY_DATA`` names.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (60000, 1, 28, 28), float32 in [0, 1].
        - ``y_train``: ndarray of shape (60000,), the digits.
        - ``X_test``, ``y_test``: likewise, 10,000.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.

    See Also
    --------
    one_class_split : Make a one-class problem of it.

    References
    ----------
    .. [1] Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten
       digits", 1998.

    Examples
    --------
    >>> from skanomaly.datasets import load_mnist
    >>> load_mnist().X_train.shape  # doctest: +SKIP
    (60000, 1, 28, 28)
    """
    with np.load(find_data("mnist/mnist.npz", path)) as arrays:
        return Bunch(
            X_train=_as_floats(arrays["x_train"][:, np.newaxis]),
            y_train=arrays["y_train"].astype(int),
            X_test=_as_floats(arrays["x_test"][:, np.newaxis]),
            y_test=arrays["y_test"].astype(int),
        )


def load_cifar10(path=None):
    """Load CIFAR-10 from a local file of JPEG images.

    Parameters
    ----------
    path : str, path-like or None, default=None
        An ``.npz`` with ``jpeg_train``, ``offsets_train``, ``y_train`` and the same for
        ``test``; image i is ``jpeg[offsets[i]:offsets[i + 1]]``. None takes
        ``cifar10/cifar10_jpeg.npz`` in the folder that ``SKANOMALY_DATA`` names.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (50000, 3, 32, 32), float32 in [0, 1].
        - ``y_train``: ndarray of shape (50000,), classes 0 to 9.
        - ``X_test``, ``y_test``: likewise, 10,000.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ImportError
        Where Pillow is missing.

    Notes
    -----
    JPEG is slightly lossy: figures on this copy may differ from the original's.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

    Examples
    --------
    >>> from skanomaly.datasets import load_cifar10
    >>> load_cifar10().X_train.shape  # doctest: +SKIP
    (50000, 3, 32, 32)
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "load_cifar10 needs Pillow: pip install 'skanomaly[images]'."
        ) from error

    def decode(jpeg, offsets):
        images = [
            np.asarray(Image.open(io.BytesIO(jpeg[start:stop].tobytes())))
            for start, stop in itertools.pairwise(offsets)
        ]
        return _as_floats(np.stack(images).transpose(0, 3, 1, 2))

    with np.load(find_data("cifar10/cifar10_jpeg.npz", path)) as arrays:
        return Bunch(
            X_train=decode(arrays["jpeg_train"], arrays["offsets_train"]),
            y_train=arrays["y_train"].astype(int),
            X_test=decode(arrays["jpeg_test"], arrays["offsets_test"]),
            y_test=arrays["y_test"].astype(int),
        )


def load_ped2(path=None):
    """Load the frames of the UCSD Ped2 surveillance videos from a local file.

    Parameters
    ----------
    path : str, path-like or None, default=None
        An ``.npz`` with ``x_train``, ``video_train``, ``x_test``, ``video_test`` and
        ``y_test``. None takes ``ucsd_ped2/ped2_64x96.npz`` in the folder that
        ``SKANOMALY_DATA`` names.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (2550, 1, 64, 96), float32 in [0, 1]; all of
          them normal, in the order of time.
        - ``video_train``: ndarray of shape (2550,), which video a frame is of.
        - ``X_test``, ``video_test``: likewise, 2010 frames.
        - ``y_test``: ndarray of shape (2010,), 1 for normal frames, -1 for frames with
          something else than pedestrians.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.

    References
    ----------
    .. [1] V. Mahadevan, W. Li, V. Bhalodia, N. Vasconcelos, "Anomaly Detection in
       Crowded Scenes", CVPR 2010.

    Examples
    --------
    >>> from skanomaly.datasets import load_ped2
    >>> load_ped2().X_train.shape  # doctest: +SKIP
    (2550, 1, 64, 96)
    """
    with np.load(find_data("ucsd_ped2/ped2_64x96.npz", path)) as arrays:
        return Bunch(
            X_train=_as_floats(arrays["x_train"][:, np.newaxis]),
            video_train=arrays["video_train"].astype(int),
            X_test=_as_floats(arrays["x_test"][:, np.newaxis]),
            video_test=arrays["video_test"].astype(int),
            y_test=np.where(arrays["y_test"] == 1, -1, 1),
        )


def _as_floats(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, dtype=np.float32) / np.float32(255)


# -- protocols -------------------------------------------------------------------------


@validate_params(
    {
        "X_train": ["array-like"],
        "y_train": ["array-like"],
        "X_test": ["array-like"],
        "y_test": ["array-like"],
        "outlier_share": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def one_class_split(
    X_train,
    y_train,
    X_test,
    y_test,
    normal_class,
    *,
    outlier_share=None,
    random_state=None,
):
    """Turn a classification data set into a one-class problem.

    Training keeps the samples of one class; in the test part they are the inliers and
    the samples of all other classes the outliers.

    Parameters
    ----------
    X_train : array-like of shape (n_train, ...)
        Training samples.
    y_train : array-like of shape (n_train,)
        Their classes.
    X_test : array-like of shape (n_test, ...)
        Test samples.
    y_test : array-like of shape (n_test,)
        Their classes.
    normal_class : int or str
        The class that is normal.
    outlier_share : float or None, default=None
        Keep so many of the outliers, at random, that they are this share of the test
        part. None keeps all.
    random_state : int, RandomState instance or None, default=None
        Decides which outliers are kept.

    Returns
    -------
    split : Bunch
        - ``X_train``: ndarray, the samples of the normal class.
        - ``X_test``: ndarray.
        - ``y_test``: ndarray of 1 for inliers and -1 for outliers.
        - ``class_test``: ndarray, the classes of the test samples.

    Raises
    ------
    ValueError
        If no training sample is of `normal_class`, or if there are too few outliers for
        `outlier_share`.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skanomaly.datasets import one_class_split
    >>> X_train, X_test, y_train, y_test = train_test_split(
    ...     *load_digits(return_X_y=True), random_state=0
    ... )
    >>> split = one_class_split(X_train, y_train, X_test, y_test, normal_class=3)
    >>> split.X_train.shape, split.X_test.shape, int((split.y_test == 1).sum())
    ((138, 64), (450, 64), 45)
    """
    X_train, y_train = np.asarray(X_train), np.asarray(y_train)
    X_test, y_test = np.asarray(X_test), np.asarray(y_test)
    is_normal = y_train == normal_class
    if not is_normal.any():
        raise ValueError(
            f"No training sample is of class {normal_class!r}; there are "
            f"{np.unique(y_train).tolist()}."
        )
    inliers = np.flatnonzero(y_test == normal_class)
    outliers = np.flatnonzero(y_test != normal_class)
    if outlier_share is not None:
        n_outliers = round(len(inliers) * outlier_share / (1 - outlier_share))
        if n_outliers > len(outliers):
            raise ValueError(
                f"outlier_share={outlier_share} needs {n_outliers} outliers beside "
                f"{len(inliers)} inliers, but there are {len(outliers)}."
            )
        random_state = check_random_state(random_state)
        outliers = random_state.choice(outliers, n_outliers, replace=False)
    test = np.sort(np.concatenate([inliers, outliers]))
    return Bunch(
        X_train=X_train[is_normal],
        X_test=X_test[test],
        y_test=np.where(y_test[test] == normal_class, 1, -1),
        class_test=y_test[test],
    )


def _import_pandas(caller: str) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"{caller} returns a DataFrame and needs pandas: "
            "pip install 'skanomaly[frames]'."
        ) from error
    return pandas
