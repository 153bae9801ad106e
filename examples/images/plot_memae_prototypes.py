"""
What a memory holds: prototypes of normal digits
================================================

MemAE's decoder never sees the code of a sample, only a sparse combination of memory
items, which represent normal samples. So one can look at the items, see which of them
reconstruct a sample, and see an abnormal sample reconstructed as a normal one. Here
zeros are normal.
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
# A memory of 20 items
# --------------------
# The encoder and the decoder are trained without the memory at first, then it is filled
# with codes of training samples and all three are trained together.
from sklearn.metrics import roc_auc_score

from skanomaly import MemAE

detector = MemAE(
    memory_size=20,
    latent_size=8,
    activation="relu",
    max_epochs=200,
    batch_size=16,
    random_state=0,
).fit(split.X_train)
scores = detector.score_samples(split.X_test)
print(f"AUC on digits held out: {roc_auc_score(split.y_test, scores):.3f}")
print(f"items with the most weight for a sample: {detector.n_items_used_} of 20")
print(f"items with a weight above zero, mean: {detector.mean_active_items_:.1f}")

# %%
# Each item, decoded, is a prototype of what is normal.
import matplotlib.pyplot as plt

figure, axes = plt.subplots(2, 10, figsize=(9, 2.1), layout="constrained")
for ax, prototype in zip(axes.flat, detector.prototypes(), strict=True):
    ax.imshow(prototype[0], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])

# %%
# Reconstructions
# ---------------
# Two zeros, then other digits: what is given, its reconstruction from the memory, the
# prototype with the largest weight, and the squared error.
zeros = split.X_test[split.y_test == 1][:2]
others = [split.X_test[split.class_test == digit][0] for digit in (1, 3, 4, 6, 9)]
shown = np.concatenate([zeros, others])
first = detector.address(shown).argmax(axis=1)
rows = {
    "given": (shown, "gray"),
    "reconstructed": (detector.reconstruct(shown), "gray"),
    "first item": (detector.prototypes()[first], "gray"),
    "map": (detector.anomaly_map(shown), "inferno"),
}
figure, axes = plt.subplots(4, len(shown), figsize=(8, 4.8), layout="constrained")
for row, (name, (images, cmap)) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(row, images, strict=True):
        ax.imshow(image[0], cmap=cmap, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"score {score:.1f}", fontsize="medium")
