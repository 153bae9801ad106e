"""Tables as one-class problems."""

import os
import re
from pathlib import Path

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.utils import Bunch

from ._files import how_to_get, open_arrays


def load_breast_cancer() -> Bunch:
    """Load the Wisconsin breast cancer data as a one-class problem.

    It comes with scikit-learn.

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


def load_adbench(name: str, path: str | os.PathLike | None = None) -> Bunch:
    """Load one of ADBench's classical tables from a local file.

    Parameters
    ----------
    name : str
        Name of a file without ``.npz``, with or without its number: ``"cardio"`` or
        ``"6_cardio"``.
    path : str, path-like or None, default=None
        The folder with the ``.npz`` files; None is ``adbench`` in the folder named by
        ``SKANOMALY_DATA``.

    Returns
    -------
    data : Bunch
        - ``data``: ndarray of shape (n_samples, n_features), float64, not scaled.
        - ``target``: ndarray of shape (n_samples,), 1 for inliers, -1 for outliers.

    Raises
    ------
    FileNotFoundError
        If there is no such set; the message lists those that are there.
    ValueError
        If several files have this name without their number.

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
    found = (
        [name]
        if name in files
        else [stem for stem in files if re.sub(r"^\d+_", "", stem) == name]
    )
    if not found:
        raise FileNotFoundError(
            f"There is no set {name!r} in {path}; there are {sorted(files)}. "
            f"{how_to_get('adbench')} Pass their folder as path=, or set "
            "SKANOMALY_DATA to the folder that holds it as 'adbench'."
        )
    if len(found) > 1:
        raise ValueError(
            f"{name!r} is ambiguous in {path}: there are {found}. Pass one of them."
        )
    with open_arrays(files[found[0]]) as arrays:
        X, y = arrays["X"].astype(np.float64), arrays["y"].ravel()
    return Bunch(data=X, target=np.where(y == 1, -1, 1))
