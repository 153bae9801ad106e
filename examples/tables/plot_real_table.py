"""
A CSV file without labels, from the top ten to a report
=======================================================

Tables hold more than numbers: ids, dates, categories, free text, missing values. The
orders of a shop are made here, as no real ones can be shipped, and eight of them are
wrong. The rest is what one would do with a CSV file of one's own: find the orders that
are worth a look and why, set a threshold for orders to come, and write a page for those
who have to act.
"""

# %%
# Orders of a year
# ----------------
# Columns depend on each other: a currency belongs to a country, a price to a product,
# the total to price and quantity. Shops are closed at night and on weekends.
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 4000
country = rng.choice(["DE", "FR", "GB", "US"], n, p=[0.4, 0.25, 0.15, 0.2])
product = rng.choice(["book", "shirt", "phone", "kettle"], n, p=[0.4, 0.3, 0.1, 0.2])
price = pd.Series(product).map({"book": 15, "shirt": 40, "phone": 550, "kettle": 60})
price = (price * rng.lognormal(0, 0.25, n)).round(2)
quantity = 1 + rng.poisson(0.8, n)
days = rng.choice(pd.bdate_range("2024-01-01", "2024-12-31"), n)
hours = np.clip(rng.normal(14, 2.8, n), 8, 20)
words = "please leave it at the door before noon thanks a gift".split()
orders = pd.DataFrame(
    {
        "order": [f"2024-{i:06d}" for i in rng.permutation(n)],
        "ordered": days + pd.to_timedelta((hours * 3600).astype(int), unit="s"),
        "country": country,
        "currency": pd.Series(country).map(
            {"DE": "EUR", "FR": "EUR", "GB": "GBP", "US": "USD"}
        ),
        "product": product,
        "price": price,
        "quantity": quantity,
        "total": (price * quantity * 1.19).round(2),
        "age": np.where(rng.random(n) < 0.1, np.nan, rng.normal(44, 13, n).round()),
        "express": rng.random(n) < 0.3,
        "note": [" ".join(rng.permutation(words)) for _ in range(n)],
        "shop": "main",
    }
)

wrong = {
    250: {"country": "GB", "currency": "USD"},
    700: {"product": "book", "price": 612.0, "total": 728.28, "quantity": 1},
    1300: {"total": 9.99},
    1800: {"ordered": pd.Timestamp("2024-06-05 03:12")},
    2200: {"ordered": pd.Timestamp("2024-06-09 15:00")},
    2900: {"age": 230},
    3300: {"country": None},
    3800: {"currency": "BTC"},
}
for row, values in wrong.items():
    orders.loc[row, list(values)] = list(values.values())

# %%
# The CSV file
# ------------
folder = tempfile.TemporaryDirectory()
file = Path(folder.name) / "orders.csv"
orders.to_csv(file, index=False)

table = pd.read_csv(file)
table.head()

# %%
# Fit on all of it
# ----------------
# Nobody knows which orders are wrong, so the detector is trained on all of them. A
# warning names the columns from which it can learn nothing; ``keep`` and ``drop`` say
# otherwise. pandas has read the dates as strings; they are recognized.
import warnings

from skanomaly import Autoencoder, make_tabular_pipeline

detector = make_tabular_pipeline(Autoencoder(random_state=0))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    detector.fit(table)
print(caught[0].message)

# %%
# What has become of each column:
pd.Series(detector["encode"].column_kinds_)

# %%
detector[:-1].get_feature_names_out().tolist()

# %%
# The top ten
# -----------
# Low scores are abnormal.
scores = detector.score_samples(table)
ranked = table.assign(score=scores.round(1), is_wrong=table.index.isin(wrong))
top_ten = ranked.sort_values("score").head(10)
top_ten.drop(columns=["order", "note", "shop"])

# %%
found = top_ten["is_wrong"].sum()
print(f"{found} of the {len(wrong)} wrong orders are among the top ten.")

# %%
# Each wrong order is one of its kind here. What is wrong often enough is normal to a
# detector that was trained on it: where orders are known to be right, train on these.

# %%
# Why they are abnormal
# ---------------------
# :func:`~skanomaly.inspection.explain` tells it in the columns of the table: what
# stands there, and what would be expected from the other columns.
from skanomaly.inspection import explain

explain(detector, table.loc[top_ten.index], top=1).assign(sample=top_ten.index)

# %%
from skanomaly.inspection import ReasonsDisplay

_ = ReasonsDisplay.from_estimator(detector, table, sample=1300)

# %%
# A threshold for orders to come
# ------------------------------
# The top ten are a list to look through. A service needs a threshold, and to know how
# often it will be wrong. :class:`~skanomaly.calibration.ConformalDetector` sets it by
# orders that were held out of training: of new orders as they are here, one in two
# hundred is expected to be called an outlier, the wrong ones among them. Columns that
# are of no use are known by now, and named in ``drop``.
from skanomaly.calibration import ConformalDetector

unused = ["order", "note", "shop"]
pipeline = make_tabular_pipeline(Autoencoder(random_state=0), drop=unused)
conformal = ConformalDetector(pipeline, alpha=0.005, random_state=0).fit(table)

# %%
# A service gets orders one by one, and needs no frame.
order = {
    "ordered": "2024-12-02T11:30:00",
    "country": "FR",
    "currency": "EUR",
    "product": "kettle",
    "price": 61.0,
    "quantity": 2,
    "total": 145.18,
    "age": None,
    "express": False,
}
for change in ({}, {"currency": "USD"}, {"quantity": 1.5}):
    (p_value,) = conformal.p_values({**order, **change})
    print(f"{change}: p = {p_value:.4f}, {conformal.predict({**order, **change})}")

# %%
# A column that holds something else than it did in training is an error that names it.
try:
    conformal.predict({**order, "price": "expensive"})
except TypeError as error:
    print(error)

# %%
# A report
# --------
# :func:`~skanomaly.inspection.report` writes scores, the most abnormal orders with the
# reasons, what the columns hold, training, parameters and versions into one HTML file.
# It needs no network, can be sent by mail and read on a phone, and is light or dark as
# the browser is.
from html import escape

from skanomaly.inspection import report

path = report(conformal, table, path=Path(folder.name) / "orders.html", top=8)
page = path.read_text(encoding="utf-8")
folder.cleanup()


class Embedded:
    """A page inside of this one."""

    def __init__(self, page):
        self.page = page

    def _repr_html_(self):
        style = "width: 100%; height: 40rem; border: 1px solid gray"
        return f'<iframe srcdoc="{escape(self.page)}" style="{style}"></iframe>'


print(f"{path.name}: {len(page) / 1000:.0f} kB")
Embedded(page)
