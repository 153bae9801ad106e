"""Windows of motion and clips at moving places, on made videos."""

import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.mixture import GaussianMixture

from skanomaly.video import (
    FramePooling,
    MotionWindows,
    make_moving_clips,
    window_maps,
)

HEIGHT, WIDTH = 32, 64
SQUARE = 8


def film(speed, n_frames=20, row=12, start=4, seed=0):
    """A square of noise that moves to the right in front of noise."""
    rng = np.random.default_rng(seed)
    background = rng.uniform(size=(HEIGHT, WIDTH))
    square = np.random.default_rng(99).uniform(2, 3, size=(SQUARE, SQUARE))
    frames = np.tile(background, (n_frames, 1, 1, 1)).astype(np.float32)
    for t, frame in enumerate(frames):
        left = round(start + speed * t)
        frame[0, row : row + SQUARE, left : left + SQUARE] = square
    return frames


def make_windows(**params):
    return MotionWindows(**{"window": (8, 8)} | params)


@pytest.fixture(scope="module")
def fitted():
    return make_windows().fit(film(1))


def test_features_are_those_of_the_square(fitted):
    rows, places = fitted.transform(film(1))
    assert rows.dtype == np.float32
    assert rows.shape == (len(places), 16)
    exact = (places[:, 0] == 10) & (places[:, 1] == 12) & (places[:, 2] == 14)
    cells = rows[exact].reshape(4, 4)
    np.testing.assert_allclose(cells[:, 0], 1, atol=0.1)  # foreground
    np.testing.assert_allclose(cells[:, 1], 1, atol=0.15)  # across, in usual speeds
    np.testing.assert_allclose(cells[:, 2], 0, atol=0.15)  # down
    np.testing.assert_allclose(cells[:, 3], 1, atol=0.3)  # squared speed


@pytest.mark.parametrize("speed", [2, -1])
def test_velocity_is_in_units_of_the_training_speed(fitted, speed):
    rows, _ = fitted.transform(film(speed, start=4 if speed > 0 else 40))
    assert np.median(rows.reshape(-1, 4)[:, 1]) == pytest.approx(speed, abs=0.2)


def test_windows_lie_where_something_moves(fitted):
    _, places = fitted.transform(film(1))
    left = 4 + places[:, 0]
    assert set(places[:, 0]) == set(range(20))
    assert (np.abs(places[:, 1] - 12) < SQUARE).all()
    assert (np.abs(places[:, 2] - left) < SQUARE).all()
    assert (places[:, 1:] % 2 == 0).all()
    some = make_windows(min_foreground=0.9).fit(film(1)).transform(film(1))[1]
    assert 0 < len(some) < len(places)


def test_perspective_is_a_line_over_rows():
    frames = film(2, row=22)
    frames[:, :, :12] = film(1, row=2)[:, :, :12]
    flat = make_windows().fit(frames).speed_
    speed = make_windows(perspective=True).fit(frames).speed_
    assert np.ptp(flat) == 0
    assert speed[5] == pytest.approx(1, abs=0.3)
    assert speed[25] == pytest.approx(2, abs=0.3)


def test_videos_do_not_mix(fitted):
    """A frame has the features that its own video alone gives it."""
    videos = [film(1, 8), film(2, 9)]
    rows, places = fitted.transform(np.concatenate(videos), np.repeat([7, 3], [8, 9]))
    first = places[:, 0] < 8
    for part, frames, shift in ((first, videos[0], 0), (~first, videos[1], 8)):
        alone, where = fitted.transform(frames)
        np.testing.assert_array_equal(rows[part], alone)
        np.testing.assert_array_equal(places[part] - [shift, 0, 0], where)


def test_length_is_a_mean_over_frames():
    one = make_windows(length=1, min_foreground=0.01).fit(film(1))
    three = clone(one).set_params(length=3).fit(film(1))
    (rows, places), (means, where) = (each.transform(film(1)) for each in (one, three))

    def foreground(rows, places, t):
        return rows[(places == [t, 12, 14]).all(axis=1), 0]

    single = [foreground(rows, places, t) for t in (9, 10, 11)]
    np.testing.assert_allclose(foreground(means, where, 10), np.mean(single), rtol=1e-5)


def test_results_are_the_same_to_the_bit(fitted):
    cv2 = pytest.importorskip("cv2")
    n_threads = cv2.getNumThreads()
    results = []
    try:
        for n in (1, 4):
            cv2.setNumThreads(n)
            results.append(make_windows().fit(film(1)).transform(film(2))[0])
            assert cv2.getNumThreads() == n
    finally:
        cv2.setNumThreads(n_threads)
    np.testing.assert_array_equal(*results)


def test_brightness_of_all_pixels_does_not_count(fitted):
    _, places = fitted.transform(film(1))
    np.testing.assert_array_equal(fitted.transform(film(1) + 0.2)[1], places)


