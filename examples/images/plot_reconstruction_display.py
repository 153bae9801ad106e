"""
ReconstructionDisplay: what a detector makes of an image
========================================================

A detector that has learned to reconstruct normal images makes a normal image of an
abnormal one. This display has the image, its reconstruction and the error below each
other, a sample a column. Zeros are normal here.
"""

# %%
import numpy as np

from skanomaly import Autoencoder
from skanomaly.datasets import load_digits
from skanomaly.inspection import ReconstructionDisplay

digits = load_digits()
zeros = digits.data[digits.digit == 0]
others = [digits.data[digits.digit == digit][0] for digit in (1, 4, 7, 8)]

detector = Autoencoder(
    activation="relu", latent_size=8, max_epochs=80, batch_size=16, random_state=0
).fit(zeros[:120])

shown = np.concatenate([zeros[120:123], others])
_ = ReconstructionDisplay.from_estimator(detector, shown)

# %%
# The errors are of the input, not of the colors: values outside [0, 1] are scaled for
# the eye only. Detectors that score by something else than the error have an
# :class:`anomaly map <skanomaly.inspection.AnomalyMapDisplay>`, too.
