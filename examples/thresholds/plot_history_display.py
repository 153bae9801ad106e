"""
Has training converged? Losses by network and phase
===================================================

Does it overfit? Has one of two adversaries won? ``history_`` has the losses of each
epoch, and :class:`~skanomaly.inspection.HistoryDisplay` draws them.
"""

# %%
# One network
# -----------
# With ``early_stopping=True`` there is a loss of held-out samples, too. It is the score
# here, which the training loss differs from by a regularization.
from skanomaly import VAE, OGNet, make_tabular_pipeline
from skanomaly.datasets import load_breast_cancer, load_digits
from skanomaly.inspection import HistoryDisplay

cancer = load_breast_cancer()
benign = cancer.data[cancer.target == 1]
detector = make_tabular_pipeline(
    VAE(early_stopping=True, max_epochs=60, random_state=0)
).fit(benign)
_ = HistoryDisplay.from_estimator(detector)

# %%
# Two networks, two phases
# ------------------------
# OGNet trains a generator and a discriminator against each other, and then the
# discriminator alone. Losses that differ much in size get a logarithmic axis.
digits = load_digits(normal_class=0)
zeros = digits.data[digits.target == 1]
detector = OGNet(max_epochs=30, batch_size=32, random_state=0).fit(zeros)
display = HistoryDisplay.from_estimator(detector)

# %%
# Losses, phases and epochs are kept as arrays.
import numpy as np

phases, n_epochs = np.unique(display.phase, return_counts=True)
print(dict(zip(phases.tolist(), n_epochs.tolist(), strict=True)))
print(list(display.losses))
