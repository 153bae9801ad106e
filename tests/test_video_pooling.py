"""Pooling of windows to frames, and maps, by values worked out by hand."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from skanomaly.video import FramePooling, window_maps

PLAIN = {"neighbors": 1, "smoothing": 0}
# Windows of four frames, two pixels apart; the last frame has none.
PLACES = np.array([[0, 0, 0], [0, 2, 0], [1, 0, 4], [2, 0, 0], [2, 4, 4]])
SCORES = np.array([-1.0, -3.0, -2.0, -5.0, -1.0])
VIDEO = np.zeros(4, dtype=int)


def pooled(scores, places, video, **params):
    """Return scores in their own units: the logistic function is undone."""
    pooling = FramePooling(**PLAIN | params).fit(SCORES, PLACES, VIDEO)
    found = pooling.score_frames(scores, places, video)
    return pooling.center_ + pooling.scale_ * logit(found)


def test_a_frame_has_its_lowest_window():
    found = pooled(SCORES, PLACES, VIDEO)
    highest = -2  # of a frame in fit
    np.testing.assert_allclose(found, [-3, -2, -5, highest])
    order = [4, 1, 3, 0, 2]
    np.testing.assert_array_equal(pooled(SCORES[order], PLACES[order], VIDEO), found)


def test_top_k_is_a_mean_of_the_lowest():
    found = pooled(SCORES, PLACES, VIDEO, top_k=2)
    np.testing.assert_allclose(found[:3], [-2, -2, -3])


def test_neighbors_are_averaged_where_there_are_any():
    found = pooled(SCORES, PLACES, VIDEO, neighbors=3)
    np.testing.assert_allclose(found[:3], [-2, -2, -5])
    # A gap of one place is bridged by a square of five, one of two is not.
    found = pooled(SCORES, PLACES, VIDEO, neighbors=5)
    np.testing.assert_allclose(found[:3], [-2, -2, -3])


def test_a_window_counts_for_the_frames_of_its_clip():
    video = np.array([0, 0, 0, 0, 1, 1])
    places = [[1, 0, 0], [2, 0, 0], [4, 0, 0]]
    found = pooled([-7.0, -4.0, -9.0], places, video, length=2)
    np.testing.assert_allclose(found[1:], [-7, -7, -4, -9, -9])


def test_the_scale_is_that_of_the_training_frames():
    places = [[t, 0, 0] for t in range(101)]
    scores = np.linspace(-10.0, 0.0, 101)
    for contamination in (0.05, 0.3):  # which sets the threshold only
        pooling = FramePooling(**PLAIN | {"contamination": contamination})
        pooling.fit(scores, places, np.zeros(101))
        assert pooling.highest_ == 0
        of_frames = pooling.score_frames([-9.5, -5.0, -99.0], places[:3], [0, 0, 0])
        # 1 / (1 + exp(-4)) at the median.
        np.testing.assert_allclose(of_frames, [0.5, 0.98201379, 0], atol=1e-8)


def test_one_very_abnormal_frame_counts_as_one():
    places = [[t, 0, 0] for t in range(40)]
    normal = np.random.default_rng(0).normal(size=40)
    pooling = FramePooling(neighbors=1, smoothing=2.0)
    pooling.fit(normal, places, np.zeros(40))

    def lowest(score):
        scores = np.where(np.arange(40) == 20, score, 0.0)
        return pooling.score_frames(scores, places, np.zeros(40)).min()

    assert lowest(-1e6) == pytest.approx(lowest(-10), abs=1e-3)
    assert 0.5 < lowest(-1e6) < lowest(-1)


def test_smoothing_stays_in_a_video():
    places = np.array([[t, 0, 0] for t in range(20)])
    scores = np.where(np.arange(20) < 10, -1.0, -9.0)
    video = np.repeat([1, 0], 10)
    found = pooled(scores, places, video, smoothing=2.0)
    np.testing.assert_allclose(found, scores)
    together = pooled(scores, places, np.zeros(20), smoothing=2.0)
    assert -9 < together[10] < together[9] < -1


def test_a_video_is_scored_alone():
    rng = np.random.default_rng(0)
    places = np.argwhere(rng.uniform(size=(600, 8, 8)) < 0.2) * [1, 2, 2]
    scores, video = rng.normal(size=len(places)), np.repeat([4, 2], [350, 250])
    pooling = FramePooling().fit(scores, places, video)
    first = places[:, 0] < 350
    alone = pooling.score_frames(scores[first], places[first], video[:350])
    together = pooling.score_frames(scores, places, video)
    np.testing.assert_array_equal(together[:350], alone)


def test_the_threshold_is_a_quantile_of_normal_frames():
    rng = np.random.default_rng(0)
    places = np.array([[t, 0, 0] for t in range(1000)])
    video = np.zeros(1000)
    pooling = FramePooling(contamination=0.1, smoothing=1.0)
    pooling.fit(rng.normal(size=1000), places, video)
    found = pooling.score_frames(rng.normal(size=1000), places, video)
    assert (found < pooling.offset_).mean() == pytest.approx(0.1, abs=0.03)


def test_frames_without_windows_are_the_most_normal():
    pooling = FramePooling().fit(SCORES, PLACES, VIDEO)
    still = pooling.score_frames(np.empty(0), np.empty((0, 3), dtype=int), VIDEO)
    assert (still == still[0]).all()
    assert still[0] > pooling.offset_
    assert still[0] >= pooling.score_frames(SCORES, PLACES, VIDEO).max()


def test_wrong_windows_are_refused():
    pooling = FramePooling().fit(SCORES, PLACES, VIDEO)
    with pytest.raises(ValueError, match="There is no window in these frames"):
        FramePooling().fit([], np.empty((0, 3), dtype=int), VIDEO)
    with pytest.raises(ValueError, match="windows of frames 0 to 2, but video has 2"):
        pooling.score_frames(SCORES, PLACES, VIDEO[:2])
    with pytest.raises(ValueError, match="no multiple of 2"):
        pooling.score_frames([1.0], [[0, 3, 0]], VIDEO)
    with pytest.raises(ValueError, match="whole numbers of shape"):
        pooling.score_frames(SCORES, PLACES[:, :2], VIDEO)
    with pytest.raises(ValueError, match="inconsistent"):
        pooling.score_frames(SCORES[:2], PLACES, VIDEO)
    with pytest.raises(ValueError, match="NaN"):
        pooling.score_frames(SCORES * np.nan, PLACES, VIDEO)
    with pytest.raises(ValueError, match="neighbors must be odd"):
        FramePooling(neighbors=2).fit(SCORES, PLACES, VIDEO)
    with pytest.raises(ValueError, match="must be consecutive"):
        pooling.score_frames(SCORES, PLACES, [0, 1, 0, 1])


def test_a_pixel_has_the_mean_over_its_windows():
    maps = window_maps([-1.0, -3.0], [[1, 0, 0], [1, 1, 1]], (2, 3, 4), (2, 2))
    assert maps.dtype == np.float32
    assert (maps[0] == 1).all()  # the lowest
    assert maps[1].tolist() == [[1, 1, 1, 1], [1, 2, 3, 1], [1, 3, 3, 1]]
    filled = window_maps([-1.0], [[1, 0, 0]], (2, 3, 4), (2, 2), fill=-0.5)
    assert filled[0].max() == 0.5
    still = window_maps([], np.empty((0, 3), dtype=int), (2, 3, 4), (2, 2))
    assert still.shape == (2, 3, 4)
    for place in ([2, 0, 0], [0, 2, 0], [0, 0, -1]):
        with pytest.raises(ValueError, match="is not inside the shape"):
            window_maps([-1.0], [place], (2, 3, 4), (2, 2))


def test_maps_find_what_is_abnormal():
    rng = np.random.default_rng(0)
    places = np.argwhere(np.ones((10, 6, 6))) * [1, 2, 2]
    masks = np.zeros((10, 14, 14), dtype=int)
    masks[5:, 4:8, 4:8] = 1
    inside = masks[places[:, 0], places[:, 1] + 2, places[:, 2] + 2]
    maps = window_maps(
        rng.normal(size=len(places)) - 5 * inside, places, (10, 14, 14), (4, 4)
    )
    assert roc_auc_score(masks.ravel(), maps.ravel()) > 0.9
