"""
Quickstart: a table, a detector, a threshold
============================================

Train a detector on what is normal, see where its threshold lies, and compare it with
an isolation forest. The data are measurements of breast tumors: benign ones are
normal, malignant ones are to be found. No label of a malignant tumor is used before
the last step.
"""

# %%
# Half of the benign tumors are for training
# -------------------------------------------

# sphinx_gallery_thumbnail_number = 2
from sklearn.model_selection import train_test_split

from skanomaly.datasets import load_breast_cancer

cancer = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    cancer.data, cancer.target, test_size=0.5, stratify=cancer.target, random_state=0
)
X_train = X_train[y_train == 1]
X_train.shape, X_test.shape

# %%
# Scale, then detect
# ------------------
# :func:`~skanomaly.make_tabular_pipeline` puts in front of the detector what a table
# needs.
from skanomaly import Autoencoder, make_tabular_pipeline

detector = make_tabular_pipeline(Autoencoder(random_state=0))
detector.fit(X_train)

# %%
# Training is recorded epoch by epoch.
import matplotlib.pyplot as plt
import pandas as pd

history = pd.DataFrame(detector[-1].history_)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(history["epoch"], history["train_loss"])
_ = ax.set(xlabel="epoch", ylabel="training loss", yscale="log")

# %%
# A threshold for new tumors
# --------------------------
# A detector has a threshold of its own, ``contamination``. It counts training samples,
# whose errors are smaller than those of new ones; of so few nearly all errors vanish.
# :class:`~skanomaly.calibration.ConformalDetector` sets the threshold by samples that
# were held out, so that 5 % of new benign tumors are called outliers: here by all of
# them, each held out of one of five fits. See :doc:`/calibration`.
from skanomaly.calibration import ConformalDetector

conformal = ConformalDetector(
    detector, alpha=0.05, method="cross", cv=5, random_state=0
)
found = conformal.fit(X_train).predict(X_test) == -1
print(f"{found[y_test == -1].mean():.0%} of the malignant tumors are found,")
print(f"{found[y_test == 1].mean():.0%} of the benign ones are called outliers.")

# %%
# Scores and the threshold
# ------------------------
# As everywhere in scikit-learn, low scores are abnormal, and ``predict`` returns -1 for
# an outlier, whose score is below ``offset_``.
import numpy as np

abnormality = -conformal.score_samples(X_test)
figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
bins = np.geomspace(abnormality.min(), abnormality.max(), 40)
for label, name in ((1, "benign"), (-1, "malignant")):
    ax.hist(abnormality[y_test == label], bins, alpha=0.6, label=name)
ax.axvline(-conformal.offset_, color="black", linestyle="--", label="threshold")
ax.set(xscale="log", xlabel="abnormality, -score_samples", ylabel="tumors")
_ = ax.legend()

# %%
# Beside an isolation forest
# --------------------------
# scikit-learn draws the ROC curve from labels and scores; the outliers are the positive
# class, so the sign of the scores is flipped.
from sklearn.ensemble import IsolationForest
from sklearn.metrics import RocCurveDisplay

forest = IsolationForest(random_state=0).fit(X_train)
figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
for name, fitted in (("Autoencoder", detector), ("IsolationForest", forest)):
    RocCurveDisplay.from_predictions(
        y_test == -1, -fitted.score_samples(X_test), name=name, ax=ax
    )
_ = ax.set(
    xlabel="fraction of benign tumors called outliers",
    ylabel="fraction of malignant tumors found",
)

# %%
# On this small, easy table a network is no better than the forest.
