"""
ROC, precision-recall and DET curves of outlier detectors
=========================================================

scikit-learn's displays are for classifiers: they refuse outlier detectors, and of the
labels 1 and -1 they take 1 for the positive class, while the scores of outliers are
low. Those of ``skanomaly.metrics`` are the same displays, with the outlier as the
positive class, for labels in any coding.
"""

# %%

# sphinx_gallery_thumbnail_number = 2
from sklearn.ensemble import IsolationForest
from sklearn.model_selection import train_test_split

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer

cancer = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    cancer.data, cancer.target, stratify=cancer.target, random_state=0
)
X_train = X_train[y_train == 1]
detectors = {
    "Autoencoder": make_tabular_pipeline(Autoencoder(random_state=0)).fit(X_train),
    "IsolationForest": IsolationForest(random_state=0).fit(X_train),
}

# %%
# The ROC curve doesn't depend on how many outliers there are, the precision does. The
# DET curve shows small rates.
import matplotlib.pyplot as plt

from skanomaly.metrics import DetCurveDisplay, PrecisionRecallDisplay, RocCurveDisplay

displays = RocCurveDisplay, PrecisionRecallDisplay, DetCurveDisplay
figure, axes = plt.subplots(3, 1, figsize=(5, 13), layout="constrained")
for ax, display in zip(axes, displays, strict=True):
    for name, detector in detectors.items():
        display.from_estimator(detector, X_test, y_test, name=name, ax=ax)

# %%
# Folds of a cross-validation
# ---------------------------
# Each fold has a curve. :class:`~skanomaly.model_selection.NoveltySplit` trains on
# inliers only.
from sklearn.model_selection import cross_validate

from skanomaly.metrics import outlier_scorer
from skanomaly.model_selection import NoveltySplit

results = cross_validate(
    IsolationForest(random_state=0),
    cancer.data,
    cancer.target,
    cv=NoveltySplit(5),
    scoring=outlier_scorer("roc_auc"),
    return_estimator=True,
    return_indices=True,
)
_ = RocCurveDisplay.from_cv_results(results, cancer.data, cancer.target)
