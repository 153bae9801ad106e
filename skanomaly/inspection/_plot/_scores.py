"""A histogram of scores, with the threshold."""

from typing import Any, Self

import numpy as np
from sklearn.utils import check_array, check_consistent_length

from skanomaly._matplotlib import check_matplotlib, find_axes
from skanomaly.inspection._innermost import find_threshold
from skanomaly.metrics import is_outlier

# A range of so many widths of the bulk is mostly tail.
_LONG_TAIL = 10.0
_N_TICKS = 6


class ScoreDisplay:
    """Histogram of scores, with the threshold, and by class where labels are known.

    Use `from_estimator` or `from_predictions`. All parameters are stored as attributes.

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        The lower, the more abnormal.
    threshold : float or None, default=None
        Samples with a lower score are called outliers; None draws no threshold.
    is_outlier : ndarray of shape (n_samples,), dtype bool, or None, default=None
        Which samples are outliers, if that is known.

    Attributes
    ----------
    bars_ : list of matplotlib BarContainer
        A histogram, or that of the inliers and that of the outliers.
    line_ : matplotlib Line2D or None
        The threshold.
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        The figure of the axes.

    See Also
    --------
    skanomaly.metrics.RocCurveDisplay : How well scores rank, at all thresholds.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from skanomaly.inspection import ScoreDisplay
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> forest = IsolationForest(random_state=0).fit(X)
    >>> display = ScoreDisplay.from_estimator(forest, X)
    >>> display.threshold
    -0.5
    """

    def __init__(
        self, scores: Any, *, threshold: float | None = None, is_outlier: Any = None
    ):
        self.scores = scores
        self.threshold = threshold
        self.is_outlier = is_outlier

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        outlier_label: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the scores that a fitted detector gives to samples.

        Parameters
        ----------
        estimator : estimator
            Fitted outlier detector with `score_samples`, or a Pipeline or
            meta-estimator around one. Its `offset_` is the threshold.
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples as the detector takes them.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, in any coding; see `skanomaly.metrics.is_outlier`.
        outlier_label : int, str or None, default=None
            As for `skanomaly.metrics.is_outlier`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ScoreDisplay
            It has been drawn.

        Raises
        ------
        ValueError
            If X and y differ in length, or if the labels' coding can't be recognized.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        threshold = find_threshold(estimator)
        if y is not None:
            check_consistent_length(X, y)
        return cls.from_predictions(
            estimator.score_samples(X),
            y,
            threshold=threshold,
            outlier_label=outlier_label,
            ax=ax,
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        scores: Any,
        y: Any = None,
        *,
        threshold: float | None = None,
        outlier_label: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw scores.

        Parameters
        ----------
        scores : array-like of shape (n_samples,)
            From `score_samples` or `decision_function`: the lower, the more abnormal.
        y : array-like of shape (n_samples,) or None, default=None
            Labels, in any coding; see `skanomaly.metrics.is_outlier`.
        threshold : float or None, default=None
            Samples with a lower score are called outliers; None draws no threshold.
        outlier_label : int, str or None, default=None
            As for `skanomaly.metrics.is_outlier`.
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        **kwargs : dict
            Passed to `plot`.

        Returns
        -------
        display : ScoreDisplay
            It has been drawn.

        Raises
        ------
        ValueError
            If scores and y differ in length, if a score is not finite, or if the
            labels' coding can't be recognized.
        ImportError
            If matplotlib is not installed.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        scores = check_array(scores, ensure_2d=False, input_name="scores", dtype=float)
        if scores.ndim != 1:
            raise ValueError(
                f"scores must have the shape (n_samples,), got {scores.shape}."
            )
        outlier = None
        if y is not None:
            check_consistent_length(scores, y)
            outlier = is_outlier(y, outlier_label)
        return cls(scores, threshold=threshold, is_outlier=outlier).plot(ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        bins: Any = 40,
        xscale: str | None = None,
        hist_kwargs: dict[str, Any] | None = None,
        threshold_kwargs: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the histogram.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Axes to draw on; None makes new ones.
        bins : int or str, default=40
            Number of bins, or a method of `numpy.histogram_bin_edges`.
        xscale : {"linear", "asinh"} or None, default=None
            Scale of the scores. ``"asinh"`` is linear around the median and logarithmic
            further out, on both sides. None takes it where most of a linear axis would
            be the tail of a few samples.
        hist_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.hist`.
        threshold_kwargs : dict or None, default=None
            More arguments for `matplotlib.axes.Axes.axvline`.

        Returns
        -------
        display : ScoreDisplay
            This display.

        Raises
        ------
        ValueError
            If `xscale` is none of these.
        ImportError
            If matplotlib is not installed.
        """
        if xscale not in ("linear", "asinh", None):
            raise ValueError(
                f'xscale must be "linear", "asinh" or None, got {xscale!r}.'
            )
        ax = find_axes(self, ax)
        scale = _AsinhScale(self.scores)
        if xscale is None:
            xscale = "asinh" if scale.has_long_tail else "linear"
        edges = np.histogram_bin_edges(self.scores, bins)
        if xscale == "asinh":
            ends = edges[[0, -1]]
            edges = np.histogram_bin_edges(scale.forward(self.scores), bins)
            edges = scale.inverse(edges)
            edges[[0, -1]] = ends  # as rounding would leave out a sample
            ax.set_xscale("function", functions=(scale.forward, scale.inverse))

        groups = {"samples": self.scores}
        if self.is_outlier is not None:
            groups = {
                "inliers": self.scores[~self.is_outlier],
                "outliers": self.scores[self.is_outlier],
            }
        self.bars_ = []
        for name, scores in groups.items():
            style = {"alpha": 0.6, "label": name, **(hist_kwargs or {})}
            self.bars_.append(ax.hist(scores, edges, **style)[2])
        self.line_ = None
        if self.threshold is not None:
            style = {"color": "black", "linestyle": "--", "label": "threshold"}
            style |= threshold_kwargs or {}
            self.line_ = ax.axvline(self.threshold, **style)
        if xscale == "asinh":
            ticks = scale.ticks(*ax.get_xlim())
            labels = [f"{tick:g}".replace("-", "\N{MINUS SIGN}") for tick in ticks]
            ax.set_xticks(ticks, labels)
        ax.set(xlabel="score (the lower, the more abnormal)", ylabel="samples")
        if self.line_ is not None or len(groups) > 1:
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


class _AsinhScale:
    """Linear around the median, logarithmic further out."""

    def __init__(self, scores):
        self.center, high = np.percentile(scores, [50, 75])
        # Of the upper half alone: many outliers would widen the lower one.
        self.width = 2 * (high - self.center) or np.ptp(scores) / 100 or 1.0
        self.has_long_tail = np.ptp(scores) > _LONG_TAIL * self.width

    def forward(self, scores):
        return np.arcsinh((scores - self.center) / self.width)

    def inverse(self, values):
        return self.center + self.width * np.sinh(values)

    def ticks(self, low, high):
        """Return evenly spaced places, rounded so far that they stay apart."""
        start, end = self.forward(np.array([low, high]))
        ticks = self.inverse(np.linspace(start, end, _N_TICKS + 2)[1:-1])
        gaps = np.diff(ticks)
        gaps = np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0]))
        digits = -np.floor(np.log10(gaps)).astype(int)
        return [round(float(tick), d) for tick, d in zip(ticks, digits, strict=True)]
