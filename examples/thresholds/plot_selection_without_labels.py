"""
Choosing without labels
=======================

Mostly no outlier is known when a detector has to be chosen. What can be asked of each
candidate is whether it tells held-out rows from outliers that are made from them:
:func:`~skanomaly.model_selection.synthetic_outlier_scorer` does so inside any search
of scikit-learn. Here labels are looked at in the end only, to see how good the choices
were: on one data set they are good, on another one they aren't.
"""

# %%
# Normal rows, and no others
# --------------------------
# Of images of digits, threes are normal; of tumors, the benign ones. Half of them is
# what the search gets.
from sklearn.model_selection import train_test_split

from skanomaly.datasets import load_breast_cancer, load_digits

cancer, digits = load_breast_cancer(), load_digits(normal_class=3)
tables = {
    "digits": (digits.data.reshape(len(digits.data), -1), digits.target),
    "breast cancer": (cancer.data, cancer.target),
}
parts = {
    name: train_test_split(X[y == 1], test_size=0.5, random_state=0)
    for name, (X, y) in tables.items()
}

# %%
# Synthetic outliers
# ------------------
# There are three kinds: columns shuffled, which the scorer takes by default, values
# replaced by those of other rows, and noise. They are made from the table as it is,
# before any scaling. Two columns show what is lost: radius and area of a tumor belong
# together.
import matplotlib.pyplot as plt

from skanomaly.model_selection import make_synthetic_outliers

benign, _ = parts["breast cancer"]
names = list(cancer.feature_names)
radius, area = names.index("mean radius"), names.index("mean area")
figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
for ax, kind in zip(axes, ("shuffle", "replace", "jitter"), strict=True):
    made = make_synthetic_outliers(benign, kind, random_state=0)
    ax.scatter(made[:, radius], made[:, area], s=8, color="tab:red", label="made")
    ax.scatter(benign[:, radius], benign[:, area], s=8, label="benign")
    ax.set(title=kind, xlabel="mean radius")
axes[0].set_ylabel("mean area")
_ = axes[0].legend()

# %%
# Searches with ``y=None``
# ------------------------
# One for each family of detectors.
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skanomaly import Autoencoder
from skanomaly.model_selection import synthetic_outlier_scorer
from skanomaly.neighbors import NearestNeighborDetector
from skanomaly.preprocessing import ClipTransformer

families = {
    NearestNeighborDetector(): {"detector__n_neighbors": [1, 3, 10, 30]},
    LocalOutlierFactor(novelty=True): {"detector__n_neighbors": [3, 10, 20, 50]},
    Autoencoder(latent_size=1, max_epochs=40, batch_size=32, random_state=0): {
        "detector__latent_size": [1, 4, 12]
    },
}
preparation = [("scale", StandardScaler()), ("clip", ClipTransformer(10.0))]
searches = {}
for name, (train, _) in parts.items():
    for detector, grid in families.items():
        search = GridSearchCV(
            Pipeline([*preparation, ("detector", detector)]),
            grid,
            scoring=synthetic_outlier_scorer(),
            cv=3,
        )
        searches[name, type(detector).__name__] = search.fit(train)

# %%
# How good were they?
# -------------------
# Each setting is fitted once more on what the search had, and ranks normal rows held
# out and the outliers. A circle marks what was chosen.
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

rows = []
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for (name, family), search in searches.items():
    X, y = tables[name]
    train, test = parts[name]
    tested = np.concatenate([test, X[y == -1]])
    truth = np.repeat([1, -1], [len(test), (y == -1).sum()])
    aucs = []
    for params in search.cv_results_["params"]:
        fitted = clone(search.estimator).set_params(**params).fit(train)
        aucs.append(roc_auc_score(truth, fitted.score_samples(tested)))
    scores, chosen = search.cv_results_["mean_test_score"], search.best_index_
    ax = axes[list(tables).index(name)]
    ax.plot(scores, aucs, "o", label=family)
    ax.plot(scores[chosen], aucs[chosen], "ko", markersize=14, fillstyle="none")
    ax.set(title=name, xlabel="AUC, synthetic outliers", ylabel="AUC by labels")
    (value,) = search.best_params_.values()
    rows.append((name, family, value, aucs[chosen], np.mean(aucs), max(aucs)))
_ = axes[0].legend()

# %%
columns = ["data", "detector", "chosen", "its AUC", "mean AUC", "best AUC"]
pd.DataFrame(rows, columns=columns).round(3)

# %%
# Pixels of digits depend on each other, and what finds synthetic outliers finds other
# digits. Malignant tumors differ otherwise: most of their columns are large at once,
# which can be seen without knowing what connects the columns. Which of the two one has
# can't be told without labels. :doc:`/model_selection` has figures for 21 tables.
