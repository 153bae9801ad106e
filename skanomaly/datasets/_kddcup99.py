"""KDD Cup 1999 and protocols for splitting it."""

import os
from typing import Any

import numpy as np
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import StrOptions

from skanomaly._decorators import validate_params

from ._files import find_data

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


def load_kddcup99(path: str | os.PathLike | None = None) -> Bunch:
    """Load the 10 % file of KDD Cup 1999, a table of network connections.

    Without `path` the file is looked for in the folder named by ``SKANOMALY_DATA``, and
    else downloaded and cached by `sklearn.datasets.fetch_kddcup99`.

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
        If `path` is given and there is no such file.
    OSError
        If there is no local file and the download fails.
    ValueError
        If the file has another format.
    ImportError
        If pandas is missing.

    See Also
    --------
    split_kddcup99 : Split it into a training and a test part.

    Notes
    -----
    Of the 494,021 rows 145,586 are distinct, and nearest neighbours among the distinct
    training rows do as well on protocol ``"dagmm"`` as any network. High scores on this
    data are little evidence for a method.

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
            "from the UCI KDD archive, and pass its path, or put it into the folder "
            "'kddcup99' of the folder named by the environment variable "
            "SKANOMALY_DATA."
        ) from error
    frame = pandas.DataFrame(kdd.data)
    frame["label"] = kdd.target
    texts = [name for name in frame if isinstance(frame[name].iloc[0], bytes)]
    frame[texts] = frame[texts].apply(lambda column: column.str.decode("ascii"))
    return frame


@validate_params(
    {
        "protocol": [StrOptions({"dagmm", "intrusion", "ordered"})],
        "drop_duplicates": [StrOptions({"train", "all"}), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def split_kddcup99(
    kdd: Any,
    *,
    protocol: str = "dagmm",
    drop_duplicates: str | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Split KDD Cup 1999 into a training part without outliers and a test part.

    ``"dagmm"``, of the papers on DAGMM, MemAE, EGBAD and ALAD: a random half of all
    rows is for training, of which only the attacks are kept, as the *normal* class;
    all of the other half is for testing, and its normal connections, about a fifth,
    are the *outliers*. The papers predict that the fifth with the highest scores are
    outliers; see `skanomaly.metrics.precision_recall_f1_at`.

    ``"intrusion"``, intrusion detection: a random half of the normal connections is for
    training; the other half and all attacks are for testing, and the attacks are the
    outliers. No attack is in the training part.

    ``"ordered"``, intrusion detection without shuffling: the first half of the normal
    connections in the file's order is for training; the second half and all attacks are
    for testing, and the attacks are the outliers. Normal traffic differs between the
    halves, as it does between the day a detector is fitted and the days it is used.

    Parameters
    ----------
    kdd : Bunch
        From `load_kddcup99`.
    protocol : {"dagmm", "intrusion", "ordered"}, default="dagmm"
        The protocol.
    drop_duplicates : {"train", "all"} or None, default=None
        Where duplicate rows are dropped: in the training part, in both parts (before
        the split, so that no test row is in the training part), or nowhere, as
        published.
    random_state : int, RandomState instance or None, default=None
        Determines the split; without effect on protocol ``"ordered"``.

    Returns
    -------
    split : Bunch
        - ``X_train``, ``X_test``: DataFrame.
        - ``y_train``, ``y_test``: ndarray of 1 for inliers and -1 for outliers; all of
          ``y_train`` is 1.
        - ``kind_train``, ``kind_test``: ndarray of str, ``"normal"`` or the kind of
          attack.

    Raises
    ------
    TypeError
        If `kdd` is not from `load_kddcup99`.

    Notes
    -----
    GOAD and NeuTraL-AD put *all* normal connections into the test part and set their
    threshold by the true fraction of outliers: about six points of F1 more for the same
    scores. Results of the two protocols are not comparable.

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
    >>> split = split_kddcup99(kdd, protocol="ordered")  # doctest: +SKIP
    >>> split.X_train.shape  # doctest: +SKIP
    (48639, 41)
    """
    if not isinstance(kdd, Bunch) or not {"data", "kind"} <= kdd.keys():
        raise TypeError(
            "kdd must be the Bunch that skanomaly.datasets.load_kddcup99 returns, with "
            f"data and kind; got {type(kdd).__name__}."
        )
    random_state = check_random_state(random_state)
    data, kind = kdd.data, kdd.kind
    if drop_duplicates == "all":
        data, kind = _distinct(data, kind)
    is_inlier = (kind != "normal") if protocol == "dagmm" else (kind == "normal")
    if protocol == "dagmm":
        pool, test = train_test_split(
            np.arange(len(data)), test_size=0.5, random_state=random_state
        )
        train = pool[is_inlier[pool]]
    else:
        train, held_out = train_test_split(
            np.flatnonzero(is_inlier),
            test_size=0.5,
            shuffle=protocol == "intrusion",
            random_state=random_state,
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


def _import_pandas(caller):
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            f"{caller} returns a DataFrame and needs pandas: "
            "pip install 'skanomaly[frames]'."
        ) from error
    return pandas
