"""Frame scores of detectors on clips of whole frames."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
)

from skanomaly._decorators import validate_params

from ._boxes import box_sums
from ._clips import clip_starts, cut
from ._frames import check_frames, check_video

# Clips overlap, so that those of a few hundred frames are gigabytes.
_BATCH_SIZE = 32


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
def frame_scores(
    detector: Any,
    frames: Any,
    video: Any = None,
    *,
    step: int = 1,
    patch: Any = None,
    normalize: str | None = None,
) -> np.ndarray:
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
    frames = check_frames(frames)
    video = check_video(video, len(frames))
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
    starts = clip_starts(video, length, step)
    total, count = np.zeros(len(frames)), np.zeros(len(frames))
    for batch in np.array_split(starts, -(-len(starts) // _BATCH_SIZE)):
        maps = detector.anomaly_map(cut(frames, batch, length))
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
    return box_sums(maps, patch, patch).max(axis=(-2, -1))
