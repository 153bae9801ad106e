"""
GANomaly: two codes that should agree
=====================================

`GANomaly` encodes an image, draws it again, and encodes the drawing. The two codes
agree on what the network knows.
"""

# %%
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
# The players' losses are in ``history_``.
import matplotlib.pyplot as plt
import pandas as pd

history = pd.DataFrame(detector.history_).set_index("epoch")
losses = history.filter(like="_loss").drop(columns="train_loss")
losses.columns = losses.columns.str.removeprefix("train_").str.removesuffix("_loss")
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
losses.plot(ax=ax, logy=True, ylabel="loss")

# %%
# The score is the distance of the codes; ``anomaly_map`` is where the drawing differs.
# They are two views: one says whether, the other where.
shown = np.concatenate(
    [split.X_test[split.class_test == digit][:1] for digit in (0, 1, 2, 3, 4, 6, 7, 9)]
)
drawn, maps = detector.reconstruct(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(8, 3.6), layout="constrained")
for row, (images, name, colours) in enumerate(
    [(shown, "given", "gray"), (drawn, "drawn again", "gray"), (maps, "map", "inferno")]
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap=colours, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"{score:.1f}", fontsize="medium")

# %%
# The paper scales scores to [0, 1] by the least and the largest score of the *test*
# set, which a detector that is asked about one image doesn't have. `NormalizedScores`
# holds out a part of the training images instead, and its threshold is the share of
# normal images that are not called abnormal.
from sklearn.base import clone

from skanomaly.calibration import NormalizedScores

calibrated = NormalizedScores(clone(detector), threshold=0.95, random_state=0)
calibrated.fit(split.X_train)
scores = calibrated.normalized_scores(split.X_test)
is_zero = split.y_test == 1
print(f"AUC {roc_auc_score(~is_zero, scores):.3f}")
print(f"zeros above the threshold:        {(scores[is_zero] > 0.95).mean():.0%}")
print(f"other digits above the threshold: {(scores[~is_zero] > 0.95).mean():.0%}")
