"""Images and video, and one-class problems made of them."""

import io
import itertools
import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.utils import Bunch, check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params

from ._files import find_data, open_arrays


@validate_params(
    {"normal_class": [Interval(Integral, 0, 9, closed="both")]},
    prefer_skip_nested_validation=True,
)
def load_digits(normal_class: Any = 0) -> Bunch:
    """Load scikit-learn's 8 x 8 digits as a one-class problem on images.

    They come with scikit-learn.

    Parameters
    ----------
    normal_class : int, default=0
        The digit that is normal.

    Returns
    -------
    data : Bunch
        - ``data``: ndarray of shape (1797, 1, 8, 8), float32 in [0, 1].
        - ``target``: ndarray of shape (1797,), 1 for the normal digit, -1 for others.
        - ``digit``: ndarray of shape (1797,), the digits.
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


def load_mnist(path: str | os.PathLike | None = None) -> Bunch:
    """Load MNIST from a local file.

    Parameters
    ----------
    path : str, path-like or None, default=None
        Keras's ``mnist.npz``; None is ``mnist/mnist.npz`` in the folder named by
        ``SKANOMALY_DATA``.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (60000, 1, 28, 28), float32 in [0, 1].
        - ``y_train``: ndarray of shape (60000,), the digits.
        - ``X_test``, ``y_test``: likewise, 10,000.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

    See Also
    --------
    one_class_split : Turn it into a one-class problem.

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
    with open_arrays(find_data("mnist/mnist.npz", path)) as arrays:
        return Bunch(
            X_train=_as_floats(arrays["x_train"][:, np.newaxis]),
            y_train=arrays["y_train"].astype(int),
            X_test=_as_floats(arrays["x_test"][:, np.newaxis]),
            y_test=arrays["y_test"].astype(int),
        )


def load_cifar10(path: str | os.PathLike | None = None) -> Bunch:
    """Load CIFAR-10 from a local file of JPEG images.

    Parameters
    ----------
    path : str, path-like or None, default=None
        An ``.npz`` with ``jpeg_train``, ``offsets_train``, ``y_train`` and the same for
        ``test``; image i is ``jpeg[offsets[i]:offsets[i + 1]]``. None is
        ``cifar10/cifar10_jpeg.npz`` in the folder named by ``SKANOMALY_DATA``.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (50000, 3, 32, 32), float32 in [0, 1].
        - ``y_train``: ndarray of shape (50000,), classes 0 to 9.
        - ``X_test``, ``y_test``: likewise, 10,000.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If Pillow is missing.
    PIL.UnidentifiedImageError
        If an image is of another format than JPEG.

    Notes
    -----
    JPEG is slightly lossy: results on this copy may differ from those on the original.

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
        # Left to itself, Pillow goes by the content: an EPS file runs Ghostscript.
        images = [
            np.asarray(
                Image.open(io.BytesIO(jpeg[start:stop].tobytes()), formats=["JPEG"])
            )
            for start, stop in itertools.pairwise(offsets)
        ]
        return _as_floats(np.stack(images).transpose(0, 3, 1, 2))

    with open_arrays(find_data("cifar10/cifar10_jpeg.npz", path)) as arrays:
        return Bunch(
            X_train=decode(arrays["jpeg_train"], arrays["offsets_train"]),
            y_train=arrays["y_train"].astype(int),
            X_test=decode(arrays["jpeg_test"], arrays["offsets_test"]),
            y_test=arrays["y_test"].astype(int),
        )


def load_ped2(path: str | os.PathLike | None = None) -> Bunch:
    """Load the frames of the UCSD Ped2 surveillance videos from a local file.

    Parameters
    ----------
    path : str, path-like or None, default=None
        An ``.npz`` with ``x_train``, ``video_train``, ``x_test``, ``video_test`` and
        ``y_test``. None is ``ucsd_ped2/ped2_64x96.npz`` in the folder named by
        ``SKANOMALY_DATA``.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (2550, 1, 64, 96), float32 in [0, 1]; normal
          frames in temporal order.
        - ``video_train``: ndarray of shape (2550,), the video of each frame.
        - ``X_test``, ``video_test``: likewise, 2010 frames.
        - ``y_test``: ndarray of shape (2010,), 1 for normal frames, -1 for frames with
          anything else than pedestrians.

    Raises
    ------
    FileNotFoundError
        If there is no such file.

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
    with open_arrays(find_data("ucsd_ped2/ped2_64x96.npz", path)) as arrays:
        return Bunch(
            X_train=_as_floats(arrays["x_train"][:, np.newaxis]),
            video_train=arrays["video_train"].astype(int),
            X_test=_as_floats(arrays["x_test"][:, np.newaxis]),
            video_test=arrays["video_test"].astype(int),
            y_test=np.where(arrays["y_test"] == 1, -1, 1),
        )


def _as_floats(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels, dtype=np.float32) / np.float32(255)


@validate_params(
    {
        "X_train": ["array-like"],
        "y_train": ["array-like"],
        "X_test": ["array-like"],
        "y_test": ["array-like"],
        "outlier_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def one_class_split(
    X_train: Any,
    y_train: Any,
    X_test: Any,
    y_test: Any,
    normal_class: Any,
    *,
    outlier_fraction: float | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Turn a classification data set into a one-class problem.

    One class is normal: only its samples are kept for training. Test samples of all
    other classes are outliers.

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
    outlier_fraction : float or None, default=None
        Fraction of outliers in the test part, for which a random subset of them is
        kept. None keeps all.
    random_state : int, RandomState instance or None, default=None
        Determines which outliers are kept.

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
        `outlier_fraction`.

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
    check_consistent_length(X_train, y_train)
    check_consistent_length(X_test, y_test)
    is_normal = y_train == normal_class
    if not is_normal.any():
        raise ValueError(
            f"No training sample is of class {normal_class!r}; there are "
            f"{np.unique(y_train).tolist()}."
        )
    inliers = np.flatnonzero(y_test == normal_class)
    outliers = np.flatnonzero(y_test != normal_class)
    if outlier_fraction is not None:
        n_outliers = round(len(inliers) * outlier_fraction / (1 - outlier_fraction))
        if n_outliers > len(outliers):
            raise ValueError(
                f"outlier_fraction={outlier_fraction} needs {n_outliers} outliers for "
                f"{len(inliers)} inliers, but there are {len(outliers)}."
            )
        rng = check_random_state(random_state)
        outliers = rng.choice(outliers, n_outliers, replace=False)
    test = np.sort(np.concatenate([inliers, outliers]))
    return Bunch(
        X_train=X_train[is_normal],
        X_test=X_test[test],
        y_test=np.where(y_test[test] == normal_class, 1, -1),
        class_test=y_test[test],
    )
