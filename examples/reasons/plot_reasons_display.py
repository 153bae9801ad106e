"""
ReasonsDisplay: why a row is abnormal
=====================================

The columns of the user's own table, what the row has there, and what was expected. The
orders of a shop are made here: the total follows from price and quantity, and in one
order it doesn't.
"""

# %%
import numpy as np
import pandas as pd

from skanomaly import Autoencoder, make_tabular_pipeline

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
detector = make_tabular_pipeline(Autoencoder(max_epochs=60, random_state=0))
detector.fit(orders)

new = orders.head(4).copy()
new.loc[1, "total"] = 9.99
new.loc[2, "currency"] = "GBP" if new.loc[2, "currency"] == "EUR" else "EUR"
new.loc[3, "quantity"] = 40
new

# %%
# One order
# ---------
from skanomaly.inspection import ReasonsDisplay, explain

_ = ReasonsDisplay.from_estimator(detector, new, sample=1)

# %%
# From a table of reasons
# -----------------------
# :func:`~skanomaly.inspection.explain` returns the reasons for all samples as a frame;
# ``from_reasons`` draws one of them.
reasons = explain(detector, new)
reasons.round(2)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(2, 1, figsize=(6.4, 5), layout="constrained")
for ax, sample in zip(axes, (2, 3), strict=True):
    ReasonsDisplay.from_reasons(reasons, sample=sample, ax=ax)
    ax.set_title(f"order {sample}")

# %%
# Any detector
# ------------
# Reasons for a detector that doesn't reconstruct are found by replacing values. What
# takes their place comes from the rows of X that are predicted to be inliers, so that
# X should hold normal rows, too.
from sklearn.ensemble import IsolationForest

forest = make_tabular_pipeline(IsolationForest(random_state=0)).fit(orders)
all_orders = pd.concat([new, orders], ignore_index=True)
_ = ReasonsDisplay.from_estimator(forest, all_orders, sample=3, top=3)
