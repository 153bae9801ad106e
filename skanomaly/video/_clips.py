"""Clips of consecutive frames, whole or at moving places."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params

from ._boxes import box_sums
from ._frames import check_frames, check_video, video_slices

_POSITIVE = [Interval(Integral, 1, None, closed="left")]


@validate_params(
    {
        "frames": ["array-like"],
        "video": ["array-like", None],
        "length": _POSITIVE,
        "step": _POSITIVE,
    },
    prefer_skip_nested_validation=True,
)
def make_clips(
    frames: Any, video: Any = None, *, length: int = 16, step: int = 1
) -> Any:
    """Split videos into clips of consecutive frames.

    Parameters
    ----------
    frames : array-like of shape (n_frames, channels, height, width)
        Frames in temporal order, one video after the other.
    video : array-like of shape (n_frames,) or None, default=None
        The video of each frame; None if all frames are of one video.
    length : int, default=16
        Number of frames in a clip.
    step : int, default=1
        Number of frames from the start of one clip to the start of the next. The last
        clip of a video ends with the video, so that every frame is in a clip.

    Returns
    -------
    clips : ndarray of shape (n_clips, channels, length, height, width)
        Of the dtype of `frames`. No clip spans two videos.
    starts : ndarray of shape (n_clips,)
        Index in `frames` of the first frame of each clip.

    Raises
    ------
    ValueError
        If frames have another shape, if a video is shorter than a clip, or if `step`
        is larger than `length`.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.video import make_clips
    >>> clips, starts = make_clips(np.zeros((10, 1, 4, 4)), length=4, step=4)
    >>> clips.shape, starts.tolist()
    ((3, 1, 4, 4, 4), [0, 4, 6])
    """
    frames = check_frames(frames)
    starts = clip_starts(check_video(video, len(frames)), length, step)
    return cut(frames, starts, length), starts


@validate_params(
    {
        "frames": ["array-like"],
        "video": ["array-like", None],
        "size": _POSITIVE,
        "length": _POSITIVE,
        "step": [*_POSITIVE, None],
        "min_motion": [Interval(Real, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def make_moving_clips(
    frames: Any,
    video: Any = None,
    *,
    size: Any = 16,
    length: int = 4,
    step: int | None = None,
    min_motion: float = 0.01,
) -> Any:
    """Cut small clips of the places where something moves.

    Frames are divided into squares that don't overlap; a clip is what a square shows in
    consecutive frames. Those without motion are dropped, as there is nothing to learn
    of the background.

    Parameters
    ----------
    frames : array-like of shape (n_frames, channels, height, width)
        Frames in temporal order, one video after the other.
    video : array-like of shape (n_frames,) or None, default=None
        The video of each frame; None if all frames are of one video.
    size : int, default=16
        Side of a square in pixels. Rows and columns at the end of a frame that fill no
        square are left out.
    length : int, default=4
        Number of frames in a clip, at least 2.
    step : int or None, default=None
        Number of frames from the start of one clip to the start of the next; None takes
        `length`, so that clips don't overlap.
    min_motion : float, default=0.01
        Least mean absolute difference of consecutive frames in a clip, in units of the
        frames; the default is for frames in [0, 1].

    Returns
    -------
    clips : ndarray of shape (n_clips, channels, length, size, size)
        Float32.
    places : ndarray of shape (n_clips, 3)
        Index in `frames` of the first frame, and row and column of the upper left
        pixel.

    Raises
    ------
    ValueError
        If frames differ in size or are smaller than a square, or if a video is shorter
        than a clip.

    See Also
    --------
    FramePooling : From scores of clips to scores of frames.
    make_clips : Clips of whole frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.video import make_moving_clips
    >>> frames = np.zeros((8, 1, 32, 32))
    >>> frames[5, 0, 20, 20] = 100
    >>> clips, places = make_moving_clips(frames)
    >>> clips.shape, places.tolist()
    ((1, 1, 4, 16, 16), [[4, 16, 16]])
    """
    frames = check_frames(frames)
    if length < 2:
        raise ValueError(f"length must be at least 2 to see motion, got {length}.")
    n_channels, height, width = frames.shape[1:]
    if size > min(height, width):
        raise ValueError(
            f"size={size} is larger than a frame of {height} x {width} pixels."
        )
    starts = clip_starts(check_video(video, len(frames)), length, step or length)
    clips = [np.empty((0, n_channels, length, size, size), dtype=np.float32)]
    places = [np.empty((0, 3), dtype=int)]
    for start in starts:
        part = np.asarray(frames[start : start + length], dtype=np.float32)
        motion = np.abs(np.diff(part, axis=0)).mean(axis=(0, 1))
        means = box_sums(motion, size, size)[::size, ::size] / size**2
        for corner in np.argwhere(means > min_motion) * size:
            row, column = corner
            clip = part[:, :, row : row + size, column : column + size]
            clips.append(clip.swapaxes(0, 1)[np.newaxis])
            places.append(np.array([[start, row, column]]))
    return np.concatenate(clips), np.concatenate(places)


def clip_starts(video, length, step):
    """Return the first frame of each clip; the last one ends with its video."""
    if step > length:
        raise ValueError(
            f"step={step} would leave out frames between clips of {length} frames."
        )
    starts = []
    for own in video_slices(video):
        last = own.stop - length
        if last < own.start:
            raise ValueError(
                f"Video {video[own.start]} has {own.stop - own.start} frames, fewer "
                f"than the {length} of a clip."
            )
        starts += [*range(own.start, last, step), last]
    return np.array(starts)


def cut(frames, starts, length):
    """Return the clips (n, channels, length, height, width) that start there."""
    clips = np.stack([frames[start : start + length] for start in starts])
    return clips.swapaxes(1, 2)
