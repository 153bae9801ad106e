"""
An ensemble of detectors
========================

No detector is the best on every table, and which one is can't be told without labels.
An ensemble averages them. Their scores have units of their own, a distance here and a
squared error there, so :class:`~skanomaly.DetectorEnsemble` first turns each
into -log p, where p is the fraction of normal rows that are at least as abnormal, by
rows that were held out of training.
"""

# %%
# The default: neighbors and a denoiser
# -------------------------------------
# Benign tumors are normal, and half of them train; malignant ones are to be found.
# :func:`~skanomaly.default_ensemble` combines the distance to the nearest
# training row with a network that has learned to remove noise.
from sklearn.model_selection import train_test_split

from skanomaly import make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer
from skanomaly.ensemble import default_ensemble

cancer = load_breast_cancer()
X_train, X_test, y_train, y_test = train_test_split(
    cancer.data, cancer.target, test_size=0.5, stratify=cancer.target, random_state=0
)
X_train = X_train[y_train == 1]

detector = make_tabular_pipeline(default_ensemble(random_state=0))
detector.fit(X_train)

# %%
# What the members say
# --------------------
# Each member alone, and both together: the area under the ROC curve, and average
# precision. Malignant tumors are the positive class, so the sign is flipped.
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score


def evaluate(scores):
    """Return two figures of merit by the labels."""
    is_malignant = y_test == -1
    return {
        "AUC": roc_auc_score(is_malignant, -scores),
        "average precision": average_precision_score(is_malignant, -scores),
    }


def table(pipeline):
    """Evaluate the members of an ensemble, and the ensemble."""
    rows = pipeline[:-1].transform(X_test)
    ensemble = pipeline[-1]
    scores = {
        name: member.score_samples(rows)
        for name, member in ensemble.named_estimators_.items()
        if member != "drop"
    }
    scores["ensemble"] = ensemble.score_samples(rows)
    return pd.DataFrame({name: evaluate(each) for name, each in scores.items()}).T


table(detector).round(3)

# %%
# On this table one member is better than the other, and the ensemble is between them:
# without labels nobody could have known which to take. Over many tables it is better
# than each of its members, see :doc:`/detectors/ensemble`.
#
# The members' units can't be compared: a distance on one axis, a squared error on the
# other. The color is what the ensemble makes of both.
import matplotlib.pyplot as plt
import numpy as np

rows = detector[:-1].transform(X_test)
ensemble = detector[-1]
distance = -ensemble.named_estimators_["neighbors"].score_samples(rows)
error = -ensemble.named_estimators_["denoiser"].score_samples(rows)
abnormality = -ensemble.score_samples(rows)

figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
for label, name, marker in ((1, "benign", "o"), (-1, "malignant", "^")):
    of_kind = y_test == label
    shown = ax.scatter(
        distance[of_kind],
        error[of_kind],
        c=np.log10(1 + abnormality[of_kind]),
        vmin=0,
        vmax=np.log10(1 + abnormality.max()),
        marker=marker,
        edgecolor="black",
        linewidth=0.3,
        label=name,
    )
ax.set(
    xscale="log",
    yscale="log",
    xlabel="distance to the nearest neighbor",
    ylabel="squared error of the denoiser",
)
ax.set_xticks([2, 5, 10, 20], ["2", "5", "10", "20"])
ax.xaxis.set_minor_formatter("")
figure.colorbar(shown, label="ensemble: log10(1 + mean of -log p)")
_ = ax.legend()

# %%
# Members of one's own
# --------------------
# Any outlier detectors of scikit-learn's kind can be members, and Pipelines that end
# with one. ``combination="rank"`` keeps a single member from outvoting the others;
# ``"max"`` believes the one that sees most.
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor

from skanomaly.ensemble import DetectorEnsemble
from skanomaly.neighbors import NearestNeighborDetector

members = [
    ("neighbors", NearestNeighborDetector()),
    ("lof", LocalOutlierFactor(novelty=True)),
    ("forest", IsolationForest()),
]
own = make_tabular_pipeline(DetectorEnsemble(members, random_state=0))
table(own.fit(X_train)).round(3)

# %%
# As in scikit-learn's ensembles, a member is taken out by name.
own.set_params(detector__lof="drop")
table(own.fit(X_train)).round(3)

# %%
# A threshold for new rows
# ------------------------
# ``contamination`` counts training rows. For a false-alarm rate that holds for new
# ones, put :class:`~skanomaly.calibration.ConformalDetector` around the whole.
from skanomaly.calibration import ConformalDetector

conformal = ConformalDetector(own, alpha=0.05, random_state=0).fit(X_train)
found = conformal.predict(X_test) == -1
print(f"{found[y_test == -1].mean():.0%} of the malignant tumors are found,")
print(f"{found[y_test == 1].mean():.0%} of the benign ones are called outliers.")
