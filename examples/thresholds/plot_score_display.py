"""
Does the threshold lie between the classes?
===========================================

How far are the scores of normal samples from those of abnormal ones, and does the
threshold lie between them? :class:`~skanomaly.inspection.ScoreDisplay` shows both. The
data are measurements of breast tumors: benign ones are normal.
"""

# %%
from sklearn.model_selection import train_test_split

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer

cancer = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    cancer.data, cancer.target, stratify=cancer.target, random_state=0
)
detector = make_tabular_pipeline(Autoencoder(contamination=0.05, random_state=0))
detector.fit(X_train[y_train == 1])

# %%
# With labels there is a histogram for each class, malignant tumors being the outliers.
# Scores differ so much that the axis is logarithmic away from the median.
from skanomaly.inspection import ScoreDisplay

_ = ScoreDisplay.from_estimator(detector, X_test, y_test)

# %%
# Two thresholds
# --------------
# The threshold is that of the outermost estimator that has one: here of the pipeline,
# and of a :class:`~skanomaly.calibration.ConformalDetector`, which is calibrated by
# samples held out of training. A display takes any axes.
import matplotlib.pyplot as plt

from skanomaly.calibration import ConformalDetector

conformal = ConformalDetector(detector, alpha=0.05, random_state=0)
conformal.fit(X_train[y_train == 1])

figure, axes = plt.subplots(2, 1, figsize=(6.4, 6), layout="constrained")
for ax, each in zip(axes, (detector, conformal), strict=True):
    ScoreDisplay.from_estimator(each, X_test, y_test, ax=ax)
    ax.set_title(type(each).__name__)

# %%
# Scores of any origin
# --------------------
# ``from_predictions`` takes scores, with or without labels and threshold.
from sklearn.neighbors import LocalOutlierFactor

scores = LocalOutlierFactor().fit(X_train).negative_outlier_factor_
_ = ScoreDisplay.from_predictions(scores, hist_kwargs={"color": "gray"})
