"""
A camera that doesn't move: alarms frame by frame
=================================================

People walk, and once somebody rides a bicycle. Most of a frame is background and tells
nothing, so a detector takes small windows in which something moves; scores of windows
become scores of frames, and maps of them. Nobody has told what a bicycle is: the videos
for training have none.
"""

# %%
# Videos of a pavement
# --------------------
# A background, noise, and persons of about 9 x 5 pixels who walk to the left or to the
# right. A rider is more than twice as fast.

# sphinx_gallery_thumbnail_number = 3
import numpy as np

rng = np.random.default_rng(0)
height, width, n_frames = 48, 96, 100
rows, columns = np.mgrid[:height, :width]
background = 0.6 + 0.05 * rng.normal(size=(height, width))


def paint(frame, row, column, tall=4.5, wide=2.5):
    """Paint a dark shape with a light stripe around its center."""
    down, across = (rows - row) / tall, (columns - column) / wide
    body = np.exp(-(down**4) - across**4)
    shade = 0.15 + 0.25 * np.exp(-((3 * down) ** 2))
    frame[0] += body * (shade - frame[0])


def make_video(rider_from=None):
    """Make frames of four persons, and of a rider who comes at some time."""
    frames = np.tile(background, (n_frames, 1, 1, 1))
    speeds = rng.choice([-1, 1], 4) * rng.uniform(0.5, 0.9, 4)
    starts = rng.uniform(0, width, 4)
    lanes = np.linspace(6, 42, 4)
    for t, frame in enumerate(frames):
        for lane, start, speed in zip(lanes, starts, speeds, strict=True):
            column = (start + speed * t + 10) % (width + 20) - 10
            paint(frame, lane + 0.5 * np.sin(t / 2 + start), column)
        if rider_from is not None:
            paint(frame, 24, 2 * (t - rider_from) - 5, wide=4.0)
    return frames + 0.01 * rng.normal(size=frames.shape)


def join(videos):
    """Return the frames of videos, and which video each is of."""
    return np.concatenate(videos), np.repeat(np.arange(len(videos)), n_frames)


frames, video = join([make_video() for _ in range(5)])
held_out, video_held_out = join([make_video() for _ in range(3)])
new, video_new = join([make_video(rider_from=30)])
is_rider = (np.arange(n_frames) > 30) & (np.arange(n_frames) < 83)
frames.shape

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(9, 1.9), layout="constrained")
for ax, t in zip(axes, (20, 45, 70), strict=True):
    ax.imshow(new[t, 0], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=f"frame {t}")

# %%
# From windows to frames
# ----------------------
# :class:`~skanomaly.video.MotionWindows` describes a window by what is foreground and
# how fast it moves; any detector of rows takes that.
# :class:`~skanomaly.video.FramePooling` learns the threshold from videos that the
# detector was not fitted on: one of twenty normal frames is below it. It smooths the
# scores over time; a wide Gaussian would give alarms long before the rider comes.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly import Autoencoder
from skanomaly.video import FramePooling, MotionWindows

windows = MotionWindows(window=(10, 6)).fit(frames, video=video)
features, _ = windows.transform(frames, video)
detector = make_pipeline(StandardScaler(), Autoencoder(random_state=0)).fit(features)

features, places = windows.transform(held_out, video_held_out)
held_out_scores = detector.score_samples(features)
pooling = FramePooling(smoothing=1.0).fit(held_out_scores, places, video_held_out)

# %%
# Alarms
# ------
# Scores of frames are from 0, abnormal, to 1, normal.
features, places = windows.transform(new, video_new)
window_scores = detector.score_samples(features)
scores = pooling.score_frames(window_scores, places, video_new)
is_alarm = scores < pooling.offset_

figure, ax = plt.subplots(figsize=(8, 3), layout="constrained")
ax.plot(scores, label="score of the frame")
ax.axhline(pooling.offset_, color="black", linestyle="--", label="threshold")
ax.fill_between(
    np.arange(n_frames), 0, 1, where=is_rider, alpha=0.2, color="tab:red", label="rider"
)
ax.set(xlabel="frame", ylabel="score", ylim=(0, 1.02))
_ = ax.legend(loc="lower left")
print(f"{is_alarm[is_rider].mean():.0%} of the frames with the rider are alarms,")
print(f"{is_alarm[~is_rider].mean():.0%} of the others are.")

# %%
# Where it is
# -----------
# :func:`~skanomaly.video.window_maps` spreads the scores of windows over their pixels.
from skanomaly.inspection import AnomalyMapDisplay
from skanomaly.video import window_maps

maps = window_maps(window_scores, places, (n_frames, height, width), windows.window)
figure, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
shown = [20, 60]
_ = AnomalyMapDisplay.from_predictions(new[shown], maps[shown], n_columns=1, ax=ax)
