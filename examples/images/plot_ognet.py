"""
OGNet: a discriminator of good and bad reconstructions
======================================================

OGNet keeps the generator of the first epochs. In its second phase the discriminator
learns to tell good reconstructions from bad ones, among them those of the old
generator. Zeros are normal.
"""

# %%
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

# %%
# The first phase alone, and both
# -------------------------------
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from skanomaly import OGNet

both = OGNet(
    noise_std=0.2,
    activation="leaky_relu",
    max_epochs=20,
    old_generator_epoch=3,
    batch_size=16,
    device="cpu",
    random_state=0,
)
first = clone(both).set_params(n_phase_two_steps=0)
for name, detector in {"phase one": first, "both phases": both}.items():
    scores = detector.fit(split.X_train).score_samples(split.X_test)
    print(f"{name}: AUC on digits held out {roc_auc_score(split.y_test, scores):.3f}")

# %%
# Good reconstructions and bad ones
# ---------------------------------
# Two zeros, then other digits: what is given, its reconstructions by the old generator
# and by the final one, and the score attributed to pixels by integrated gradients from
# the mean of the training images. Red pixels add to the score, blue ones reduce it.
import matplotlib.pyplot as plt
import torch

zeros = split.X_test[split.y_test == 1][:2]
others = [split.X_test[split.class_test == digit][0] for digit in (1, 3, 4, 6, 9)]
shown = np.concatenate([zeros, others])
with torch.no_grad():
    old = both.module_.old_generator(torch.from_numpy(shown)).numpy()
maps = both.anomaly_map(shown)
limit = np.abs(maps).max()
rows = {
    "given": (shown, "gray", 0, 1),
    "old": (old, "gray", 0, 1),
    "final": (both.reconstruct(shown), "gray", 0, 1),
    "map": (maps, "RdBu_r", -limit, limit),
}
figure, axes = plt.subplots(4, len(shown), figsize=(8, 4.8), layout="constrained")
for row, (name, (images, cmap, low, high)) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image[0], cmap=cmap, vmin=low, vmax=high)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for ax, score in zip(axes[0], both.score_samples(shown), strict=True):
    ax.set_title(f"score {score:.1f}", fontsize="medium")
