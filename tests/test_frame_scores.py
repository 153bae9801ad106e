"""Frame scores of maps that differ by pixel, by frame and by place in the clip."""

import numpy as np
import pytest

from skanomaly.video import frame_scores

LENGTH, HEIGHT, WIDTH = 3, 4, 5


class Uneven:
    """A detector whose map weights the input by pixel and by place in the clip."""

    input_shape_ = (2, LENGTH, HEIGHT, WIDTH)

    def __init__(self):
        self.place = np.array([1.0, 10.0, 100.0])
        self.pixel = np.random.default_rng(1).uniform(size=(HEIGHT, WIDTH))

    def anomaly_map(self, X):
        assert X.shape[1:] == self.input_shape_
        return X * self.place[:, None, None] * self.pixel


def make_frames(n_frames):
    """Draw frames that differ in every pixel, of both signs."""
    return np.random.default_rng(0).normal(size=(n_frames, 2, HEIGHT, WIDTH))


def by_hand(frames, starts, patch=None):
    """Work frame scores out one by one from the definition."""
    detector, of_frames = Uneven(), [[] for _ in frames]
    for start in starts:
        for place in range(LENGTH):
            one = (frames[start + place] * detector.pixel).sum(axis=0)
            one = one * detector.place[place]
            if patch is None:
                value = one.sum()
            else:
                value = max(
                    one[top : top + patch, left : left + patch].sum()
                    for top in range(HEIGHT - patch + 1)
                    for left in range(WIDTH - patch + 1)
                )
            of_frames[start + place].append(value)
    return np.array([-sum(values) / len(values) for values in of_frames])


# Of 8 frames, the last clip begins at 5 whatever the step.
STARTS = {1: [0, 1, 2, 3, 4, 5], 2: [0, 2, 4, 5], 3: [0, 3, 5]}


@pytest.mark.parametrize("patch", [None, 1, 2, 4])
@pytest.mark.parametrize("step", STARTS)
def test_scores_by_hand(step, patch):
    frames = make_frames(8)
    found = frame_scores(Uneven(), frames, step=step, patch=patch)
    np.testing.assert_allclose(found, by_hand(frames, STARTS[step], patch))


def test_numbers():
    """Two clips of two pixels, with numbers that can be added up in the head."""

    class Places(Uneven):
        input_shape_ = (1, 2, 1, 2)

        def anomaly_map(self, X):
            return X * np.array([1.0, 10.0])[:, None, None]

    frames = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]).reshape(3, 1, 1, 2)
    # The middle frame is the second of one clip and the first of another.
    found = frame_scores(Places(), frames)
    assert found.tolist() == [-3, -(70 + 7) / 2, -110]
    found = frame_scores(Places(), frames, patch=1)
    assert found.tolist() == [-2, -(40 + 4) / 2, -60]


@pytest.mark.parametrize("patch", [None, 2])
def test_videos_are_scored_and_scaled_each_by_itself(patch):
    frames, video = make_frames(12), np.repeat([7, 2], [4, 8])
    starts = [0, 1, 4, 6, 8, 9]  # of steps of two, and the last of each video
    expected = by_hand(frames, starts, patch)
    found = frame_scores(Uneven(), frames, video, step=2, patch=patch)
    np.testing.assert_allclose(found, expected)
    for part in (slice(0, 4), slice(4, 12)):
        inside = expected[part]
        expected[part] = (inside - inside.min()) / (inside.max() - inside.min())
    scaled = frame_scores(
        Uneven(), frames, video, step=2, patch=patch, normalize="per_video"
    )
    np.testing.assert_allclose(scaled, expected)


@pytest.mark.parametrize("n_frames", [35, 67])
def test_many_clips_are_scored_in_parts(n_frames):
    frames = make_frames(n_frames)
    found = frame_scores(Uneven(), frames)
    expected = by_hand(frames, range(n_frames - LENGTH + 1))
    np.testing.assert_allclose(found, expected, atol=1e-9)
