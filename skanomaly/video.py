"""Clips of video frames, and frame scores of detectors on clips."""

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

# Clips overlap, so that those of a few hundred frames are gigabytes.
_BATCH_SIZE = 32


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
    """Compute frame scores from the anomaly maps of clips.

    The anomaly map of a clip is summed over each of its frames; the score of a frame is
    the negative mean over all clips that contain it.

    Parameters
    ----------
    detector : estimator
        A detector with `anomaly_map` that is fitted on clips.
    frames : array-like of shape (n_frames, channels, height, width)
        Frames in temporal order, one video after the other.
    video : array-like of shape (n_frames,) or None, default=None
        The video of each frame; None if all frames are of one video.
    step : int, default=1
        Number of frames from the start of one clip to the start of the next.
    patch : int or None, default=None
        Side length of a square patch, in pixels. The map is then summed over the patch
        with the largest sum only, so that a frame is scored by its most abnormal object
        and not by the amount of motion. Take about the size of an object. None sums
        over the whole frame.
    normalize : {"per_video"} or None, default=None
        ``"per_video"`` scales the scores of each video to [0, 1], as publications on
        video do. It needs the whole video, so it can't be used online, and every video
        gets a frame with score 0, whether or not anything is abnormal. Use it only to
        compare with published results.

    Returns
    -------
    scores : ndarray of shape (n_frames,)
        The lower, the more abnormal; float64.

    Raises
    ------
    ValueError
        If the detector was not fitted on clips, if the shape of the frames is not that
        seen in `fit`, if a video is shorter than a clip, or if `patch` is larger than a
        frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.video import frame_scores, make_clips
    >>> frames = np.random.default_rng(0).normal(size=(30, 1, 8, 8))
    >>> clips, _ = make_clips(frames, length=4)
    >>> detector = Autoencoder(max_epochs=50, random_state=0).fit(clips)
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
    for batch in np.array_split(starts, -(-len(starts) // _BATCH_SIZE)):
        maps = detector.anomaly_map(_cut(frames, batch, length))
        frame_indices = batch[:, np.newaxis] + np.arange(length)
        np.add.at(total, frame_indices, _pool(maps.sum(axis=1), patch))
        np.add.at(count, frame_indices, 1)
    scores = -total / count
    if normalize == "per_video":
        for name in np.unique(video):
            inside = video == name
            low, high = scores[inside].min(), scores[inside].max()
            scores[inside] = (scores[inside] - low) / max(high - low, 1e-12)
    return scores


def _pool(maps, patch):
    """Sum maps (..., height, width) over all pixels, or over the largest patch."""
    if patch is None:
        return maps.sum(axis=(-2, -1))
    # A summed-area table: the sum over each patch is a difference of four entries.
    table = np.zeros((*maps.shape[:-2], maps.shape[-2] + 1, maps.shape[-1] + 1))
    table[..., 1:, 1:] = maps.cumsum(axis=-2).cumsum(axis=-1)
    strips = table[..., patch:, :] - table[..., :-patch, :]
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
        raise ValueError(
            "The frames of a video must be consecutive; sort frames and video by video."
        )
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
