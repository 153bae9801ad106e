"""The preprocessing of tables and a detector as one pipeline."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from ._clip import ClipTransformer
from ._encoder import TableEncoder
from ._scaler import TableScaler

# Sparse if less than this is nonzero: at most a tenth of the memory of dense columns.
_SPARSE_THRESHOLD = 0.05


def make_tabular_pipeline(
    detector: Any,
    *,
    scaler: Any = None,
    clip: float | None = 10.0,
    drop: Sequence[str] | None = None,
    keep: Sequence[str] | None = None,
    min_frequency: float = 0.01,
) -> Pipeline:
    """Make a pipeline of a detector and the preprocessing of tables.

    Numbers, dates and categories are encoded by
    `~skanomaly.preprocessing.TableEncoder`; ids, free text and constant columns are
    left out, and a warning names them. Then all columns are scaled, and clipped, so
    that no single value outweighs the rest of the row. All steps are fitted on the
    samples given to `fit`.

    Parameters
    ----------
    detector : estimator
        The last step.
    scaler : transformer or None, default=None
        Scaler of the encoded columns; None is that of
        `sklearn.preprocessing.StandardScaler`, which centers the columns if they are
        dense, and leaves zeros where they are if they are sparse.
    clip : float or None, default=10.0
        Largest absolute value after scaling, in units of the scaler: standard
        deviations. None does not clip.
    drop : list of str or list of int, default=None
        Columns to leave out without a warning; positions if the columns have no names.
    keep : list of str or list of int, default=None
        Columns to use even if they would be left out.
    min_frequency : float, default=0.01
        A level of a category that makes up a smaller fraction of the training samples
        has no column of its own: all such levels share one with those never seen.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Steps ``"encode"``, ``"scale"``, ``"clip"`` and ``"detector"``. It is fitted on
        frames of pandas and polars, Arrow tables, and dense arrays. Fitted on a frame,
        it also scores one sample as a dict or a Series, and several as a list of dicts.

    Raises
    ------
    ValueError
        If `clip` is not positive.

    See Also
    --------
    skanomaly.preprocessing.TableEncoder : What becomes of each kind of column.

    Notes
    -----
    Many categories with many levels each become sparse columns, if the detector and the
    scaler take such.

    Names for a grid search: ``detector__latent_size``, ``scale``, ``clip__limit``,
    ``encode__min_frequency``, ...

    `skanomaly.save` writes the pipeline to a file. skops and mlflow load it if they are
    told to trust its types: those of ``skanomaly.preprocessing.TRUSTED_TYPES`` and of
    the detector.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder, make_tabular_pipeline
    >>> X = np.array(
    ...     [[1.0, "tcp"], [2.0, "udp"], [None, "tcp"], [1.5, "tcp"], [1.5, "udp"]],
    ...     dtype=object,
    ... )
    >>> pipeline = make_tabular_pipeline(Autoencoder(random_state=0))
    >>> pipeline.fit(X)[:-1].get_feature_names_out().tolist()
    ['x0', 'missingindicator_x0', 'x1_tcp', 'x1_udp', 'x1_infrequent']
    >>> pipeline[:-1].transform(X[:3]).round(1)
    array([[-1.6, -0.5,  0.8, -0.8,  0. ],
           [ 1.6, -0.5, -1.2,  1.2,  0. ],
           [ 0. ,  2. ,  0.8, -0.8,  0. ]], dtype=float32)
    """
    if clip is not None and not (isinstance(clip, Real) and float(clip) > 0):
        raise ValueError(f"clip must be a positive number or None, got {clip!r}.")
    scaler = TableScaler() if scaler is None else scaler
    for name, step in (("scaler", scaler), ("detector", detector)):
        if step != "passthrough" and not hasattr(step, "fit"):
            raise TypeError(f"{name} must be an estimator with fit, got {step!r}.")
    is_sparse = _takes_sparse(scaler) and _takes_sparse(detector)
    encode = TableEncoder(
        drop=drop,
        keep=keep,
        min_frequency=min_frequency,
        sparse_threshold=_SPARSE_THRESHOLD if is_sparse else 0.0,
    )
    return Pipeline(
        [
            ("encode", encode),
            ("scale", scaler),
            ("clip", "passthrough" if clip is None else ClipTransformer(clip)),
            ("detector", detector),
        ]
    )


def _takes_sparse(step):
    return step == "passthrough" or get_tags(step).input_tags.sparse
