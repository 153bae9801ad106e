"""
Reasons: why is this row abnormal?
==================================

A score says how abnormal a row is; :func:`~skanomaly.inspection.explain` says why, in
the columns of the table itself: what the row has, what was expected, and the share of
the abnormality that is due to it.
"""

# %%
# People, and seven mistakes
# --------------------------
# The year of birth follows from the age, and the currency from the country.
import numpy as np
import pandas as pd


def make_people(n_samples, random_state):
    rng = np.random.default_rng(random_state)
    age = rng.normal(42, 12, n_samples).round().clip(18, 90)
    country = rng.choice(["DE", "FR", "GB"], n_samples)
    days = rng.choice(pd.bdate_range("2024-01-01", "2024-12-31"), n_samples)
    return pd.DataFrame(
        {
            "joined": days + pd.to_timedelta(rng.integers(9, 18, n_samples), unit="h"),
            "age": age,
            "born": 2024 - age,
            "country": country,
            "currency": np.where(country == "GB", "GBP", "EUR"),
            "salary": rng.lognormal(8, 0.3, n_samples).round(),
        }
    )


people = make_people(1000, random_state=0)
mistakes = make_people(7, random_state=1)
mistakes.loc[0, "age"] = 230
mistakes.loc[1, "born"] = 1884
mistakes.loc[2, "country"] = "Atlantis"
mistakes.loc[3, "currency"] = "EUR" if mistakes.loc[3, "currency"] == "GBP" else "GBP"
mistakes.loc[4, "salary"] = np.nan
mistakes.loc[5, "joined"] = pd.Timestamp("2024-06-09 03:00")
mistakes.loc[6, "salary"] = -1
mistakes

# %%
# The first reason for each
# -------------------------
# Dates are dates and categories are categories: the features that the preprocessing has
# made of a column count for the column.
from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.inspection import explain

detector = make_tabular_pipeline(Autoencoder(random_state=0)).fit(people)
explain(detector, mistakes, top=1).round({"share": 2})

# %%
# As a picture
# ------------
# :class:`~skanomaly.inspection.ReasonsDisplay` draws the reasons for one row, found by
# ``from_estimator`` or, as here, by :func:`~skanomaly.inspection.explain` before.
import matplotlib.pyplot as plt

from skanomaly.inspection import ReasonsDisplay

reasons = explain(detector, mistakes)
figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for ax, sample in zip(axes.flat, (0, 3, 5, 6), strict=True):
    ReasonsDisplay.from_reasons(reasons, sample=sample, ax=ax)
    ax.set(title=f"row {sample}", xlabel="")
for ax in axes[-1]:
    ax.set_xlabel("share of the score")

# %%
# What the map alone would say
# ----------------------------
# A faulty value goes into the network, too, and spoils what is expected of the other
# columns. So the faulty column is replaced by its mean before the network sees the row.
# Without this, by the detector's `anomaly_map`, an age of 230 blames the year of birth,
# too.
first = mistakes.iloc[[0]]
pd.concat(
    {
        method: explain(detector, first, method=method).round({"share": 2})
        for method in ("anomaly_map", "auto")
    }
)
