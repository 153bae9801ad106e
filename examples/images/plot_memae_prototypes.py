"""
What a memory holds: prototypes of normal digits
================================================

MemAE's decoder never sees the code of a sample, only a sparse combination of memory
items, which represent normal samples. So one can look at the items, see which of them
reconstruct a sample, and see an abnormal sample reconstructed as a normal one. Here
zeros are normal.
"""

# %%
import numpy as np

from skanomaly.datasets import load_digits, one_class_split

digits = load_digits()
is_train = np.arange(len(digits.data)) % 2 == 0
split = one_class_split(
    digits.data[is_train],
    digits.digit[is_train],
    digits.data[~is_train],
    digits.digit[~is_train],
    normal_class=0,
)

# %%
# A memory of 20 items
# --------------------
# The encoder and the decoder are trained without the memory at first, then it is filled
# with codes of training samples and all three are trained together.
from sklearn.metrics import roc_auc_score

from skanomaly import MemAE

detector = MemAE(
    memory_size=20,
    latent_size=8,
    activation="relu",
    max_epochs=200,
    batch_size=16,
    random_state=0,
).fit(split.X_train)
scores = detector.score_samples(split.X_test)
print(f"AUC on digits held out: {roc_auc_score(split.y_test, scores):.3f}")
print(f"items with the most weight for a sample: {detector.n_items_used_} of 20")
print(f"items with a weight above zero, mean: {detector.mean_active_items_:.1f}")

# %%
# Prototypes
# ----------
# Each item, decoded, is a prototype of what is normal.
from skanomaly.inspection import PrototypesDisplay

_ = PrototypesDisplay.from_estimator(detector, n_columns=5)

# %%
# Reconstructions
# ---------------
# Two zeros, then other digits, and what is read from the memory for them.
from skanomaly.inspection import ReconstructionDisplay

zeros = split.X_test[split.y_test == 1][:2]
others = [split.X_test[split.class_test == digit][0] for digit in (1, 3, 4, 6, 9)]
shown = np.concatenate([zeros, others])
_ = ReconstructionDisplay.from_estimator(detector, shown)

# %%
# ``address`` has the weights of the items. The prototype of the largest one, in place
# of the reconstruction:
first = detector.address(shown).argmax(axis=1)
_ = ReconstructionDisplay.from_predictions(shown, detector.prototypes()[first])

# %%
# Prototypes of rows
# ------------------
# Eight prototypes of benign tumors. They are in units of what the network is given:
# standard deviations, as the pipeline has scaled the columns.
import pandas as pd

from skanomaly import make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer

cancer = load_breast_cancer()
benign = pd.DataFrame(cancer.data[cancer.target == 1], columns=cancer.feature_names)
pipeline = make_tabular_pipeline(
    MemAE(memory_size=8, max_epochs=60, batch_size=32, random_state=0)
)
pipeline.fit(benign)
display = PrototypesDisplay.from_estimator(pipeline, cmap="RdBu_r")
display.image_.set_clim(-3, 3)
