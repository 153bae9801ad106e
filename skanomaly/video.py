"""From frames to clips, and from clips back to frames."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)

__all__ = ["frame_scores", "make_clips"]

# Clips overlap, so that a few hundred frames make gigabytes of them: a few at a time.
_CLIPS_AT_ONCE = 32


@validate_params(
    {
        "frames": ["array-like"],
        "video": ["array-like", None],
        "length": [Interval(Integral, 1, None, closed="left")],
        "step": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def make_clips(frames, video=None, *, length=16, step=1):
    """Cut videos into clips of consecutive frames.

    Parameters
    ----------
    frames : array-like of shape (n_frames, channels, height, width)
        Frames in the order of time, one video after the other.
    video : array-like of shape (n_frames,) or None, default=None
        Which video a frame is of; None takes all frames for one video.
    length : int, default=16
        Frames in a clip.
    step : int, default=1
        Frames from the start of one clip to the start of the next. The last clip of a
        video ends with the video, so that every frame is in a clip.

    Returns
    -------
    clips : ndarray of shape (n_clips, channels, length, height, width)
        Of the dtype of `frames`. No clip spans two videos.
    starts : ndarray of shape (n_clips,)
        Where in `frames` each clip starts.

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
    frames = _check_frames(frames)
    starts = _clip_starts(_check_video(video, len(frames)), length, step)
    return _cut(frames, starts, length), starts


@validate_params(
    {
        "detector": [HasMethods(["anomaly_map"])],
        "frames": ["array-like"],
        "video": ["array-like", None],
        "step": [Interval(Integral, 1, None, closed="left")],
        "patch": [Interval(Integral, 1, None, closed="left"), None],
        "normalize": [StrOptions({"per_video"}), None],
    },
    prefer_skip_nested_validation=True,
)
def frame_scores(detector, frames, video=None, *, step=1, patch=None, normalize=None):
    """Score each frame by the clips that hold it.

    A clip's anomaly map says how abnormal each of its frames is; a frame's score is the
    mean over all clips that hold it.

    Parameters
    ----------
    detector : estimator
        A detector that was fitted on clips.
    frames : array-like of shape (n_frames, channels, height, width)
        Frames in the order of time, one video after the other.
    video : array-like of shape (n_frames,) or None, default=None
        Which video a frame is of; None takes all frames for one video.
    step : int, default=1
        Frames from the start of one clip to the start of the next.
    patch : int or None, default=None
        Side of a square, in pixels. A clip then says of a frame what it says of that
        square in it where the map's sum is the largest: one odd thing counts, not how
        much is going on. Take the size of the things in the scene. None sums the map
        over the whole frame.
    normalize : {"per_video"} or None, default=None
        ``"per_video"`` stretches the scores of each video to [0, 1], as the papers on
        video do. It looks at the *whole* video, so it can't be had while the video
        runs, and it calls something abnormal in every video: a way to compare with
        published figures, not a detector.

    Returns
    -------
    scores : ndarray of shape (n_frames,)
        The lower, the more abnormal; float64.

    Raises
    ------
    ValueError
        If the detector was not fitted on clips, if frames have another shape than its
        own, if a video is shorter than a clip, or if `patch` is larger than a frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.video import frame_scores, make_clips
    >>> frames = np.random.default_rng(0).normal(size=(30, 1, 8, 8))
    >>> clips, _ = make_clips(frames, length=4)
    >>> detector = Autoencoder(max_epochs=1, random_state=0).fit(clips)
    >>> frame_scores(detector, frames).shape
    (30,)
    """
    frames = _check_frames(frames)
    video = _check_video(video, len(frames))
    shape = getattr(detector, "input_shape_", None)
    if shape is None or len(shape) != 4:
        raise ValueError(
            "frame_scores needs a detector that was fitted on clips (n, channels, "
            f"time, height, width); this one's samples have the shape {shape}."
        )
    length = shape[1]
    if patch is not None and patch > min(shape[2:]):
        raise ValueError(
            f"patch={patch} is larger than a frame of {shape[2]} x {shape[3]} pixels."
        )
    starts = _clip_starts(video, length, step)
    total, count = np.zeros(len(frames)), np.zeros(len(frames))
    for some in np.array_split(starts, -(-len(starts) // _CLIPS_AT_ONCE)):
        maps = detector.anomaly_map(_cut(frames, some, length))
        by_frame = _pool(maps.sum(axis=1), patch)
        held = some[:, np.newaxis] + np.arange(length)
        np.add.at(total, held, by_frame)
        np.add.at(count, held, 1)
    scores = -total / count
    if normalize == "per_video":
        for name in np.unique(video):
            inside = video == name
            low, high = scores[inside].min(), scores[inside].max()
            scores[inside] = (scores[inside] - low) / max(high - low, 1e-12)
    return scores


def _pool(maps, patch):
    """Sum maps (..., height, width), or take the largest sum over squares in them."""
    if patch is None:
        return maps.sum(axis=(-2, -1))
    # The sum over a square is made of four sums over what lies above and left of it.
    corners = np.zeros((*maps.shape[:-2], maps.shape[-2] + 1, maps.shape[-1] + 1))
    corners[..., 1:, 1:] = maps.cumsum(axis=-2).cumsum(axis=-1)
    strips = corners[..., patch:, :] - corners[..., :-patch, :]
    return (strips[..., patch:] - strips[..., :-patch]).max(axis=(-2, -1))


def _check_frames(frames):
    frames = np.asarray(frames)
    if frames.ndim != 4:
        raise ValueError(
            "frames must have the shape (n_frames, channels, height, width), got "
            f"{frames.shape}."
        )
    return frames


def _check_video(video, n_frames):
    video = np.zeros(n_frames, dtype=int) if video is None else np.asarray(video)
    check_consistent_length(video, range(n_frames))
    n_runs = 1 + (video[1:] != video[:-1]).sum()
    if n_runs != len(np.unique(video)):
        raise ValueError("The frames of a video must stand together, in order of time.")
    return video


def _clip_starts(video, length, step):
    if step > length:
        raise ValueError(
            f"step={step} would leave out frames between clips of {length} frames."
        )
    starts = []
    for name in np.unique(video):
        (inside,) = np.nonzero(video == name)
        last = inside[-1] - length + 1
        if last < inside[0]:
            raise ValueError(
                f"Video {name} has {len(inside)} frames, fewer than the {length} of a "
                "clip."
            )
        starts += [*range(inside[0], last, step), last]
    return np.sort(starts)


def _cut(frames, starts, length):
    clips = np.stack([frames[start : start + length] for start in starts])
    return clips.swapaxes(1, 2)
