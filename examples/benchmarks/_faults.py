"""Tables without faults, and faults to plant into their rows."""

import numpy as np
import pandas as pd

from skanomaly.datasets import load_adbench, load_breast_cancer, load_kddcup99

# Sets on which nothing was chosen.
ADBENCH = ("cardio", "pendigits", "satellite", "annthyroid", "vowels")


def make_orders(n_samples=4000, random_state=0):
    """Make orders of a shop: dates, categories, and columns that depend on others."""
    rng = np.random.default_rng(random_state)
    country = rng.choice(["DE", "FR", "GB", "US"], n_samples, p=[0.4, 0.25, 0.15, 0.2])
    products = ["book", "shirt", "phone", "kettle"]
    product = rng.choice(products, n_samples, p=[0.4, 0.3, 0.1, 0.2])
    prices = {"book": 15, "shirt": 40, "phone": 550, "kettle": 60}
    price = pd.Series(product).map(prices) * rng.lognormal(0, 0.25, n_samples)
    quantity = 1 + rng.poisson(0.8, n_samples)
    days = rng.choice(pd.bdate_range("2024-01-01", "2024-12-31"), n_samples)
    seconds = 3600 * np.clip(rng.normal(14, 2.8, n_samples), 8, 20)
    currencies = {"DE": "EUR", "FR": "EUR", "GB": "GBP", "US": "USD"}
    age = rng.normal(44, 13, n_samples).round()
    return pd.DataFrame(
        {
            "ordered": days + pd.to_timedelta(seconds.astype(int), unit="s"),
            "country": country,
            "currency": pd.Series(country).map(currencies),
            "product": product,
            "price": price.round(2),
            "quantity": quantity,
            "total": (price * quantity * 1.19).round(2),
            "age": np.where(rng.random(n_samples) < 0.1, np.nan, age),
            "express": rng.random(n_samples) < 0.3,
        }
    )


def load_table(name, random_state):
    """Load a table of normal rows by name."""
    if name == "orders":
        return make_orders(random_state=random_state)
    if name == "breast cancer":
        cancer = load_breast_cancer()
        names = [str(each) for each in cancer.feature_names]
        return pd.DataFrame(cancer.data[cancer.target == 1], columns=names)
    if name == "KDD Cup 1999":
        data = load_kddcup99()
        normal = data.data[data.target == 1]
        normal = normal.sample(8000, random_state=random_state)
        return normal.reset_index(drop=True).astype({"land": str})
    data = load_adbench(name)
    frame = pd.DataFrame(data.data[data.target == 1]).add_prefix("x")
    return frame.head(8000)


def plant_faults(rows, train, kinds, random_state):
    """Put a fault into one column of each row; return rows and the columns' names.

    Numbers are half to three ranges of the column beyond its limits, dates years away
    or at night, levels unknown; and any value is missing if none was in training.
    """
    rng = np.random.default_rng(random_state)
    used = [name for name in train if kinds[name] in ("number", "date", "category")]
    columns = rng.choice(used, len(rows))
    faulty = rows.astype(object)
    for row, name in enumerate(columns):
        value = faulty.at[row, name]
        faulty.at[row, name] = _fault(value, train[name], kinds[name], rng)
    return _restore(faulty, kinds), [(name,) for name in columns]


def break_relations(rows, kinds, random_state):
    """Break a relation between columns; return rows and the columns of the relation.

    Of orders the total, the currency, or a price with its total; of cells the radius
    and the area. All values are within the limits of their columns.
    """
    rng = np.random.default_rng(random_state)
    faulty = rows.astype(object)
    related = [_break(faulty, row, rng) for row in range(len(rows))]
    return _restore(faulty, kinds), related


def _fault(value, column, kind, rng):
    """Return a value that a column can't have."""
    if not column.isna().any() and rng.random() < 0.25:
        return None
    if kind == "category":
        return "never seen"
    if kind == "date":
        if rng.random() < 1 / 3:
            return value.normalize() + pd.Timedelta(hours=3)
        days = int(rng.integers(800, 4000)) * rng.choice([-1, 1])
        return value + pd.Timedelta(days=int(days))
    low, high = column.min(), column.max()
    beyond = rng.uniform(0.5, 3) * (high - low)
    return high + beyond if rng.random() < 0.5 else low - beyond


def _break(frame, row, rng):
    """Change a row in place; return the columns of which one is to be named."""
    if "mean radius" in frame:
        factor = rng.choice([0.5, 2.0])
        frame.at[row, "mean radius"] *= factor
        frame.at[row, "worst area"] /= factor
        return "mean radius", "worst area"
    case = rng.integers(3)
    if case == 0:
        frame.at[row, "total"] *= rng.choice([0.2, 0.3, 3, 5])
        return "total", "price", "quantity"
    if case == 1:
        others = {"EUR", "GBP", "USD"} - {frame.at[row, "currency"]}
        frame.at[row, "currency"] = rng.choice(sorted(others))
        return "currency", "country"
    price = 20.0 if frame.at[row, "product"] == "phone" else 550.0
    frame.at[row, "total"] *= price / frame.at[row, "price"]
    frame.at[row, "price"] = price
    return "price", "product", "total"


def _restore(frame, kinds):
    """Give the columns their types again."""
    for name in frame:
        if kinds[name] == "number":
            frame[name] = frame[name].astype(float)
        elif kinds[name] == "date":
            frame[name] = pd.to_datetime(frame[name])
    return frame
