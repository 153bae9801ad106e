"""Training of a Pipeline on rows that are transformed block by block."""

from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.random import sample_without_replacement

from skanomaly._sources import BlockSource, RowSource, open_source


def fit_batches(
    estimator: Any,
    source: Any,
    *,
    max_samples: int = 100_000,
    random_state: int | np.random.RandomState | None = None,
) -> Any:
    """Fit a detector, or a Pipeline with one, on data larger than memory.

    The steps before the detector are fitted on rows drawn at random, which must fit
    into memory. The detector is trained on all rows, transformed block by block.

    Parameters
    ----------
    estimator : detector or Pipeline
        A detector of this package, or a Pipeline whose last step is one. It stays as it
        is.
    source : RowSource or what `open_source` opens
        Training rows. The steps get tables as frames of pandas, and arrays as arrays.
    max_samples : int, default=100_000
        Rows that the steps before the detector are fitted on, at the most.
    random_state : int, RandomState instance or None, default=None
        Decides which these are.

    Returns
    -------
    fitted : detector or Pipeline
        A fitted clone. It knows nothing of the way it was fitted.

    Raises
    ------
    TypeError
        If the last step is not a detector of this package, which alone reads in blocks.
    ValueError
        If the data can't be trained on.
    OSError
        If a file can't be read.

    See Also
    --------
    score_batches : Scores of as many rows, by any estimator.

    Notes
    -----
    Means, variances, quantiles and categories of 100,000 random rows are those of all
    for every purpose here; a category that is in none of them is treated as one that is
    met after `fit`. Rows are transformed anew in each epoch. ``early_stopping`` and
    other parameters of the detector work as in ``fit``.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from skanomaly import Autoencoder, make_tabular_pipeline
    >>> from skanomaly.out_of_core import fit_batches
    >>> table = pa.table({"x": [1.0, 2.0, 4.0] * 200, "kind": ["a", "b"] * 300})
    >>> pipeline = make_tabular_pipeline(Autoencoder(max_epochs=1, random_state=0))
    >>> fitted = fit_batches(pipeline, table, random_state=0)
    >>> fitted.predict(pa.table({"x": [9.0], "kind": ["c"]}))
    array([-1])
    """
    check_scalar(max_samples, "max_samples", Integral, min_val=2)
    is_pipeline = isinstance(estimator, Pipeline)
    _check_detector(estimator[-1] if is_pipeline else estimator)
    rows, fitted = open_source(source), clone(estimator)
    if not is_pipeline or len(fitted) == 1:
        return fitted.fit(rows)
    if not rows.shape[0]:
        raise ValueError(f"There are no rows in {rows.name}.")
    n_drawn = min(max_samples, rows.shape[0])
    drawn = sample_without_replacement(
        rows.shape[0], n_drawn, random_state=check_random_state(random_state)
    )
    transformers = fitted[:-1].fit(rows.sample(np.sort(drawn)))
    fitted.steps[:-1] = transformers.steps  # a Pipeline with memory fits copies
    fitted[-1].fit(TransformedRows(rows, transformers))
    return fitted


class TransformedRows(BlockSource):
    """Rows as they come out of the fitted steps of a Pipeline."""

    def __init__(self, rows: RowSource, transformer: Any):
        self._rows = rows
        self._transformer = transformer
        self._head = transformer.transform(rows.first_frame())
        self.shape = (rows.shape[0], *self._head.shape[1:])
        self.columns = list(getattr(self._head, "columns", [])) or None
        self.starts = rows.starts

    def head(self) -> Any:
        """Return the first rows as the steps return them, with names if they do."""
        return self._head

    def place(self, row: int) -> str:
        """Tell which row it was made of."""
        return f"what the steps make of {self._rows.place(row)}"

    def _values(self, block: int) -> np.ndarray:
        values = [
            self._transformer.transform(frame) for frame, _ in self._rows.frames(block)
        ]
        dense = [x.toarray() if sparse.issparse(x) else np.asarray(x) for x in values]
        return np.concatenate(dense, dtype=np.float32, casting="unsafe")


def _check_detector(detector: Any) -> None:
    from skanomaly.base import BaseDetector  # which imports torch

    if not isinstance(detector, BaseDetector):
        raise TypeError(
            "Only detectors of skanomaly are trained block by block, got "
            f"{detector!r}. Fit it on a sample of the rows, and score all "
            "of them by skanomaly.out_of_core.score_batches."
        )
