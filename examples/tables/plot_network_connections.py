"""
Network connections: from a table to another process
====================================================

The whole way once: load, prepare, tune, set a threshold, find out why, save, and score
in another process. The table is KDD Cup 1999, where it can be read from the folder that
``SKANOMALY_DATA`` names. Elsewhere a small table with some of its columns is drawn by
rules, and nothing that is shown then says anything about KDD Cup 1999. Its figures, on
all rows and for each detector, are in :doc:`/benchmarks`.
"""

# %%
# Load
# ----
# A row is a connection; ``kind`` says whether it is normal, or which attack it is.
import os

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skanomaly.datasets import load_kddcup99

rng = np.random.default_rng(0)


def draw_connections(n_normal=6000, n_attacks=200):
    """Draw connections and four kinds of attacks, with some columns of KDD."""
    kinds = ["normal", "warezclient", "portsweep", "guess_passwd", "smurf"]
    kind = np.repeat(kinds, [n_normal, *[n_attacks] * 4])
    n = len(kind)
    service = rng.choice(["http", "smtp", "ftp_data", "domain_u"], n)
    is_http, is_udp = service == "http", service == "domain_u"
    count = 1 + rng.poisson(6, n)
    table = pd.DataFrame(
        {
            "protocol_type": np.where(is_udp, "udp", "tcp"),
            "service": service,
            "duration": np.where(is_udp, 0, rng.exponential(2, n)),
            "src_bytes": np.where(is_udp, 40, rng.lognormal(5.5, 0.4, n)),
            "dst_bytes": np.where(is_http, 1e4, 300) * rng.lognormal(0, 0.4, n),
            "num_failed_logins": rng.binomial(1, 0.01, n),
            "count": count,
            "srv_count": rng.binomial(count, 0.9),
            "rerror_rate": rng.beta(1, 30, n),
        }
    )
    changes = {
        "warezclient": {"service": "ftp_data", "dst_bytes": 9e3},
        "portsweep": {"srv_count": 1, "rerror_rate": 0.2},
        "guess_passwd": {"num_failed_logins": 1, "duration": 8},
        "smurf": {"protocol_type": "icmp", "service": "ecr_i", "count": 511},
    }
    for name, values in changes.items():
        table.loc[kind == name, list(values)] = list(values.values())
    return Bunch(data=table.round(2), kind=kind)


if "SKANOMALY_DATA" in os.environ:
    kdd, name = load_kddcup99(), "KDD Cup 1999"
else:
    kdd, name = draw_connections(), "drawn by rules, NOT KDD Cup 1999"
print(f"{name}: {len(kdd.data)} connections")
pd.Series(kdd.kind).value_counts().head(8)

# %%
# What is normal, and one kind of attack
# --------------------------------------
# :func:`~skanomaly.datasets.split_kddcup99` puts half of the normal connections into
# the training part, of which 5,000 are enough here. Of the attacks one kind is known,
# and helps to choose. All other kinds are new in the end.
from skanomaly.datasets import split_kddcup99

split = split_kddcup99(kdd, protocol="intrusion", random_state=0)
X_train = split.X_train.drop_duplicates().head(5000)
known = split.X_test[split.kind_test == "warezclient"].head(200)
is_new = split.kind_test != "warezclient"
X_test, kind_test = split.X_test[is_new], split.kind_test[is_new]
X_train.shape, known.shape, X_test.shape

# %%
# Prepare and tune
# ----------------
# :class:`~skanomaly.model_selection.NoveltySearchCV` compares by the known attacks, and
# trains on none of them. ``keep`` uses columns that are constant in normal traffic,
# too: an attack may change them.
from skanomaly import VAE, Autoencoder, make_tabular_pipeline
from skanomaly.model_selection import NoveltySearchCV

settings = {"max_epochs": 20, "random_state": 0}
search = NoveltySearchCV(
    make_tabular_pipeline(Autoencoder(), keep=list(X_train)),
    {
        "detector": [
            Autoencoder(**settings),
            Autoencoder(latent_size=4, **settings),
            VAE(**settings),
        ],
        "clip__limit": [3.0, 10.0],
    },
    cv=2,
    scoring="average_precision",
)
labels = np.repeat([1, -1], [len(X_train), len(known)])
search.fit(pd.concat([X_train, known]), labels)

results = pd.DataFrame(search.cv_results_).sort_values("rank_test_score")
columns = ["param_detector", "param_clip__limit", "mean_test_score"]
results[columns].round(3)

# %%
# A threshold
# -----------
# :class:`~skanomaly.calibration.ConformalDetector` holds out a fifth of the training
# rows: at most one of a hundred new normal connections is expected to be a false alarm.
from skanomaly.calibration import ConformalDetector

detector = ConformalDetector(search.best_estimator_, alpha=0.01, random_state=0)
detector.fit(X_train)

first = pd.Series(kind_test).groupby(kind_test).head(3000).index
X_test, kind_test = X_test.iloc[first], kind_test[first]
is_found = pd.Series(detector.predict(X_test) == -1)
found = is_found.groupby(kind_test).agg(["size", "mean"]).sort_values("mean")
found.round(3)

# %%
import matplotlib.pyplot as plt

height = 1 + 0.3 * len(found)
figure, ax = plt.subplots(figsize=(6.5, height), layout="constrained")
is_normal = found.index == "normal"
ax.barh(found.index, found["mean"], color=np.where(is_normal, "tab:blue", "tab:red"))
ax.axvline(detector.alpha, color="black", linestyle="--", label="alpha")
ax.set(xlabel="fraction called outliers", xlim=(0, 1))
_ = ax.legend(loc="lower right")

# %%
# Why
# ---
# For the first connection of each kind that was found, the column that says most.
from skanomaly.inspection import ReasonsDisplay, explain

is_shown = is_found & (kind_test != "normal")
shown = is_shown[is_shown].groupby(kind_test[is_shown]).head(1).index
reasons = explain(detector, X_test.iloc[shown])
of_kind = dict(enumerate(kind_test[shown]))
best = reasons.drop_duplicates("sample")
best.assign(sample=best["sample"].map(of_kind)).round({"share": 2})

# %%
figure, ax = plt.subplots(figsize=(6.5, 2.5), layout="constrained")
ReasonsDisplay.from_reasons(reasons, sample=0, ax=ax)
_ = ax.set_title(of_kind[0])

# %%
# Save, and score in another process
# ----------------------------------
# The file holds the preparation, the network and the threshold, and no code. Parquet
# keeps the types of columns.
import subprocess
import sys
import tempfile
from pathlib import Path

import skanomaly

folder = tempfile.TemporaryDirectory()
skanomaly.save(detector, Path(folder.name) / "detector.skops")
X_test.to_parquet(Path(folder.name) / "connections.parquet")

program = """
import numpy as np
import pandas as pd
import skanomaly

detector = skanomaly.load("detector.skops")
p_values = detector.p_values(pd.read_parquet("connections.parquet"))
np.save("p_values.npy", p_values)
n_outliers = (p_values <= detector.alpha).sum()
print(f"{len(p_values)} connections, {n_outliers} of them outliers")
"""
done = subprocess.run(
    [sys.executable, "-c", program],
    cwd=folder.name,
    check=True,
    capture_output=True,
    text=True,
)
print(done.stdout)

# %%
# They are those of this process, to the last bit.
p_values = np.load(Path(folder.name) / "p_values.npy")
folder.cleanup()
np.array_equal(p_values, detector.p_values(X_test))
