"""What does not move: the background, and how much its pixels vary."""

import numpy as np

# Enough for a median; all frames of a long recording would not fit into memory.
_N_FRAMES_LOOKED_AT = 500
_TO_STD = 1.4826  # the standard deviation of normal noise, in median deviations
# Of the range of gray values; about what rounding to eight bits adds.
_LEAST_NOISE = 1e-3


def some_frames(n_frames, n_wanted=_N_FRAMES_LOOKED_AT):
    """Return indices of frames that are evenly spread."""
    return np.unique(np.linspace(0, n_frames - 1, min(n_frames, n_wanted)).astype(int))


def to_gray(frames):
    """Average the channels; float32."""
    return np.asarray(frames).mean(axis=-3, dtype=np.float32)


def difference(gray, background):
    """Return gray frames minus the background, without changes of all pixels alike."""
    change = gray - background
    return change - np.median(change, axis=(-2, -1), keepdims=True)


def estimate_background(frames):
    """Return the median of each pixel, and the standard deviation of the noise.

    The latter is a robust one: the foreground is taken to be less than half.
    """
    gray = to_gray(frames[some_frames(len(frames))])
    background = np.median(gray, axis=0)
    noise = _TO_STD * np.median(np.abs(difference(gray, background)))
    return background, max(float(noise), _LEAST_NOISE * float(np.ptp(gray)))
