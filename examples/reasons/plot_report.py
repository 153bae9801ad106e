"""
report: one page for those who have to look at the anomalies
============================================================

:func:`~skanomaly.inspection.report` writes scores, the most abnormal samples with the
reasons, what the columns hold, training, parameters and versions into one HTML file. It
needs no network and can be sent by mail.
"""

# %%
# A table with a wrong row
# ------------------------
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 1500
price, quantity = rng.lognormal(3, 0.3, n).round(2), rng.integers(1, 6, n)
country = rng.choice(["DE", "FR", "GB"], n)
orders = pd.DataFrame(
    {
        "ordered": rng.choice(pd.date_range("2024-01-01", "2024-12-31"), n),
        "country": country,
        "currency": np.where(country == "GB", "GBP", "EUR"),
        "price": price,
        "quantity": quantity,
        "total": (price * quantity).round(2),
    }
)
orders.loc[100, "total"] = 9.99
orders.loc[200, "currency"] = "BTC"

# %%
# A detector whose threshold holds for new samples gives them p-values, too.
from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector

pipeline = make_tabular_pipeline(Autoencoder(max_epochs=60, random_state=0))
detector = ConformalDetector(pipeline, alpha=0.01, random_state=0).fit(orders)

# %%
# The page
# --------
import tempfile
from pathlib import Path

from skanomaly.inspection import report

folder = tempfile.TemporaryDirectory()
path = report(detector, orders, path=Path(folder.name) / "orders.html", top=4)
print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

# %%
# This is what it looks like. It is light or dark as the browser is, and can be read on
# a phone.
from html import escape


class Embedded:
    """A page inside of this one."""

    def __init__(self, page):
        self.page = page

    def _repr_html_(self):
        style = "width: 100%; height: 40rem; border: 1px solid gray"
        return f'<iframe srcdoc="{escape(self.page)}" style="{style}"></iframe>'


page = path.read_text(encoding="utf-8")
folder.cleanup()
Embedded(page)
