"""Checks that all functions on videos share."""

import numpy as np
from sklearn.utils import check_array, check_consistent_length

_N_FRAMES_CHECKED_AT_ONCE = 256
_ADVICE = (
    "Give all videos one size first, for example by skimage.transform.resize or "
    "cv2.resize."
)


def check_frames(frames):
    """Return frames as an array (n_frames, channels, height, width)."""
    try:
        frames = np.asarray(frames)
    except ValueError as error:  # numpy's word for it is "inhomogeneous shape"
        raise ValueError(f"The frames differ in size. {_ADVICE}") from error
    if frames.dtype.kind not in "biuf":
        raise ValueError(
            f"The frames are of type {frames.dtype}: no numbers, or of several sizes. "
            f"{_ADVICE}"
        )
    if frames.ndim != 4:
        raise ValueError(
            "frames must have the shape (n_frames, channels, height, width), got "
            f"{frames.shape}."
        )
    if 0 in frames.shape:
        raise ValueError(f"There is nothing in frames of shape {frames.shape}.")
    for start in range(0, len(frames), _N_FRAMES_CHECKED_AT_ONCE):
        if not np.isfinite(frames[start : start + _N_FRAMES_CHECKED_AT_ONCE]).all():
            raise ValueError(
                "The frames have pixels that are NaN or infinite. Leave such frames "
                "out, or fill the pixels, for example by those of the frame before."
            )
    return frames


def check_video(video, n_frames):
    """Return the video of each frame; the frames of one are consecutive."""
    video = np.zeros(n_frames, dtype=int) if video is None else np.asarray(video)
    check_consistent_length(video, range(n_frames))
    n_runs = 1 + (video[1:] != video[:-1]).sum()
    if n_runs != len(np.unique(video)):
        raise ValueError(
            "The frames of a video must be consecutive; sort frames and video by video."
        )
    return video


def video_slices(video):
    """Return the frames of each video as a slice, in temporal order."""
    starts = np.flatnonzero(np.append(True, video[1:] != video[:-1]))
    ends = np.append(starts[1:], len(video))
    return [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)]


def check_slices(video, n_frames):
    """Return the frames of each video; each must have two for its optical flow."""
    video = check_video(video, n_frames)
    slices = video_slices(video)
    for own in slices:
        if own.stop - own.start < 2:
            raise ValueError(
                f"Video {video[own.start]} has one frame; motion needs two at least. "
                "Leave it out, or say by video which frames belong together."
            )
    return slices


def check_frames_shape(frames, wanted):
    """Refuse frames of another size than those seen in fit."""
    if frames.shape[1:] != wanted:
        raise ValueError(
            f"The frames have the shape {frames.shape[1:]}, those seen in fit had "
            f"{wanted}: channels, height, width. {_ADVICE}"
        )


def check_windows(scores, places):
    """Return scores in float64 and places as whole numbers, of one length."""
    places = np.asarray(places)
    if places.ndim != 2 or places.shape[1] != 3 or places.dtype.kind not in "iu":
        raise ValueError(
            "places must be whole numbers of shape (n_windows, 3): frame, row and "
            f"column, got {places.dtype} of shape {places.shape}."
        )
    scores = check_array(
        scores,
        ensure_2d=False,
        dtype=np.float64,
        ensure_min_samples=0,
        input_name="scores",
    )
    if scores.ndim != 1:
        raise ValueError(f"scores must have one axis, got shape {scores.shape}.")
    check_consistent_length(scores, places)
    return scores, places.astype(np.int64)
