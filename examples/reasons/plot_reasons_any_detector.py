"""
Reasons of any detector: three that see different things
========================================================

A detector needs no reconstruction to be explained. The value of each column is replaced
by those of normal rows, and what the score gains is the column's share. So detectors
can be asked what they look at: here in the orders of a shop, whose total follows from
price and quantity.
"""

# %%
# Orders, and three mistakes
# --------------------------
# A total that doesn't follow, a currency of another country, and a large quantity.
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 1000
country = rng.choice(["DE", "FR", "GB"], n)
price, quantity = rng.lognormal(3, 0.3, n).round(2), rng.integers(1, 6, n)
orders = pd.DataFrame(
    {
        "country": country,
        "currency": np.where(country == "GB", "GBP", "EUR"),
        "price": price,
        "quantity": quantity,
        "total": (price * quantity).round(2),
    }
)
mistakes = orders.iloc[[1, 2, 3]].reset_index(drop=True)
mistakes.loc[0, "total"] = 9.99
mistakes.loc[1, "currency"] = "GBP" if mistakes.loc[1, "currency"] == "EUR" else "EUR"
mistakes.loc[2, "quantity"] = 40
mistakes

# %%
# Three detectors
# ---------------
# Do they find the mistakes at all? The p-value is the fraction of orders that are at
# least as abnormal.
from sklearn.ensemble import IsolationForest

from skanomaly import Autoencoder, NearestNeighborDetector, make_tabular_pipeline

detectors = {
    "Autoencoder": make_tabular_pipeline(Autoencoder(random_state=0)),
    "NearestNeighborDetector": make_tabular_pipeline(NearestNeighborDetector()),
    "IsolationForest": make_tabular_pipeline(IsolationForest(random_state=0)),
}
p_values = {}
for name, detector in detectors.items():
    usual = np.sort(detector.fit(orders).score_samples(orders))
    ranks = np.searchsorted(usual, detector.score_samples(mistakes), side="right")
    p_values[name] = (1 + ranks) / (1 + len(usual))
names = ["total", "currency", "quantity"]
pd.DataFrame(p_values, index=names).round(3)

# %%
# What they look at
# -----------------
# ``method="replacement"`` asks all of them alike; ``"auto"`` would ask the network for
# its reconstruction. Normal rows are passed as ``reference``.
import matplotlib.pyplot as plt

from skanomaly.inspection import ReasonsDisplay, explain

figure, axes = plt.subplots(3, 3, figsize=(12, 6.5), layout="constrained")
for column, (name, detector) in zip(axes.T, detectors.items(), strict=True):
    reasons = explain(detector, mistakes, method="replacement", reference=orders)
    for sample, ax in enumerate(column):
        ReasonsDisplay.from_reasons(reasons, sample=sample, ax=ax)
        ax.set(xlabel="", xlim=(0, 1))
    column[0].set_title(name)
for ax in axes[-1]:
    ax.set_xlabel("share of the score")

# %%
# The network and the nearest neighbor find all three mistakes. A currency of another
# country has two reasons: either of the two values, replaced, would repair it. The
# forest splits at one column after the other, and to it none of the three orders is
# rare; the reasons of a score that is not low are none.
