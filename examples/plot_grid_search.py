"""
Tuning a detector by grid search
================================

Where some outliers are known, a grid search can choose between detectors. Two things go
wrong silently if one does not take care:

- outliers slip into the training folds, and the detector is tuned on a task that it
  will not have: :class:`~skanomaly.model_selection.NoveltySplit` keeps them out;
- labels of which 1 means an outlier make ``scoring="roc_auc"`` look for the *worst*
  detector: :func:`~skanomaly.metrics.outlier_scorer` recognizes all codings.
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
# It can set the parameters of every step of the pipeline by name. Labels are 1 and -1
# here, so ``"roc_auc"`` means what it should.
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from skanomaly import VAE, Autoencoder, make_tabular_pipeline
from skanomaly.model_selection import NoveltySplit

detector = Autoencoder(max_epochs=60, batch_size=32, random_state=0)
search = GridSearchCV(
    make_tabular_pipeline(detector),
    {
        "detector": [detector, VAE(max_epochs=60, batch_size=32, random_state=0)],
        "detector__latent_size": [2, 8],
        "scale": [
            StandardScaler(),
            QuantileTransformer(n_quantiles=50, output_distribution="normal"),
        ],
    },
    cv=NoveltySplit(3),
    scoring="roc_auc",
    refit=False,
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
# Fit the best one on what is normal
# ----------------------------------
# A search that refits (``refit=True``, the default) would train on everything that it
# was given, outliers included. So it was told not to, and the best parameters are
# fitted on the benign tumors.
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

best = make_tabular_pipeline(detector).set_params(
    **{name: clone(value, safe=False) for name, value in search.best_params_.items()}
)
best.fit(X[y == 1])
print(f"AUC in the search {search.best_score_:.3f}, ", end="")
print(f"on tumors held out {roc_auc_score(y_test, best.score_samples(X_test)):.3f}")
