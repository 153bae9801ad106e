"""
Where an image is abnormal
==========================

The same class takes images: the network is then convolutional, and ``anomaly_map``
tells how much each pixel adds to the score. Here handwritten zeros are normal.
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
split.X_train.shape

# %%
from sklearn.metrics import roc_auc_score

from skanomaly import Autoencoder

detector = Autoencoder(activation="relu", latent_size=8, batch_size=16, random_state=0)
detector.fit(split.X_train)
scores = detector.score_samples(split.X_test)
print(f"AUC on digits held out: {roc_auc_score(split.y_test, scores):.3f}")

# %%
# A zero is reconstructed as it is; any other digit becomes similar to a zero, and the
# map shows the difference. Some zeros get a stroke that does not belong there.
altered = split.X_test[split.y_test == 1][:2].copy()
altered[:, :, 3, 2:6] = 1
others = [split.X_test[split.class_test == digit][0] for digit in (1, 4, 7)]
shown = np.concatenate([split.X_test[split.y_test == 1][:2], altered, others])

# %%
import matplotlib.pyplot as plt

rebuilt, maps = detector.reconstruct(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(9, 4.2), layout="constrained")
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
    ax.set_title(f"score {score:.1f}", fontsize="medium")

# %%
# In a Pipeline, where images are flat rows, ``sample_shape`` gives them their
# shape back.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

flat = split.X_train.reshape(len(split.X_train), -1)
pipeline = make_pipeline(
    MinMaxScaler(), Autoencoder(sample_shape=(1, 8, 8), max_epochs=20, random_state=0)
)
print(pipeline.fit(flat)[-1].anomaly_map(flat).shape)
