"""From scores of windows to scores of frames."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skanomaly._decorators import fit_context
from skanomaly._version import VersionMixin

from ._frames import check_video, check_windows, video_slices

# Frames whose windows are laid out on a grid at a time.
_N_FRAMES_AT_ONCE = 256
# The bounded scale of frames: this quantile is scored 1/2, the median 0.98.
_MIDDLE = 0.05
_STEEPNESS = 4.0

_POSITIVE = [Interval(Integral, 1, None, closed="left")]


class FramePooling(VersionMixin, BaseEstimator):
    """Scores of frames from scores of windows, with a threshold.

    The score of a window is averaged with those of its neighbors; that of a frame is
    the lowest of its windows, or the mean of the lowest, on a scale from 0 to 1; and
    those of a video are smoothed. Give `fit` windows of normal frames that the detector
    was not fitted on: scores of its own training samples are too high.

    Parameters
    ----------
    top_k : int, default=1
        A frame's score is the mean over its `top_k` lowest windows.
    neighbors : int, default=5
        Side of the square of places over which scores are averaged first, an odd number
        in units of the distance of windows; 1 takes scores as they are. Places without
        a window don't count.
    length : int, default=1
        Number of frames that a window is counted for, from its own on. Take 1 for
        `MotionWindows`, and the length of clips for `make_moving_clips`.
    smoothing : float, default=3.0
        Standard deviation in frames of the Gaussian by which the scores of a video are
        smoothed. It looks ahead by four times as many frames; 0 doesn't smooth, and can
        be used online.
    contamination : float, default=0.05
        Fraction of the frames given to `fit` that are below the threshold.

    Attributes
    ----------
    offset_ : float
        The threshold: frames with a lower score are abnormal.
    center_, scale_ : float
        Of the logistic function of frames: a twentieth of the frames in `fit` are below
        the center, and their median is 4 times the scale above it.
    highest_ : float
        The highest score of a frame in `fit`, which frames without windows have.
    stride_ : int
        Distance of windows in pixels.

    See Also
    --------
    window_maps : From scores of windows to maps.

    Notes
    -----
    The lowest scores of frames have a long tail. The logistic function bounds them
    before they are smoothed: otherwise one very abnormal frame would make all frames
    around it abnormal, and few of them would decide on the range of a video.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.video import FramePooling
    >>> places = [[0, 0, 0], [1, 0, 0], [1, 4, 0], [2, 0, 0]]  # frame, row, column
    >>> pooling = FramePooling(neighbors=1, smoothing=0)
    >>> pooling.fit([-1.0, -2.0, -1.0, -3.0], places, video=[0, 0, 0])
    FramePooling(neighbors=1, smoothing=0)
    >>> found = pooling.score_frames([-2.0, -9.0], [[0, 0, 0], [0, 4, 4]], video=[0, 0])
    >>> found.round(2)
    array([0., 1.])
    """

    _parameter_constraints = {
        "top_k": _POSITIVE,
        "neighbors": _POSITIVE,
        "length": _POSITIVE,
        "smoothing": [Interval(Real, 0, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
    }
    # Its arguments are no metadata for scikit-learn to route.
    __metadata_request__fit = {"scores": UNUSED, "places": UNUSED, "video": UNUSED}

    def __init__(
        self,
        *,
        top_k: int = 1,
        neighbors: int = 5,
        length: int = 1,
        smoothing: float = 3.0,
        contamination: float = 0.05,
    ):
        self.top_k = top_k
        self.neighbors = neighbors
        self.length = length
        self.smoothing = smoothing
        self.contamination = contamination

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, scores: Any, places: Any, video: Any) -> Self:
        """Learn scale and threshold from windows of normal frames.

        Parameters
        ----------
        scores : array-like of shape (n_windows,)
            A detector's scores; the lower, the more abnormal.
        places : array-like of shape (n_windows, 3)
            Frame, row and column of each window.
        video : array-like of shape (n_frames,)
            The video of each frame, frames without windows included.

        Returns
        -------
        self : FramePooling
            The fitted estimator.

        Raises
        ------
        ValueError
            If there is no window, or a place is not that of a frame.
        """
        if self.neighbors % 2 == 0:
            raise ValueError(f"neighbors must be odd, got {self.neighbors}.")
        scores, places = check_windows(scores, places)
        video = check_video(video, np.shape(video)[0])
        if len(scores) == 0:
            raise ValueError(
                "There is no window in these frames: nothing moves. Fit on frames with "
                "motion."
            )
        # Rows and columns are multiples of it.
        self.stride_ = max(int(np.gcd.reduce(places[:, 1:], axis=None)), 1)
        pooled = self._pool(scores, places, video)
        self.highest_ = np.nanmax(pooled)
        self.center_, median = np.nanquantile(pooled, [_MIDDLE, 0.5])
        distance = max(median - self.center_, np.finfo(np.float32).tiny)
        self.scale_ = distance / _STEEPNESS
        found = self._finish(pooled, video)
        self.offset_ = float(np.quantile(found, self.contamination))
        return self

    def score_frames(self, scores: Any, places: Any, video: Any) -> np.ndarray:
        """Return the scores of frames.

        Parameters
        ----------
        scores : array-like of shape (n_windows,)
            A detector's scores; the lower, the more abnormal.
        places : array-like of shape (n_windows, 3)
            Frame, row and column of each window.
        video : array-like of shape (n_frames,)
            The video of each frame, frames without windows included.

        Returns
        -------
        scores : ndarray of shape (n_frames,)
            From 0 to 1; the lower, the more abnormal; below `offset_` is abnormal.
            Those of a video don't depend on other videos.
        """
        check_is_fitted(self)
        scores, places = check_windows(scores, places)
        video = check_video(video, np.shape(video)[0])
        return self._finish(self._pool(scores, places, video), video)

    def _pool(self, scores, places, video):
        """Return the lowest score of each frame, NaN where nothing moves."""
        if len(places) and not 0 <= places[:, 0].min() <= places[:, 0].max() < len(
            video
        ):
            raise ValueError(
                f"places has windows of frames {places[:, 0].min()} to "
                f"{places[:, 0].max()}, but video has {len(video)} frames."
            )
        if (places[:, 1:] % self.stride_).any():
            raise ValueError(
                f"places has rows or columns that are no multiple of {self.stride_}, "
                "the distance of windows in fit. Use windows of one stride."
            )
        order = np.argsort(places[:, 0], kind="stable")
        scores, places = scores[order], places[order]
        found = np.full(len(video), np.nan)
        for first in range(0, len(video), _N_FRAMES_AT_ONCE):
            last = min(first + _N_FRAMES_AT_ONCE, len(video))
            part = slice(*np.searchsorted(places[:, 0], [first, last]))
            if part.start < part.stop:
                grid = self._lay_out(scores[part], places[part] - [first, 0, 0])
                found[first : first + len(grid)] = _mean_of_lowest(grid, self.top_k)
        spread = found.copy()
        for own in video_slices(video):
            for lag in range(1, min(self.length, own.stop - own.start)):
                later = slice(own.start + lag, own.stop)
                before = found[own.start : own.stop - lag]
                spread[later] = np.fmin(spread[later], before)
        return spread

    def _lay_out(self, scores, places):
        """Put scores on a grid (frames, places), averaged over neighbors."""
        places = places // [1, self.stride_, self.stride_]
        shape = places.max(axis=0) + 1
        sums, counts = np.zeros(shape), np.zeros(shape)
        sums[tuple(places.T)], counts[tuple(places.T)] = scores, 1
        has_window = counts > 0
        if self.neighbors > 1:
            size = (1, self.neighbors, self.neighbors)
            sums = uniform_filter(sums, size, mode="constant")
            counts = uniform_filter(counts, size, mode="constant")
        means = np.divide(sums, counts, out=np.full(shape, np.inf), where=has_window)
        return means.reshape(shape[0], -1)

    def _finish(self, pooled, video):
        """Fill in frames without windows, bound and smooth."""
        filled = np.where(np.isnan(pooled), self.highest_, pooled)
        found = expit((filled - self.center_) / self.scale_)
        if self.smoothing > 0:
            for own in video_slices(video):
                found[own] = gaussian_filter1d(
                    found[own], self.smoothing, mode="nearest"
                )
        return found


def _mean_of_lowest(grid, k):
    """Return the mean of the k lowest finite values of each row, NaN if none."""
    k = min(k, grid.shape[1])
    lowest = np.sort(np.partition(grid, k - 1, axis=1)[:, :k], axis=1)
    is_finite = np.isfinite(lowest)
    counts = is_finite.sum(axis=1)
    sums = np.where(is_finite, lowest, 0).sum(axis=1)
    return np.divide(sums, counts, out=np.full(len(grid), np.nan), where=counts > 0)