def test_frames_without_motion_have_no_windows(fitted):
    rows, places = fitted.transform(np.tile(fitted.background_, (5, 1, 1, 1)))
    assert rows.shape == (0, 16)
    assert places.shape == (0, 3)
    with pytest.raises(ValueError, match="Nothing moves in these frames"):
        make_windows().fit(np.ones((5, 1, 32, 32)))


def test_wrong_frames_are_refused(fitted):
    with pytest.raises(ValueError, match=r"Video 4 has one frame; motion needs two"):
        make_windows().fit(film(1), video=[3] * 19 + [4])
    with pytest.raises(ValueError, match="Video 0 has one frame"):
        fitted.transform(film(1)[:1])
    with pytest.raises(ValueError, match=r"shape \(1, 30, 64\), those seen in fit had"):
        fitted.transform(film(1)[:, :, :30])
    with pytest.raises(ValueError, match="differ in size"):
        make_windows().fit([np.ones((1, 8, 8)), np.ones((1, 9, 8))])
    with pytest.raises(ValueError, match="must have the shape"):
        make_windows().fit(film(1)[:, 0])
    with pytest.raises(ValueError, match=r"larger than a frame of 32 x 64"):
        make_windows(window=(40, 8)).fit(film(1))
    with pytest.raises(ValueError, match="too small for optical flow"):
        make_windows(window=(2, 2), upscale=2).fit(film(1)[:, :, :4, :4])
    with pytest.raises(ValueError, match="NaN or infinite"):
        make_windows().fit(np.where(film(1) > 2.9, np.nan, film(1)))
    with pytest.raises(ValueError, match="no numbers"):
        make_windows().fit(film(1).astype(str))
    with pytest.raises(ValueError, match="There is nothing in frames"):
        make_windows().fit(film(1)[:0])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"cells": (3, 2)}, r"cells=\(3, 2\) must divide window=\(8, 8\)"),
        ({"window": (8,)}, "window must be two whole numbers"),
        ({"window": (8, 2.5)}, "window must be two whole numbers"),
        ({"stride": 0}, "'stride' parameter of MotionWindows"),
        ({"threshold": 0}, "'threshold' parameter of MotionWindows"),
    ],
)
def test_wrong_parameters_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        make_windows(**params).fit(film(1))


def test_windows_find_the_fast_square():
    """From frames to alarms: one video of three has a square at twice the speed."""
    videos = [film(speed, 16, row=r) for r, speed in ((2, 1), (20, 1), (12, 2))]
    frames, video = np.concatenate(videos), np.repeat([0, 1, 2], 16)
    normal = video < 2
    windows = make_windows().fit(frames[normal], video=video[normal])
    rows, places = windows.transform(frames, video)
    train = places[:, 0] < 32
    mixture = GaussianMixture(2, reg_covar=1e-3, random_state=0).fit(rows[train])
    scores = mixture.score_samples(rows)
    pooling = FramePooling().fit(scores[train], places[train], video[normal])
    found = pooling.score_frames(scores, places, video)
    assert found[32:].max() < pooling.offset_ < np.median(found[:32])
    maps = window_maps(scores, places, (48, HEIGHT, WIDTH), windows.window)
    assert maps[40, 16, 24] > maps[40, 2, 2]


def test_a_missing_opencv_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"skanomaly\[video\]"):
        make_windows().fit(film(1))


def test_moving_clips_are_what_moves():
    frames = np.zeros((10, 2, 32, 48), dtype=np.float64)
    frames[5, 1, 20, 40] = 100
    clips, places = make_moving_clips(frames, step=2)
    # Clips of frames 2 to 5, 4 to 7; that of 6 to 9 sees nothing.
    assert places.tolist() == [[2, 16, 32], [4, 16, 32]]
    assert clips.shape == (2, 2, 4, 16, 16)
    assert clips.dtype == np.float32
    assert clips[0, 1, 3, 4, 8] == clips[1, 1, 1, 4, 8] == 100
    assert np.count_nonzero(clips) == 2


def test_moving_clips_stay_in_their_video():
    frames = np.zeros((10, 1, 16, 16))
    frames[5:] = 100  # a cut between two videos is no motion
    video = np.repeat([0, 1], 5)
    assert len(make_moving_clips(frames, video)[0]) == 0
    assert make_moving_clips(frames)[1].tolist() == [[4, 0, 0]]
    threshold = 100 / 3  # one of three differences of frames
    assert len(make_moving_clips(frames, min_motion=threshold + 1)[0]) == 0


def test_wrong_clips_are_refused():
    frames = np.zeros((10, 1, 16, 16))
    with pytest.raises(ValueError, match="size=17 is larger than a frame of 16 x 16"):
        make_moving_clips(frames, size=17)
    with pytest.raises(ValueError, match="length must be at least 2"):
        make_moving_clips(frames, length=1)
    with pytest.raises(ValueError, match="Video 1 has 3 frames, fewer than the 4"):
        make_moving_clips(frames, np.repeat([0, 1], [7, 3]))
