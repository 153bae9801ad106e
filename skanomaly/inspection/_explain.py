"""Reasons for scores, in the columns of the user's own table."""

from numbers import Integral
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import eye_array
from sklearn.utils import check_scalar, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skanomaly._decorators import validate_params

from ._attribution import attribute
from ._replacement import Replacement
from ._samples import objects, read_samples

_ROWS_AT_ONCE = 10_000


@validate_params(
    {
        "top": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions({"auto", "anomaly_map", "replacement"})],
    },
    prefer_skip_nested_validation=True,
)
def explain(
    estimator: Any, X: Any, *, top: int = 3, method: str = "auto", reference: Any = None
) -> Any:
    """Tell which columns make each sample abnormal, and what was expected there.

    Parameters
    ----------
    estimator : estimator
        A fitted outlier detector with `score_samples`, of this package or of
        scikit-learn, or a Pipeline, search or meta-estimator around one.
    X : {DataFrame, Arrow table, array-like, sparse matrix} of shape \
            (n_samples, n_columns), dict or list of dict
        The samples, as the estimator takes them.
    top : int or None, default=3
        The largest number of reasons for a sample; None tells all.
    method : {"auto", "anomaly_map", "replacement"}, default="auto"
        How the abnormality is attributed to columns:

        - ``"auto"``: by a reconstruction that doesn't see the faulty column if the
          detector reconstructs, and by replacement if it doesn't.
        - ``"anomaly_map"``: the detector's `anomaly_map`, summed over the features that
          are made from a column.
        - ``"replacement"``: how much the score rises if the value of a column is
          replaced by that of normal rows. It needs nothing but `score_samples`, and
          calls it once a column.
    reference : {DataFrame, array-like} of shape (n_reference, n_columns), default=None
        Normal rows, of the kind of X, whose values are taken by replacement; None takes
        the rows of X that `predict` calls inliers. Not used otherwise.

    Returns
    -------
    reasons : DataFrame
        A row for each sample and reason, the largest share of a sample first; of the
        library that X comes from, and of pandas if that is none. Columns that add
        nothing are no reason. It has the columns

        - ``sample``: position of the sample in X;
        - ``column``: name of the column, or its position if X has no names;
        - ``value``: what the sample has there; None, or NaN in a pandas column of
          numbers, if it is missing;
        - ``expected``: what a normal sample would have; None where no step of the
          preprocessing can say;
        - ``share``: the part of the abnormality that is due to the column. The shares
          of all columns sum to one.

        Where ``value`` or ``expected`` hold numbers and text, only pandas takes them as
        they are; else they are text.

    Raises
    ------
    TypeError
        If `estimator` has no `score_samples`, or if X is no table.
    ValueError
        If `method` is ``"anomaly_map"`` and the detector has none, or can't be traced
        to the columns; or if there are too few normal rows to replace values with.
    ImportError
        If pandas is needed and not installed.

    See Also
    --------
    ReasonsDisplay : The reasons for one sample as bars.
    report : Reasons, scores and training as a page of HTML.

    Notes
    -----
    *By reconstruction.* A faulty value is an input of the network, too, and spoils the
    reconstruction of other columns. So two columns, that of the largest error and the
    one farthest from the training mean, are in turn replaced by the mean before the
    network sees the sample. What leaves the smaller error in all other columns is kept,
    and each column's share is its squared error. ``expected`` is that reconstruction,
    through the inverse of the preprocessing.

    *Preprocessing.* The features that `~skanomaly.preprocessing.TableEncoder` or
    scikit-learn's ColumnTransformer, encoders, imputers and scalers make from a column
    count for this column. If a step mixes columns (PCA, for example) or is not known,
    values are replaced in the table itself.

    *By the map* the shares are those of the score where the map sums to the score, as
    those of `~skanomaly.Autoencoder` and `~skanomaly.MemAE` do.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skanomaly import Autoencoder, make_tabular_pipeline
    >>> from skanomaly.inspection import explain
    >>> rng = np.random.default_rng(0)
    >>> age = rng.normal(40, 10, 500).round()
    >>> people = pd.DataFrame({"age": age, "born": 2024 - age})
    >>> people["city"] = rng.choice(["Bonn", "Ulm"], 500)
    >>> detector = make_tabular_pipeline(Autoencoder(random_state=0)).fit(people)
    >>> wrong = pd.DataFrame({"age": [40.0], "born": [1884.0], "city": ["Ulm"]})
    >>> explain(detector, wrong, top=1).round(0)
       sample column   value  expected  share
    0       0   born  1884.0    1985.0    1.0
    """
    samples = read_samples(X, getattr(estimator, "feature_names_in_", None))
    if not len(samples):
        raise ValueError("X has no samples: at least one is needed.")
    rows = np.arange(len(samples))
    return _explain_rows(estimator, samples, rows, top, method, reference)


