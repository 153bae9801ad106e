"""From scores of windows to maps of frames."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params

from ._frames import check_windows


@validate_params(
    {
        "scores": ["array-like"],
        "places": ["array-like"],
        "shape": ["array-like"],
        "window": ["array-like"],
        "fill": [Interval(Real, None, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=True,
)
def window_maps(
    scores: Any,
    places: Any,
    shape: tuple[int, ...],
    window: Any,
    *,
    fill: float | None = None,
) -> np.ndarray:
    """Compute maps of frames from scores of windows.

    A pixel has the mean over all windows that contain it.

    Parameters
    ----------
    scores : array-like of shape (n_windows,)
        A detector's scores; the lower, the more abnormal.
    places : array-like of shape (n_windows, 3)
        Frame, row and column of each window.
    shape : tuple of three int
        Number of frames, height and width of a frame.
    window : tuple of two int
        Height and width of a window.
    fill : float or None, default=None
        The score of pixels in no window. None takes the highest of `scores`.

    Returns
    -------
    maps : ndarray of shape (n_frames, height, width)
        The higher, the more abnormal; float32.

    Raises
    ------
    ValueError
        If a window is not inside a frame of this shape.

    See Also
    --------
    skanomaly.metrics.per_region_overlap : A metric of maps.

    Examples
    --------
    >>> from skanomaly.video import window_maps
    >>> places = [[0, 0, 0], [0, 0, 1]]
    >>> window_maps([-1.0, -3.0], places, shape=(1, 2, 4), window=(1, 2), fill=0.0)
    array([[[ 1.,  2.,  3., -0.],
            [-0., -0., -0., -0.]]], dtype=float32)
    """
    scores, places = check_windows(scores, places)
    shape, window = tuple(shape), tuple(window)
    ends = places + np.array([1, *window])
    if len(places) and ((places < 0).any() or (ends > shape).any()):
        raise ValueError(
            f"A window of {window[0]} x {window[1]} pixels at one of these places is "
            f"not inside the shape {shape}: frames, height, width."
        )
    sums, counts = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    frame, row, column = places.T
    for i in range(window[0]):
        for j in range(window[1]):
            np.add.at(sums, (frame, row + i, column + j), -scores)
            np.add.at(counts, (frame, row + i, column + j), 1)
    if fill is None:
        fill = scores.max(initial=0.0) if len(scores) == 0 else scores.max()
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.float32(-fill))
