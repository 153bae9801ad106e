"""Video: clips, windows of motion, and scores of frames."""

from ._clips import make_clips, make_moving_clips
from ._frame_scores import frame_scores
from ._maps import window_maps
from ._motion import MotionWindows
from ._pooling import FramePooling

__all__ = [
    "FramePooling",
    "MotionWindows",
    "frame_scores",
    "make_clips",
    "make_moving_clips",
    "window_maps",
]
