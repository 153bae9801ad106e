"""
StudentTeacher: maps of digits
==============================

A teacher of random weights maps every patch of an image to some outputs; students learn
to predict them, from patches of handwritten zeros. Where a patch is like none of these,
the students are wrong, and disagree. A pixel of the map has the mean score of the
patches that hold it.
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
# Patches of 3 pixels localize well. Larger ones, and the whole image, tell shapes apart
# better and localize worse.
from sklearn.metrics import roc_auc_score

from skanomaly import StudentTeacher

detector = StudentTeacher(
    patch_sizes=(3,), max_epochs=40, batch_size=16, random_state=0
).fit(split.X_train)
scores = detector.score_samples(split.X_test)
print(f"AUC on digits held out: {roc_auc_score(split.y_test, scores):.3f}")

# %%
# Two zeros, the same with a stroke that does not belong there, and other digits. All
# maps have the same color scale.
zeros = split.X_test[split.y_test == 1][:2]
altered = zeros.copy()
altered[:, :, 3, 2:6] = 1
others = [split.X_test[split.class_test == digit][0] for digit in (1, 4, 7)]
shown = np.concatenate([zeros, altered, others])

# %%
import matplotlib.pyplot as plt

maps = detector.anomaly_map(shown)
figure, axes = plt.subplots(2, len(shown), figsize=(9, 2.9), layout="constrained")
for ax, image, score in zip(axes[0], shown, detector.score_samples(shown), strict=True):
    ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"score {score:.1f}", fontsize="medium")
for ax, image in zip(axes[1], maps, strict=True):
    ax.imshow(image[0], cmap="inferno", vmin=maps.min(), vmax=maps.max())
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])

# %%
# With masks at hand, maps can be evaluated by the per-region overlap (PRO): the
# fraction of each abnormal region that is found while few normal pixels are.
from skanomaly.metrics import per_region_overlap

inliers = split.X_test[split.y_test == 1]
altered = inliers.copy()
altered[:, :, 3, 3:5] = 1
masks = np.abs(altered - inliers)[:, 0] > 0.5
found = detector.anomaly_map(altered)[:, 0]
print(f"PRO of the strokes: {per_region_overlap(masks, found):.2f}, by chance 0.15")
