"""
Tuning a detector with labelled outliers
========================================

Where some outliers are known, a grid search can choose between detectors. With
:class:`~sklearn.model_selection.GridSearchCV` two things go wrong silently: the best
detector is trained, at last, on the outliers too, and with labels of which 1 means an
outlier, ``scoring="roc_auc"`` looks for the *worst* detector.
:class:`~skanomaly.model_selection.NoveltySearchCV` has the same parameters, and trains
on inliers only, whatever the coding of the labels.
"""

# %%
# Tumors, of which a part is held out
# -----------------------------------
# The search has the one half, with its malignant tumors; the final evaluation is on the
# other.
from sklearn.model_selection import train_test_split

from skanomaly.datasets import load_breast_cancer

cancer = load_breast_cancer()
X, X_test, y, y_test = train_test_split(
    cancer.data, cancer.target, test_size=0.5, stratify=cancer.target, random_state=0
)

# %%
# The search
# ----------
# It can set the parameters of every step of the pipeline by name.
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skanomaly import VAE, Autoencoder, make_tabular_pipeline
from skanomaly.model_selection import NoveltySearchCV

settings = {"latent_size": 2, "max_epochs": 60, "batch_size": 32, "random_state": 0}
search = NoveltySearchCV(
    make_tabular_pipeline(Autoencoder(**settings)),
    {
        "detector": [Autoencoder(**settings), VAE(**settings)],
        "detector__latent_size": [2, 8],
        "scale": [
            StandardScaler(),
            QuantileTransformer(n_quantiles=50, output_distribution="normal"),
        ],
    },
    cv=3,
    scoring="roc_auc",
)
search.fit(X, y)

# %%
import pandas as pd

results = pd.DataFrame(search.cv_results_)
results["detector"] = results["param_detector"].map(lambda d: type(d).__name__)
results["scale"] = results["param_scale"].map(lambda s: type(s).__name__)
columns = ["detector", "param_detector__latent_size", "scale"]
figures = ["mean_test_score", "std_test_score"]
results.sort_values("rank_test_score")[columns + figures].round(3)

# %%
import matplotlib.pyplot as plt

ordered = results.sort_values("mean_test_score")
names = ordered["detector"].str.cat(
    [ordered["param_detector__latent_size"].astype(str), ordered["scale"]], sep=", "
)
figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
ax.errorbar(ordered["mean_test_score"], names, xerr=ordered["std_test_score"], fmt="o")
_ = ax.set(xlabel="AUC: mean and standard deviation over three folds")

# %%
# The best detector
# -----------------
# It has been fitted on all benign tumors of this half, and on no malignant one. So it
# keeps what the search promised.
promised, kept = search.best_score_, search.score(X_test, y_test)
print(f"AUC in the search {promised:.3f}, on tumors held out {kept:.3f}")

# %%
# The same parameters, refitted as GridSearchCV does, on malignant tumors too:
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

spoiled = clone(search.best_estimator_).fit(X)
print(f"AUC {roc_auc_score(y_test, spoiled.score_samples(X_test)):.3f}")

# %%
# With another search, such as
# :class:`~sklearn.model_selection.RandomizedSearchCV`, wrap the pipeline in
# :class:`~skanomaly.model_selection.NoveltyDetector`, which removes labelled outliers
# wherever it is fitted, and split by
# :class:`~skanomaly.model_selection.NoveltySplit`.
