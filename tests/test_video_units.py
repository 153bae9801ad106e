"""Velocities of motion windows are in units of the speed seen in training."""

import numpy as np
import pytest

from skanomaly.video import MotionWindows


def film(speed, n_frames=12):
    """Move a square of noise in front of noise."""
    rng = np.random.default_rng(0)
    background, square = rng.uniform(size=(32, 64)), rng.uniform(2, 3, size=(8, 8))
    frames = np.tile(background, (n_frames, 1, 1, 1)).astype(np.float32)
    for t, frame in enumerate(frames):
        frame[0, 12:20, 4 + speed * t : 12 + speed * t] = square
    return frames


def test_the_usual_speed_is_one():
    pytest.importorskip("cv2")
    windows = MotionWindows(window=(8, 8)).fit(film(2))
    assert windows.speed_ == pytest.approx(2, abs=0.2)
    for speed, expected in ((1, 0.5), (2, 1)):
        rows, _ = windows.transform(film(speed))
        _, across, down, squared_speed = np.median(rows.reshape(-1, 4), axis=0)
        assert across == pytest.approx(expected, abs=0.15)
        assert down == pytest.approx(0, abs=0.15)
        assert squared_speed == pytest.approx(expected**2, abs=0.3 * expected**2)
