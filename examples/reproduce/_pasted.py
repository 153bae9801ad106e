"""Abnormal frames without abnormal data: walkers pasted into training videos."""

import cv2
import numpy as np
from scipy import ndimage

# Every how many frames of a walker are shown, and how much taller and wider it is.
KINDS = {
    "twice the speed": (2, (1, 1)),
    "three times the speed": (3, (1, 1)),
    "larger": (1, (1.3, 2.2)),
    "larger, twice the speed": (2, (1.1, 1.6)),
}


def paste_walkers(frames, video, donors, windows, kind):
    """Paste two walkers into each video, one in each half.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, 1, height, width)
        Normal frames.
    video : ndarray of shape (n_frames,)
        Their videos.
    donors : list of ndarray of shape (n_frames, height, width)
        Other videos, which walkers are cut from.
    windows : MotionWindows
        Fitted; says what is foreground.
    kind : str
        A key of `KINDS`.

    Returns
    -------
    frames : ndarray of shape (n_frames, 1, height, width)
        With walkers.
    masks : ndarray of shape (n_frames, height, width)
        True where one was pasted.
    """
    step, (taller, wider) = KINDS[kind]
    walkers = [w for donor in donors for w in _cut_walkers(donor[::step], windows)]
    walkers = [walkers[i] for i in np.random.RandomState(0).permutation(len(walkers))]
    frames, masks = frames.copy(), np.zeros((len(frames), *frames.shape[2:]), bool)
    for n, name in enumerate(np.unique(video)):
        first, last = np.flatnonzero(video == name)[[0, -1]]
        half = (last - first + 1) // 2
        for k, start in enumerate((first, first + half)):
            start += 10
            stop = start + half - 10
            images, shapes = walkers[(2 * n + k) % len(walkers)]
            for t, image, shape in zip(
                range(start, stop), images, shapes, strict=False
            ):
                image, shape = _enlarge(image, shape, taller, wider)
                frames[t, 0][shape], masks[t][shape] = image[shape], True
    return frames, masks


def _cut_walkers(frames, windows):
    """Return frames and outlines of what walks alone and looks like one person."""
    change = frames - windows.background_
    change -= np.median(change, axis=(1, 2), keepdims=True)
    moves = np.abs(change) > windows.threshold * windows.noise_
    moves = ndimage.binary_closing(moves, np.ones((1, 3, 3)))
    labels, _ = ndimage.label(moves, np.ones((3, 3, 3)))
    found = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        shapes = labels[box[0]] == label
        heights = shapes.any(axis=2).sum(axis=1)
        widths = shapes.any(axis=1).sum(axis=1)
        is_walker = 6 <= np.median(heights) <= 14 and 3 <= np.median(widths) <= 8
        is_one = heights.max() <= 16 and widths.max() <= 11
        if len(shapes) >= 12 and is_walker and is_one:
            found.append((frames[box[0]], shapes))
    return found


def _enlarge(image, shape, taller, wider):
    """Enlarge a frame and an outline around the outline's center."""
    row, column = np.argwhere(shape).mean(axis=0)
    matrix = np.float32(
        [[wider, 0, column * (1 - wider)], [0, taller, row * (1 - taller)]]
    )
    size = image.shape[::-1]
    large = cv2.warpAffine(shape.astype(np.float32), matrix, size) > 0.5
    return cv2.warpAffine(image, matrix, size), large
