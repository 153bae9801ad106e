"""
Save a detector, and score in another process
=============================================

What was fitted here is used elsewhere: by a service, by a nightly job, by a program
that isn't written in Python. One file holds the whole Pipeline with its threshold.
"""

# %%
# A table, a Pipeline, a threshold that holds
# -------------------------------------------
# Deliveries, whose fee follows from the distance and the weight.
import numpy as np
import pandas as pd

from skanomaly import Autoencoder, make_tabular_pipeline
from skanomaly.calibration import ConformalDetector


def make_deliveries(n_rows, seed):
    """Draw deliveries by the same rule."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["bike", "van"], n_rows)
    km = rng.gamma(3, 2, n_rows) * np.where(kind == "van", 3, 1)
    kg = rng.gamma(2, 1, n_rows) * np.where(kind == "van", 10, 1)
    fee = 2 + 0.3 * km + 0.1 * kg + rng.normal(0, 0.1, n_rows)
    table = pd.DataFrame({"kind": kind, "km": km, "kg": kg, "fee": fee})
    return table.round(2)


deliveries = make_deliveries(3000, seed=0)
pipeline = make_tabular_pipeline(Autoencoder(random_state=0))
detector = ConformalDetector(pipeline, alpha=0.01, random_state=0).fit(deliveries)

# %%
# Save
# ----
# :func:`~skanomaly.save` writes arrays and parameters, and no code.
import tempfile
from pathlib import Path

import skanomaly

folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "deliveries.skops"
skanomaly.save(detector, path)
print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")

# %%
# Score in another process
# ------------------------
# Some new deliveries, of which the first five have a wrong fee. The other process knows
# nothing but the two files.
import subprocess
import sys

new = make_deliveries(300, seed=1)
new.loc[:4, "fee"] = (new.loc[:4, "fee"] * [0.3, 2, 0.5, 3, 10]).round(2)
new.to_csv(path.with_name("new.csv"), index=False)

program = """
import pandas as pd
import skanomaly

detector = skanomaly.load("deliveries.skops")
new = pd.read_csv("new.csv")
new["score"] = detector.score_samples(new)
new["p_value"] = detector.p_values(new)
new.to_parquet("scored.parquet")
"""
subprocess.run([sys.executable, "-c", program], cwd=folder.name, check=True)

scored = pd.read_parquet(path.with_name("scored.parquet"))
scored.sort_values("score").head(7).round({"score": 2, "p_value": 4})

# %%
# The scores are those of this process, to the last bit.
np.array_equal(scored["score"], detector.score_samples(new))

# %%
# The same on the command line, with the reasons:
command = [sys.executable, *"-m skanomaly score new.csv --top 5 --reasons 1".split()]
command += ["--model", path.name]
done = subprocess.run(
    command, cwd=folder.name, check=True, capture_output=True, text=True
)
print(done.stdout)

# %%
# Without Python
# --------------
# :func:`~skanomaly.to_onnx` writes the whole as a graph of numbers. onnxruntime runs it
# in C++, C#, Java and JavaScript; here it is asked by a session in Python, which calls
# nothing of this package, of torch or of scikit-learn. See :doc:`/onnx`.
import onnxruntime

skanomaly.to_onnx(detector, path.with_name("deliveries.onnx"), deliveries)
session = onnxruntime.InferenceSession(path.with_name("deliveries.onnx"))
inputs = {name: column.to_numpy()[:, np.newaxis] for name, column in new.items()}
label, score = session.run(["label", "score_samples"], inputs)

# %%
import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for value, name in ((1, "inliers"), (-1, "called outliers")):
    of_kind = label == value
    ax.loglog(-scored["score"][of_kind], -score[of_kind], "o", alpha=0.6, label=name)
ax.set(xlabel="abnormality, Python", ylabel="abnormality, onnxruntime")
_ = ax.legend()

# %%
# Damaged and hostile files
# -------------------------
# A file is checked before anything of it is used, and none can run code. See
# :doc:`/shipping`.
content = bytearray(path.read_bytes())
content[len(content) // 2] ^= 1
path.write_bytes(content)
try:
    skanomaly.load(path)
except skanomaly.persistence.InvalidFileError as error:
    print(str(error).replace(folder.name, "..."))

folder.cleanup()
