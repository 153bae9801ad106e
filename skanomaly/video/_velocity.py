"""Foreground and its velocity, pixel by pixel; the usual speed of each row."""

from collections import deque

import numpy as np

from ._background import difference, some_frames, to_gray

# Of the training frames; optical flow is what takes time.
_N_FRAMES_WITH_SPEEDS = 300
# No row's unit of speed is below this part of the median speed.
_LOWEST_UNIT = 0.25


class MotionMaps:
    """Maps (4, height, width) of a frame: foreground, velocity, squared speed.

    The velocity across and down, in pixels per frame, is the optical flow from the
    frame before to the frame after, and zero outside the foreground.
    """

    def __init__(self, background, min_difference, flow):
        self.background = background
        self.min_difference = min_difference
        self.flow = flow

    def of_frame(self, frames, own, t):
        """Return the maps of frame t of the video whose frames are `own`."""
        before, after = max(t - 1, own.start), min(t + 1, own.stop - 1)
        velocity = self.flow.between(to_gray(frames[before]), to_gray(frames[after]))
        change = np.abs(difference(to_gray(frames[t]), self.background))
        moves = change > self.min_difference
        velocity *= moves / np.float32(after - before)
        squared_speed = np.square(velocity).sum(axis=0)
        return np.stack([moves.astype(np.float32), *velocity, squared_speed])

    def averages(self, frames, own, length):
        """Yield each frame of a video and its maps, averaged over `length` frames."""
        recent: deque = deque()
        n_read = own.start
        for t in range(own.start, own.stop):
            first = t - (length - 1) // 2
            while n_read < min(first + length, own.stop):
                recent.append((n_read, self.of_frame(frames, own, n_read)))
                n_read += 1
            while recent[0][0] < first:
                recent.popleft()
            yield t, np.mean([maps for _, maps in recent], axis=0)


def median_speeds(maps, frames, slices, perspective):
    """Return the unit of speed of each row, or None if nothing moves."""
    found, at = [], []
    for t in some_frames(len(frames), _N_FRAMES_WITH_SPEEDS):
        own = next(each for each in slices if each.start <= t < each.stop)
        moves, _, _, squared_speed = maps.of_frame(frames, own, t)
        row, column = np.nonzero(moves)
        found.append(np.sqrt(squared_speed[row, column]))
        at.append(row)
    speeds, rows = np.concatenate(found), np.concatenate(at)
    median = np.median(speeds) if len(speeds) else 0.0
    if median == 0:
        return None
    units = np.full(frames.shape[2], median)
    those, counts = np.unique(rows, return_counts=True)
    if perspective and len(those) > 1:
        medians = [np.median(speeds[rows == row]) for row in those]
        line = np.polyfit(those, medians, 1, w=np.sqrt(counts))
        units = np.polyval(line, np.arange(len(units)))
    return np.maximum(units, _LOWEST_UNIT * median).astype(np.float32)
