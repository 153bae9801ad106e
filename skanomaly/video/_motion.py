"""Rows of numbers on what moves: foreground and optical flow in cells of a window."""

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.validation import check_is_fitted

from skanomaly._decorators import fit_context
from skanomaly._version import VersionMixin

from ._background import estimate_background, some_frames, to_gray
from ._boxes import box_sums
from ._flow import OpticalFlow, import_cv2, one_thread
from ._frames import check_frames, check_frames_shape, check_slices
from ._velocity import MotionMaps, median_speeds

# The mean flow of a cell with less foreground is reduced: few pixels are noisy.
_LEAST_SHARE = 0.1
_SMALLEST_SIDE = 12  # pixels of the longer side, which DIS needs

_POSITIVE = [Interval(Integral, 1, None, closed="left")]


class MotionWindows(VersionMixin, BaseEstimator):
    """Motion features of windows in which something moves, of a fixed camera.

    The foreground is what differs from the background, and its motion is measured by
    optical flow. A window consists of cells; a cell gives four numbers: the share of
    its pixels that are foreground, their mean velocity across and down, and their mean
    squared speed. A detector of rows takes them; `FramePooling` turns its scores into
    scores of frames.

    Parameters
    ----------
    window : tuple of two int, default=(10, 6)
        Height and width of a window in pixels; about those of a usual object.
    cells : tuple of two int, default=(2, 2)
        Number of cells of a window, down and across. They must divide `window`.
    length : int, default=1
        Number of frames over which a cell is averaged; the frame in the middle is that
        of the window. Fewer are at the ends of a video.
    stride : int, default=2
        Pixels from one window to the next, down and across.
    threshold : float, default=10.0
        A pixel is foreground if it differs from the background by more than this
        multiple of the noise.
    min_foreground : float, default=0.2
        Windows with a smaller share of foreground are left out.
    upscale : int, default=3
        Frames are enlarged by this factor for the optical flow, so that it finds the
        motion of small objects. Take 1 if objects are larger than 30 pixels.
    perspective : bool, default=False
        Whether the unit of speed depends on the row, as a straight line that is fitted
        to the median speeds of rows: what is farther away seems to be slower. If False,
        it is the same for all rows.

    Attributes
    ----------
    background_ : ndarray of shape (height, width)
        Median of each pixel over training frames, channels averaged.
    noise_ : float
        Robust standard deviation of pixels around the background.
    speed_ : ndarray of shape (height,)
        The unit of speed of each row, in pixels per frame: the median speed of the
        foreground.
    gray_range_ : tuple of two float
        Smallest and largest gray value of training frames.
    frame_shape_ : tuple of three int
        Channels, height and width of a frame.

    See Also
    --------
    FramePooling : From scores of windows to scores of frames.
    make_moving_clips : Windows of pixels instead.

    Notes
    -----
    Optical flow is that of DIS [1]_ between the frames before and after, by OpenCV,
    which the extra ``video`` installs. So a window knows one frame after the last of
    its own. Background, noise and speeds are learnt from at most 500 training frames
    that are evenly spread. `transform` holds `length` frames at a time, and its result
    for a video does not depend on other videos. The camera must not move.

    References
    ----------
    .. [1] T. Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016,
       :arxiv:`1603.03590`.

    Examples
    --------
    A square that moves by one pixel a frame, and one that moves by two:

    >>> import numpy as np
    >>> from skanomaly.video import MotionWindows
    >>> rng = np.random.default_rng(0)
    >>> still, square = rng.uniform(size=(32, 64)), rng.uniform(2, 3, size=(8, 8))
    >>> def film(speed):
    ...     frames = np.tile(still, (20, 1, 1, 1))
    ...     for t, frame in enumerate(frames):
    ...         frame[0, 12:20, 4 + speed * t : 12 + speed * t] = square
    ...     return frames
    >>> windows = MotionWindows(window=(8, 8)).fit(film(1))
    >>> rows, places = windows.transform(film(2))
    >>> rows.shape[1], places[0].tolist()  # frame, row, column
    (16, [0, 6, 4])
    >>> cells = rows.reshape(-1, 2, 2, 4)
    >>> velocities = cells[..., 1]  # in units of the training's
    >>> bool(1.8 < np.median(velocities) < 2.2)
    True
    """

    _parameter_constraints = {
        "window": ["array-like"],
        "cells": ["array-like"],
        "length": _POSITIVE,
        "stride": _POSITIVE,
        "threshold": [Interval(Real, 0, None, closed="neither")],
        "min_foreground": [Interval(Real, 0, 1, closed="right")],
        "upscale": _POSITIVE,
        "perspective": ["boolean"],
    }
    # Its arguments are no metadata for scikit-learn to route.
    __metadata_request__fit = {"frames": UNUSED, "video": UNUSED}
    __metadata_request__transform = {"frames": UNUSED, "video": UNUSED}

    def __init__(
        self,
        window: tuple[int, int] = (10, 6),
        *,
        cells: tuple[int, int] = (2, 2),
        length: int = 1,
        stride: int = 2,
        threshold: float = 10.0,
        min_foreground: float = 0.2,
        upscale: int = 3,
        perspective: bool = False,
    ):
        self.window = window
        self.cells = cells
        self.length = length
        self.stride = stride
        self.threshold = threshold
        self.min_foreground = min_foreground
        self.upscale = upscale
        self.perspective = perspective

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, frames: Any, y: Any = None, *, video: Any = None) -> Self:
        """Learn background, noise and the unit of speed from normal frames.

        Parameters
        ----------
        frames : array-like of shape (n_frames, channels, height, width)
            Frames in temporal order, one video after the other.
        y : None
            Ignored.
        video : array-like of shape (n_frames,) or None, default=None
            The video of each frame; None if all frames are of one video.

        Returns
        -------
        self : MotionWindows
            The fitted estimator.

        Raises
        ------
        ImportError
            If OpenCV is missing.
        ValueError
            If frames differ in size or are smaller than a window, if a video has one
            frame only, or if nothing moves.
        """
        import_cv2()
        frames = check_frames(frames)
        slices = check_slices(video, len(frames))
        _check_window(self.window, self.cells, self.upscale, frames.shape[2:])
        background, noise = estimate_background(frames)
        gray = to_gray(frames[some_frames(len(frames))])
        gray_range = float(gray.min()), float(gray.max())
        with one_thread():
            maps = self._maps(background, noise, gray_range)
            speed = median_speeds(maps, frames, slices, self.perspective)
        if speed is None:
            raise ValueError(
                "Nothing moves in these frames: no pixel differs from the background "
                f"by more than {self.threshold} times the noise of {noise:.3g} and has "
                "a velocity. Give frames of a fixed camera with objects that move, or "
                "lower threshold."
            )
        self.frame_shape_ = frames.shape[1:]
        self.background_, self.noise_, self.gray_range_ = background, noise, gray_range
        self.speed_ = speed
        return self

    def transform(self, frames: Any, video: Any = None) -> Any:
        """Return the features of all windows in which something moves.

        Parameters
        ----------
        frames : array-like of shape (n_frames, channels, height, width)
            Frames in temporal order, one video after the other, of the size seen in
            `fit`.
        video : array-like of shape (n_frames,) or None, default=None
            The video of each frame; None if all frames are of one video.

        Returns
        -------
        rows : ndarray of shape (n_windows, 4 * n_cells)
            Foreground, velocity across, velocity down and squared speed of each cell,
            cells from left to right and from top to bottom; float32. Velocities are in
            units of `speed_`.
        places : ndarray of shape (n_windows, 3)
            Index of the window's frame in `frames`, and row and column of its upper
            left pixel.

        Raises
        ------
        ValueError
            If frames are of another size than in `fit`, or if a video has one frame
            only.
        """
        check_is_fitted(self)
        frames = check_frames(frames)
        check_frames_shape(frames, self.frame_shape_)
        slices = check_slices(video, len(frames))
        n_features = 4 * self.cells[0] * self.cells[1]
        rows = [np.empty((0, n_features), dtype=np.float32)]
        places = [np.empty((0, 3), dtype=int)]
        with one_thread():
            maps = self._maps(self.background_, self.noise_, self.gray_range_)
            for own in slices:
                for t, averages in maps.averages(frames, own, self.length):
                    averages[1:3] /= self.speed_[:, np.newaxis]
                    averages[3] /= self.speed_[:, np.newaxis] ** 2
                    of_frame, corners = self._cut(averages)
                    rows.append(of_frame)
                    places.append(np.insert(corners, 0, t, axis=1))
        return np.concatenate(rows), np.concatenate(places)

    def _maps(self, background, noise, gray_range):
        flow = OpticalFlow(gray_range, self.upscale)
        return MotionMaps(background, self.threshold * noise, flow)

    def _cut(self, maps):
        """Return features and corners of the windows of one frame."""
        height, width = self.window
        n_down, n_across = self.cells
        cell = height // n_down, width // n_across
        means = box_sums(maps, *cell) / (cell[0] * cell[1])
        means[1:] /= np.maximum(means[0], _LEAST_SHARE)
        share = box_sums(maps[0], height, width) / (height * width)
        corners = np.argwhere(
            share[:: self.stride, :: self.stride] >= self.min_foreground
        )
        corners = corners * self.stride
        down, across = corners.T
        rows = [
            means[:, down + i * cell[0], across + j * cell[1]]
            for i in range(n_down)
            for j in range(n_across)
        ]
        return np.concatenate(rows).T.astype(np.float32), corners


def _check_window(window, cells, upscale, shape):
    """Check what scikit-learn's constraints can't say."""
    _check_pair("window", window)
    _check_pair("cells", cells)
    height, width = shape
    if any(n % k for n, k in zip(window, cells, strict=True)):
        raise ValueError(f"cells={cells} must divide window={window}, down and across.")
    if window[0] > height or window[1] > width:
        raise ValueError(
            f"window={window} is larger than a frame of {height} x {width} pixels."
        )
    if max(shape) * upscale < _SMALLEST_SIDE:
        raise ValueError(
            f"Frames of {height} x {width} pixels, {upscale} times enlarged, are too "
            "small for optical flow: take upscale so that the longer side has "
            f"{_SMALLEST_SIDE} pixels."
        )


def _check_pair(name, value):
    is_whole = [isinstance(n, int | np.integer) and n is not True for n in value]
    if len(value) != 2 or not all(is_whole) or min(value) < 1:
        raise ValueError(
            f"{name} must be two whole numbers of at least 1, got {value!r}."
        )
