"""
Where an image or a clip is abnormal
====================================

The same class takes images and clips: the network is then convolutional, and
``anomaly_map`` tells how much each pixel adds to the abnormality. Handwritten zeros are
normal here.
"""

# %%
# Zeros, and half of them for training
# ------------------------------------
import numpy as np

from skanomaly.datasets import load_digits, one_class_split

digits = load_digits()
is_train = np.arange(len(digits.data)) % 2 == 0
split = one_class_split(
    digits.data[is_train],
    digits.digit[is_train],
    digits.data[~is_train],
    digits.digit[~is_train],
    normal_class=0,
)
split.X_train.shape

# %%
from sklearn.metrics import roc_auc_score

from skanomaly import Autoencoder

detector = Autoencoder(activation="relu", latent_size=8, batch_size=16, random_state=0)
detector.fit(split.X_train)
scores = detector.score_samples(split.X_test)
print(f"AUC on digits held out: {roc_auc_score(split.y_test, scores):.3f}")

# %%
# Maps over images
# ----------------
# Two zeros, the same with a stroke that doesn't belong there, and other digits. A map
# is transparent where it is small and red where it is large; all have one scale, and
# the titles are the scores.
from skanomaly.inspection import AnomalyMapDisplay

zeros = split.X_test[split.y_test == 1][:2]
altered = zeros.copy()
altered[:, :, 3, 2:6] = 1
others = [split.X_test[split.class_test == digit][0] for digit in (1, 4, 7, 9)]
shown = np.concatenate([zeros, altered, others])
_ = AnomalyMapDisplay.from_estimator(detector, shown, n_columns=4)

# %%
# What the detector makes of an image
# -----------------------------------
# A zero is reconstructed as it is, and another digit becomes similar to a zero. The map
# of an autoencoder is the squared error.
from skanomaly.inspection import ReconstructionDisplay

_ = ReconstructionDisplay.from_estimator(detector, shown)

# %%
# Frames of clips
# ---------------
# A clip is one sample: ``(channels, time, height, width)``. A square moves to the right
# at constant speed; in the abnormal clip it leaves its way in the fourth of six frames.
from skanomaly.video import make_clips


def make_frames(n_frames, size=16):
    """Make frames of a square that goes around."""
    frames = np.zeros((n_frames, 1, size, size))
    for t, frame in enumerate(frames):
        column = 2 * t % size
        frame[0, 6:10, column : column + 3] = 1
    return frames


clips, _ = make_clips(make_frames(80), length=6)
of_clips = Autoencoder(latent_size=8, max_epochs=40, batch_size=16, random_state=0)
of_clips.fit(clips)

abnormal = clips[:1].copy()
abnormal[0, :, 3] = np.roll(abnormal[0, :, 3], 5, axis=1)

# %%
# The frame with the largest sum of its map is shown by default.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 3, figsize=(7, 2.6), layout="constrained")
for ax, frame in zip(axes, (None, 2, 3), strict=True):
    AnomalyMapDisplay.from_estimator(
        of_clips, abnormal, frame=frame, ax=ax, map_kwargs={"vmin": 0, "vmax": 1}
    )
    ax.set_title(f"frame={frame}", pad=18)

# %%
# In a Pipeline
# -------------
# Where images are flat rows, ``sample_shape`` gives them their shape back.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

flat = split.X_train.reshape(len(split.X_train), -1)
pipeline = make_pipeline(
    MinMaxScaler(), Autoencoder(sample_shape=(1, 8, 8), max_epochs=20, random_state=0)
)
print(pipeline.fit(flat)[-1].anomaly_map(flat).shape)
