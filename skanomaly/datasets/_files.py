"""Local data files, and how to obtain those that are missing."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile

import numpy as np


def find_data(name: str, path: str | os.PathLike | None = None) -> Path:
    """Return the path of a local data file.

    Parameters
    ----------
    name : str
        Path of the file in the data folder, such as ``"mnist/mnist.npz"``.
    path : str, path-like or None, default=None
        Path of the file itself. None looks for `name` in the folder named by the
        environment variable ``SKANOMALY_DATA``.

    Returns
    -------
    path : pathlib.Path
        A file that exists.

    Raises
    ------
    FileNotFoundError
        If there is no such file; the message says where it belongs.

    Examples
    --------
    >>> from skanomaly.datasets import find_data
    >>> find_data("mnist/mnist.npz", path="nowhere.npz")
    Traceback (most recent call last):
        ...
    FileNotFoundError: There is no file nowhere.npz.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a str such as 'mnist/mnist.npz', got {name!r}.")
    if path is not None:
        found = Path(path)
        if not found.is_file():
            raise FileNotFoundError(f"There is no file {path}.")
        return found
    folder = os.environ.get("SKANOMALY_DATA")
    if folder is None:
        raise FileNotFoundError(
            f"{name} is needed. Set the environment variable SKANOMALY_DATA to the "
            f"folder that holds it, or pass the file as path=. {how_to_get(name)}"
        )
    found = Path(folder) / name
    if not found.is_file():
        raise FileNotFoundError(
            f"{name} is not in the folder {folder} named by SKANOMALY_DATA. "
            f"{how_to_get(name)}"
        )
    return found


def how_to_get(name: str) -> str:
    """Return how to obtain the file."""
    hints = {
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
    }
    known = f"skanomaly's own loaders read files in the folders {sorted(hints)}."
    return hints.get(name.partition("/")[0], known)


@contextmanager
def open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    """Open a file of numpy's arrays, or say what it is not."""
    try:
        with np.load(path) as arrays:
            yield arrays
    except (BadZipFile, EOFError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not the .npz file that is meant, or is damaged: {error}"
        ) from error
