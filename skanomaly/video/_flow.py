"""Dense optical flow by OpenCV."""

from contextlib import contextmanager

import numpy as np


def import_cv2():
    """Import OpenCV, or name the extra that installs it."""
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "MotionWindows needs OpenCV: pip install 'skanomaly[video]'."
        ) from error
    return cv2


class OpticalFlow:
    """Optical flow by DIS between enlarged frames, of which it finds slow motion."""

    def __init__(self, gray_range, upscale):
        self.cv2 = import_cv2()
        self.low, self.high = gray_range
        self.upscale = upscale
        preset = self.cv2.DISOPTICAL_FLOW_PRESET_MEDIUM
        self.dis = self.cv2.DISOpticalFlow_create(preset)

    def between(self, before, after):
        """Return the flow (2, height, width) in pixels, the one across first."""
        height, width = before.shape
        flow = self.dis.calc(self._enlarge(before), self._enlarge(after), None)
        flow = self.cv2.resize(flow, (width, height), interpolation=self.cv2.INTER_AREA)
        return np.moveaxis(flow, -1, 0) / np.float32(self.upscale)

    def _enlarge(self, gray):
        """Return a frame as a larger one of uint8, which is what DIS takes."""
        height, width = gray.shape
        scaled = (gray - self.low) * np.float32(255 / max(self.high - self.low, 1e-12))
        size = width * self.upscale, height * self.upscale
        large = self.cv2.resize(scaled, size, interpolation=self.cv2.INTER_CUBIC)
        return np.rint(large.clip(0, 255)).astype(np.uint8)


@contextmanager
def one_thread():
    """Let OpenCV use one thread: the result of DIS depends on their number."""
    cv2 = import_cv2()
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(n_threads)
