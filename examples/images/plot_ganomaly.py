"""
GANomaly: two codes that should agree
=====================================

:class:`~skanomaly.GANomaly` encodes an image, reconstructs it, and encodes the
reconstruction. The two codes agree on images like those of training.
"""

# %%

# sphinx_gallery_thumbnail_number = 2
import numpy as np
from sklearn.metrics import roc_auc_score

from skanomaly import GANomaly
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
detector = GANomaly(latent_size=8, max_epochs=100, batch_size=16, random_state=0)
detector.fit(split.X_train)

# %%
# The losses of both networks are in ``history_``.
import matplotlib.pyplot as plt
import pandas as pd

history = pd.DataFrame(detector.history_).set_index("epoch")
losses = history.filter(like="_loss").drop(columns="train_loss")
losses.columns = losses.columns.str.removeprefix("train_").str.removesuffix("_loss")
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
losses.plot(ax=ax, logy=True, ylabel="loss")

# %%
# The score is the distance of the codes; ``anomaly_map`` is the error of the
# reconstruction. One tells whether an image is abnormal, the other where.
shown = np.concatenate(
    [split.X_test[split.class_test == digit][:1] for digit in (0, 1, 2, 3, 4, 6, 7, 9)]
)
rebuilt, maps = detector.reconstruct(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(8, 3.6), layout="constrained")
for row, (images, name, cmap) in enumerate(
    [
        (shown, "given", "gray"),
        (rebuilt, "reconstructed", "gray"),
        (maps, "map", "inferno"),
    ]
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap=cmap, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"{score:.1f}", fontsize="medium")

# %%
# The paper scales scores to [0, 1] by the least and the largest score of the *test*
# set, which is not there when one image is scored.
# :class:`~skanomaly.calibration.ConformalDetector` holds out a part of the training
# images instead: a p-value is the fraction of them that are at least as abnormal as the
# image. Of new zeros at most the fraction ``alpha`` is expected to have a p-value of
# ``alpha`` or less.
from sklearn.base import clone

from skanomaly.calibration import ConformalDetector

conformal = ConformalDetector(
    clone(detector), alpha=0.1, validation_fraction=0.3, random_state=0
)
p_values = conformal.fit(split.X_train).p_values(split.X_test)
is_zero = split.y_test == 1
print(f"{len(conformal.calibration_scores_)} zeros held out")
auc = roc_auc_score(is_zero, conformal.score_samples(split.X_test))
print(f"AUC {auc:.3f}")
print(f"zeros called abnormal:        {(p_values[is_zero] <= 0.1).mean():.0%}")
print(f"other digits called abnormal: {(p_values[~is_zero] <= 0.1).mean():.0%}")
