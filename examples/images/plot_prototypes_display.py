"""
PrototypesDisplay: what MemAE takes for normal
==============================================

:class:`~skanomaly.MemAE` reconstructs samples from items of a memory. Decoded, an item
is a prototype of normal samples, of images or of rows.
"""

# %%
# Images
# ------
# Twenty prototypes of handwritten zeros.
from skanomaly import MemAE, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer, load_digits
from skanomaly.inspection import PrototypesDisplay

digits = load_digits(normal_class=0)
zeros = digits.data[digits.target == 1]
detector = MemAE(
    memory_size=20,
    latent_size=8,
    activation="relu",
    max_epochs=80,
    batch_size=16,
    random_state=0,
).fit(zeros)
_ = PrototypesDisplay.from_estimator(detector)

# %%
# Rows
# ----
# Eight prototypes of benign tumors. They are in units of what the network is given:
# standard deviations, as the pipeline has scaled the columns.
import pandas as pd

cancer = load_breast_cancer()
benign = pd.DataFrame(cancer.data[cancer.target == 1], columns=cancer.feature_names)
pipeline = make_tabular_pipeline(
    MemAE(memory_size=8, max_epochs=60, batch_size=32, random_state=0)
)
pipeline.fit(benign)
display = PrototypesDisplay.from_estimator(pipeline, cmap="RdBu_r")
display.image_.set_clim(-3, 3)
