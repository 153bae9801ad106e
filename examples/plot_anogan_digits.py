"""
AnoGAN: the twin of a digit
===========================

A generator that has only ever seen zeros can only draw zeros. `AnoGAN` searches for the
one that is most like a given image. What differs is what is abnormal.
"""

# %%
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
    random_state=0,
).fit(split.X_train)

# %%
# First a look at what the generator draws of random codes: they should be zeros, and
# not all the same one. ``generated_spread_`` says how much they vary, with the
# variation of the training images as the unit.
import matplotlib.pyplot as plt

codes = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
drawn = detector.net_.evaluate("generator", codes)
figure, axes = plt.subplots(1, 8, figsize=(8, 1.3), layout="constrained")
for ax, image in zip(axes, drawn, strict=True):
    ax.imshow(image[0], cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
print(f"generated_spread_ = {detector.generated_spread_:.2f}")

# %%
# Each image, its twin, and the residual.
shown = np.concatenate(
    [split.X_test[split.class_test == digit][:1] for digit in (0, 1, 2, 3, 4, 6, 7, 9)]
)
twins, residuals = detector.generate(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(8, 3.6), layout="constrained")
for row, (images, name, colours) in enumerate(
    [(shown, "given", "gray"), (twins, "twin", "gray"), (residuals, "map", "inferno")]
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap=colours, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"{score:.0f}", fontsize="medium")

# %%
# Over every fourth digit kept back the mean residual of a pixel is:
X_test, y_test = split.X_test[::4], split.y_test[::4]
residual = detector.anomaly_map(X_test).mean(axis=(1, 2, 3))
for name, label in (("zeros", 1), ("other digits", -1)):
    print(f"{name:<13} {residual[y_test == label].mean():.3f}")

# %%
# `FAnoGAN` finds the twin by an encoder: one pass instead of 100.
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
