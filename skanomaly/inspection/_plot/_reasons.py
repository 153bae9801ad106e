"""The reasons for the score of a sample."""

from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._explain import explain_some
from skanomaly.inspection._samples import objects
from skanomaly.inspection._text import tell

_COLUMNS = ("sample", "column", "value", "expected", "share")


class ReasonsDisplay:
    """Bars of what each column adds to the score of a sample.

    Use `from_estimator` or `from_reasons`. All parameters are stored as attributes.

    Parameters
    ----------
    column : ndarray of shape (n_reasons,)
        Columns of the table.
    value : ndarray of shape (n_reasons,)
        What the sample has there; None where it is missing.
    expected : ndarray of shape (n_reasons,)
        What a normal sample would have; None where that is not known.
    share : ndarray of shape (n_reasons,)
        Part of the score that is due to the column.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars, in the order of `column`.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    skanomaly.inspection.explain : The reasons for the scores of samples.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.inspection import ReasonsDisplay
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> X[7, 2] = 9.0
    >>> detector = Autoencoder(max_epochs=20, random_state=0).fit(X)
    >>> display = ReasonsDisplay.from_estimator(detector, X, sample=7)
    >>> display.column[0], display.value[0]
    (2, 9.0)
    """

    def __init__(self, *, column: Any, value: Any, expected: Any, share: Any):
        self.column = column
        self.value = value
        self.expected = expected
        self.share = share

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        sample: int = 0,
        top: int = 5,
        reference: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the reasons for the score of one of the samples.

        Parameters
        ----------
        estimator : estimator
            Fitted outlier detector, or a Pipeline or meta-estimator around one.
        X : {DataFrame, array-like, sparse matrix} of shape (n_samples, n_columns)
            Samples as the detector takes them.
        sample : int, default=0
            Position of the sample.
        top : int, default=5
            The largest number of reasons.
        reference : {DataFrame, array-like} of shape (n_reference, n_columns), \
                default=None
            Normal rows, whose values are taken where reasons are found by replacing
            values; None takes the rows of X that `predict` calls inliers.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ReasonsDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If `estimator` has no `score_samples`, or if X is no table.
        ValueError
            If there is no such sample, or too few normal rows to find reasons.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        table = read_reasons(explain_some(estimator, X, [sample], top, reference))
        del table["sample"]
        return cls(**table).plot(ax, **kwargs)

    @classmethod
    def from_reasons(
        cls, reasons: Any, *, sample: int | None = None, ax: Any = None, **kwargs: Any
    ) -> Self:
        """Draw the reasons for one sample.

        Parameters
        ----------
        reasons : DataFrame
            What `skanomaly.inspection.explain` has returned: of pandas, polars or
            Arrow, with the columns ``"sample"``, ``"column"``, ``"value"``,
            ``"expected"`` and ``"share"``.
        sample : object or None, default=None
            The sample, as in that column; None if `reasons` is of one only.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ReasonsDisplay
            It has been drawn.

        Raises
        ------
        TypeError
            If `reasons` is no frame.
        ValueError
            If a column is missing, if there are no reasons for the sample, or if it is
            None and there are several.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_reasons")
        table = read_reasons(reasons)
        samples = list(dict.fromkeys(table["sample"]))
        if sample is None and len(samples) == 1:
            sample = samples[0]
        if sample not in samples:
            shown = ", ".join(map(repr, samples[:10]))
            raise ValueError(
                f"sample must be one of the {len(samples)} samples that reasons has: "
                f"{shown}{', ...' if len(samples) > 10 else ''}; got {sample!r}."
            )
        is_shown = table.pop("sample") == sample
        table = {name: values[is_shown] for name, values in table.items()}
        return cls(**table).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, bar_kwargs: dict[str, Any] | None = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        bar_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.barh`.

        Returns
        -------
        display : ReasonsDisplay
            This display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = find_axes(self, ax)
        places = np.arange(len(self.column))
        self.bars_ = ax.barh(places, self.share, **(bar_kwargs or {}))
        told = zip(self.column, self.value, self.expected, strict=True)
        ax.set_yticks(places, [tell(*each) for each in told])
        ax.invert_yaxis()
        ax.set(xlabel="share of the score")
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def read_reasons(reasons):
    """Return the columns of the frame as arrays, None where a value is missing."""
    try:
        frame = nw.from_native(reasons, eager_only=True)
    except TypeError:
        raise TypeError(
            "reasons must be the frame that skanomaly.inspection.explain returns, got "
            f"{type(reasons).__name__}."
        ) from None
    missing = [name for name in _COLUMNS if name not in frame.columns]
    if missing:
        raise ValueError(
            f"reasons must have the columns {', '.join(_COLUMNS)}; missing: "
            f"{', '.join(missing)}."
        )
    table = {name: objects(frame[name].to_list()) for name in _COLUMNS}
    return {**table, "share": table["share"].astype(float)}
