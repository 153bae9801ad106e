"""
AnoGAN: the nearest generated digit
===================================

A generator that is trained on zeros generates zeros only. :class:`~skanomaly.AnoGAN`
searches for the one that is nearest to a given image. Where the two differ, the image
is abnormal.
"""

# %%

# sphinx_gallery_thumbnail_number = 2
import numpy as np

from skanomaly import AnoGAN
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
detector = AnoGAN(
    latent_size=8,
    max_epochs=150,
    batch_size=16,
    n_search_steps=100,
    device="cpu",
    random_state=0,
).fit(split.X_train)

# %%
# First what the generator makes of random codes: they should be zeros, and not all the
# same one, which would be mode collapse. ``generated_std_ratio_`` is their standard
# deviation, divided by that of the training images.
import matplotlib.pyplot as plt
import torch

codes = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
with torch.no_grad():
    generated = detector.module_.generator(torch.from_numpy(codes)).numpy()
figure, axes = plt.subplots(1, 8, figsize=(8, 1.3), layout="constrained")
for ax, image in zip(axes, generated, strict=True):
    ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
print(f"generated_std_ratio_ = {detector.generated_std_ratio_:.2f}")

# %%
# Each image, the nearest generated one, and the residual.
shown = np.concatenate(
    [split.X_test[split.class_test == digit][:1] for digit in (0, 1, 2, 3, 4, 6, 7, 9)]
)
nearest, residuals = detector.reconstruct(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(8, 3.6), layout="constrained")
for row, (images, name, cmap) in enumerate(
    [
        (shown, "given", "gray"),
        (nearest, "nearest", "gray"),
        (residuals, "map", "inferno"),
    ]
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap=cmap, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"{score:.0f}", fontsize="medium")

# %%
# Over every fourth digit held out the mean residual of a pixel is:
X_test, y_test = split.X_test[::4], split.y_test[::4]
residual = detector.anomaly_map(X_test).mean(axis=(1, 2, 3))
for name, label in (("zeros", 1), ("other digits", -1)):
    print(f"{name:<13} {residual[y_test == label].mean():.3f}")

# %%
# :class:`~skanomaly.FAnoGAN` finds the nearest one by an encoder: one pass instead of
# 100 steps.
import time

from sklearn.metrics import roc_auc_score

from skanomaly import FAnoGAN

fast = FAnoGAN(
    latent_size=8, max_epochs=200, batch_size=16, n_critic_steps=2, random_state=0
)
for each in (detector, fast.fit(split.X_train)):
    start = time.perf_counter()
    scores = each.score_samples(X_test)
    seconds = time.perf_counter() - start
    auc = roc_auc_score(y_test, scores)
    print(f"{type(each).__name__:<8} AUC {auc:.3f}, scored in {seconds:.3f} s")