def explain_some(estimator, X, positions, top, reference=None):
    """Return the reasons for some samples, with the others as what is normal."""
    check_is_fitted(estimator)
    check_scalar(top, "top", Integral, min_val=1)
    samples = read_samples(X, getattr(estimator, "feature_names_in_", None))
    n_samples = len(samples)
    for each in positions:
        is_whole = isinstance(each, int | np.integer)
        if not (is_whole and -n_samples <= each < n_samples):
            raise ValueError(
                f"sample must be a position in X, which has {n_samples} samples; got "
                f"{each!r}."
            )
    rows = np.arange(n_samples)[positions]
    return _explain_rows(estimator, samples, rows, top, reference=reference)


def _explain_rows(estimator, samples, rows, top, method="auto", reference=None):
    """Explain some of the samples; all of them may tell what is normal."""
    check_is_fitted(estimator)
    if not hasattr(estimator, "score_samples"):
        raise TypeError(
            f"{type(estimator).__name__} has no score_samples, by which outlier "
            "detectors are explained. (LocalOutlierFactor has it with novelty=True.)"
        )
    by_map, replacement, parts = method == "anomaly_map", None, []
    for batch in gen_batches(len(rows), _ROWS_AT_ONCE):
        part, found = samples[rows[batch]], None
        if method != "replacement":
            membership = eye_array(len(samples.names), format="csr")
            found = attribute(estimator, part, membership, by_map=by_map)
        if found is None and by_map:
            raise ValueError(
                f"{type(estimator).__name__} has no anomaly_map of columns: its "
                "detector has none, or a step before it mixes columns. Pass "
                "method='auto'."
            )
        if found is None:
            replacement = replacement or Replacement(estimator, samples, reference)
            found = replacement.attribute(part)
        parts.append(_reasons(found, samples, rows, batch.start, top))
    merged = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return _to_frame(merged, samples.frame)


def _reasons(found, samples, rows, start, top):
    """Return the columns of the frame for the rows from one of them on."""
    shares = found.shares
    order = _largest(shares, top)
    sample = np.repeat(np.arange(len(shares)), order.shape[1])
    position = order.ravel()
    share = np.take_along_axis(shares, order, axis=1).ravel()
    is_reason = share > 0
    sample, position, share = sample[is_reason], position[is_reason], share[is_reason]
    value, expected, column = (np.empty(len(share), dtype=object) for _ in range(3))
    for each in np.unique(position):
        at = np.flatnonzero(position == each)
        column[at] = samples.names[each]
        value[at] = samples.values(each, rows[sample[at] + start])
        if found.expected is not None:
            expected[at] = objects(found.expected[sample[at], each])
    return {
        "sample": sample + start,
        "column": column,
        "value": value,
        "expected": expected,
        "share": share,
    }


def _largest(shares, top):
    """Return the positions of the largest shares of each sample, in their order."""
    if top is None or top >= shares.shape[1]:
        return np.argsort(-shares, axis=1, kind="stable")
    found = np.sort(np.argpartition(-shares, top - 1, axis=1)[:, :top], axis=1)
    order = np.argsort(-np.take_along_axis(shares, found, axis=1), kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _to_frame(columns, frame):
    """Return a frame of the library that the samples came from."""
    if frame is None:
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "explain returns a frame of pandas unless X is one of another library: "
                "pip install 'skanomaly[frames]'."
            ) from error
        return pd.DataFrame(columns).infer_objects()
    backend = frame.implementation
    if backend.is_pandas():
        return nw.from_dict(columns, backend=backend).to_native().infer_objects()
    lists = {name: _of_one_type(values.tolist()) for name, values in columns.items()}
    return nw.from_dict(lists, backend=backend).to_native()


def _of_one_type(values):
    """Return values as they are if they have one type, and as text otherwise."""
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1 or types == {int, float}:
        return values
    return [None if value is None else str(value) for value in values]
