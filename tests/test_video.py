"""Clips and frame scores, by detectors whose maps are known."""

import numpy as np
import pytest

from skanomaly import Autoencoder
from skanomaly.video import frame_scores, make_clips


class Brightness:
    """A detector for which bright is abnormal."""

    input_shape_ = (1, 4, 2, 2)

    def anomaly_map(self, X):
        assert X.shape[1:] == self.input_shape_
        return X / 4


def make_frames(n_frames=20):
    return np.ones((n_frames, 1, 2, 2)) * np.arange(n_frames)[:, None, None, None]


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_clips_hold_consecutive_frames_of_one_video(step):
    frames, video = make_frames(), np.repeat([5, 3], [9, 11])
    clips, starts = make_clips(frames, video, length=4, step=step)
    assert clips.shape == (len(starts), 1, 4, 2, 2)
    for clip, start in zip(clips, starts, strict=True):
        assert clip[0, :, 0, 0].tolist() == list(range(start, start + 4))
        assert len(set(video[start : start + 4])) == 1
    assert set(clips.ravel()) == set(range(20))


@pytest.mark.parametrize("step", [1, 3])
def test_frame_score_is_the_mean_over_its_clips(step):
    frames, video = make_frames(), np.repeat([0, 1], [9, 11])
    scores = frame_scores(Brightness(), frames, video, step=step)
    np.testing.assert_allclose(scores, -np.arange(20.0))


def test_normalising_is_per_video_and_asked_for():
    frames, video = make_frames(), np.repeat([0, 1], [9, 11])
    scores = frame_scores(Brightness(), frames, video, normalize="per_video")
    for name in (0, 1):
        inside = scores[video == name]
        assert (inside.min(), inside.max()) == (0, 1)
        assert (np.diff(inside) < 0).all()
    still = frame_scores(Brightness(), np.ones((8, 1, 2, 2)), normalize="per_video")
    assert (still == 0).all()


class Pixels(Brightness):
    """A detector whose map is its input."""

    input_shape_ = (2, 2, 5, 4)

    def anomaly_map(self, X):
        return X


@pytest.mark.parametrize("patch", [1, 2, 4])
def test_a_patch_counts_where_the_map_is_largest(patch):
    frames = np.random.default_rng(0).normal(size=(7, 2, 5, 4))
    scores = frame_scores(Pixels(), frames, patch=patch)
    maps = frames.sum(axis=1)
    for score, one in zip(scores, maps, strict=True):
        sums = [
            one[top : top + patch, left : left + patch].sum()
            for top in range(6 - patch)
            for left in range(5 - patch)
        ]
        assert score == pytest.approx(-max(sums))


def test_a_patch_tells_one_odd_thing_from_a_crowd():
    frames = np.zeros((2, 2, 5, 4))
    frames[0, 0, ::2] = 1
    frames[1, 0, 3:, 2:] = 1.5
    crowd, odd = frame_scores(Pixels(), frames)
    assert crowd < odd
    crowd, odd = frame_scores(Pixels(), frames, patch=2)
    assert odd < crowd


def test_a_fitted_detector_finds_the_odd_frames():
    rng = np.random.default_rng(0)
    frames = 0.1 * rng.normal(size=(60, 1, 6, 6))
    clips, _ = make_clips(frames, length=4)
    detector = Autoencoder(max_epochs=100, random_state=0).fit(clips)
    odd = 0.1 * rng.normal(size=(60, 1, 6, 6))
    odd[30:35, :, 2:4, 2:4] += 3
    scores = frame_scores(detector, odd)
    assert set(np.argsort(scores)[:5]) == set(range(30, 35))


def test_wrong_frames_are_refused():
    frames = make_frames()
    with pytest.raises(ValueError, match="must have the shape"):
        make_clips(frames[:, 0])
    with pytest.raises(ValueError, match="Video 1 has 3 frames, fewer than the 4"):
        make_clips(frames, np.repeat([0, 1], [17, 3]), length=4)
    with pytest.raises(ValueError, match="step=5 would leave out frames"):
        make_clips(frames, length=4, step=5)
    with pytest.raises(ValueError, match="must be consecutive"):
        make_clips(frames, np.arange(20) % 2, length=4)
    with pytest.raises(ValueError, match="inconsistent"):
        make_clips(frames, [0, 0], length=4)
    rows = Brightness()
    rows.input_shape_ = (3,)
    with pytest.raises(ValueError, match=r"fitted on clips .* shape \(3,\)"):
        frame_scores(rows, frames)
    with pytest.raises(ValueError, match="patch=5 is larger than a frame of 5 x 4"):
        frame_scores(Pixels(), np.zeros((4, 2, 5, 4)), patch=5)
