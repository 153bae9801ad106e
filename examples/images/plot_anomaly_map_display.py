"""
AnomalyMapDisplay: where an image or a clip is abnormal
=======================================================

The map lies over the image: transparent where it is small, red where it is large.
"""

# %%
# Images
# ------
# Handwritten zeros are normal. The last three have a stroke that doesn't belong there.
# All maps have one scale, and the titles are the scores.
import numpy as np

from skanomaly import Autoencoder
from skanomaly.datasets import load_digits
from skanomaly.inspection import AnomalyMapDisplay

digits = load_digits(normal_class=0)
zeros = digits.data[digits.target == 1]
train, test = zeros[:120], zeros[120:].copy()
test[3:, :, 3, 2:6] = 1

detector = Autoencoder(
    activation="relu", latent_size=8, max_epochs=80, batch_size=16, random_state=0
).fit(train)
_ = AnomalyMapDisplay.from_estimator(detector, test[:6], n_columns=3)

# %%
# Frames of clips
# ---------------
# A square moves to the right, at constant speed. In the abnormal clip it leaves its way
# in the fourth of six frames.
from skanomaly.video import make_clips


def make_frames(n_frames, size=16):
    """Make frames of a square that goes around."""
    frames = np.zeros((n_frames, 1, size, size))
    for t, frame in enumerate(frames):
        column = 2 * t % size
        frame[0, 6:10, column : column + 3] = 1
    return frames


clips, _ = make_clips(make_frames(80), length=6)
detector = Autoencoder(latent_size=8, max_epochs=40, batch_size=16, random_state=0)
detector.fit(clips)

abnormal = clips[:1].copy()
abnormal[0, :, 3] = np.roll(abnormal[0, :, 3], 5, axis=1)

# %%
# The frame with the largest sum of its map is shown by default.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
for ax, frame in zip(axes, (None, 2, 3), strict=True):
    AnomalyMapDisplay.from_estimator(
        detector, abnormal, frame=frame, ax=ax, map_kwargs={"vmin": 0, "vmax": 1}
    )
    ax.set_title(f"frame={frame}", pad=18)

# %%
# Maps of any origin
# ------------------
# ``from_predictions`` takes images and maps, from a detector of another package or from
# :func:`~skanomaly.video.window_maps`. Images may have colors.
rng = np.random.default_rng(0)
rows, columns = np.mgrid[:40, :60]
image = np.stack([columns / 60, rows / 40, 0.4 + 0.1 * rng.random((40, 60))])
spot = np.exp(-((rows - 12) ** 2 + (columns - 42) ** 2) / 40)
display = AnomalyMapDisplay.from_predictions(image[np.newaxis], spot[np.newaxis])
_ = display.ax_.set_title("a spot")
