"""
Where an image is abnormal
==========================

The same class takes images: the network is then convolutional, and ``anomaly_map`` says
how much each pixel adds to the score. Here handwritten zeros are normal.
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
print(f"AUC on digits kept back: {roc_auc_score(split.y_test, scores):.3f}")

# %%
# A zero is drawn again as it is; any other digit becomes a zero of sorts, and the map
# shows what had to change. Some zeros get a stroke that does not belong there.
spoilt = split.X_test[split.y_test == 1][:2].copy()
spoilt[:, :, 3, 2:6] = 1
others = [split.X_test[split.class_test == digit][0] for digit in (1, 4, 7)]
shown = np.concatenate([split.X_test[split.y_test == 1][:2], spoilt, others])

# %%
import matplotlib.pyplot as plt

drawn, maps = detector.reconstruct(shown), detector.anomaly_map(shown)
figure, axes = plt.subplots(3, len(shown), figsize=(9, 4.2), layout="constrained")
for row, (images, name, colours) in enumerate(
    [(shown, "given", "gray"), (drawn, "drawn again", "gray"), (maps, "map", "inferno")]
):
    for ax, image in zip(axes[row], images, strict=True):
        ax.imshow(image[0], cmap=colours, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    axes[row, 0].set_ylabel(name)
for ax, score in zip(axes[0], detector.score_samples(shown), strict=True):
    ax.set_title(f"score {score:.1f}", fontsize="medium")

# %%
# In a Pipeline, where images travel as flat rows, ``sample_shape`` gives them their
# shape back.
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

flat = split.X_train.reshape(len(split.X_train), -1)
pipeline = make_pipeline(
    MinMaxScaler(), Autoencoder(sample_shape=(1, 8, 8), max_epochs=20, random_state=0)
)
print(pipeline.fit(flat)[-1].anomaly_map(flat).shape)
