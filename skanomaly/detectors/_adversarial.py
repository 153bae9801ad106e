"""What the detectors that train a generator against a critic have in common."""

import warnings
from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skanomaly.base import BaseDetector, Interval, parameters

# A critic whose mean loss of an epoch is below this has won; from GANomaly's code.
_HAS_WON = 1e-5
# Generated samples that vary so much less than real ones are all of one kind.
_COLLAPSED = 0.1
_N_COMPARED = 1000


@parameters
class AdversarialDetector(BaseDetector):
    """Base of the detectors that train a generator against a critic.

    It averages the weights that score, replaces a critic that wins at once, and warns
    of a generator that has collapsed.

    Parameters
    ----------
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}
    """

    activation: str = "leaky_relu"
    learning_rate: float = 1e-3
    ema_decay: float = 0.999
    penalty_weight: float = 1.0

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "ema_decay": [Interval(Real, 0, 1, closed="left")],
        "penalty_weight": [Interval(Real, 0, None, closed="left")],
    }

    _betas = (0.5, 0.999)
    _restart_below = {"discriminator": _HAS_WON}

    _shared_parameters = """\
    ema_decay : float, default=0.999
        The network that scores has a running average of the trained weights, of which
        the past has this share at each step. Zero takes the last weights.
    penalty_weight : float, default=1.0
        Weight of the slope penalty in the critics' losses. It keeps the game from going
        in circles, and zero leaves it out.
"""
    _shared_attributes = """\
    generated_spread_ : float
        How much generated samples vary, with the variation of the training samples as
        the unit. Near zero the generator has collapsed.
"""

    def _net_options(self, seed):
        options = {
            "ema_decay": self.ema_decay,
            "restart_below": self._restart_below,
            **super()._net_options(seed),
        }
        if "optimizer" not in options:  # the betas are those of Adam, the default
            options.setdefault("optimizer__betas", self._betas)
        return options

    def _play(self, net, X):
        """Let the players play; overridden where that has phases."""
        net.partial_fit(X)

    def _train(self, net, X):
        self._play(net, X)
        random_state = np.random.RandomState(net.seed)
        compared = random_state.permutation(X.shape[0])[:_N_COMPARED]
        real = X[compared].toarray() if sparse.issparse(X) else X[compared]
        self.generated_spread_ = self._compare(real, self._imagine(net, real))

    def _imagine(self, net, X):
        """Draw as many samples as `X` has, which should be such as those of `X`."""
        size = (len(X), net.module_.latent_size)
        codes = np.random.RandomState(net.seed).normal(size=size)
        return net.evaluate("generator", codes.astype(np.float32))

    def _compare(self, real, fake):
        """Return the spread of generated samples, and warn if there is hardly any."""
        if not _spread(real):
            return 1.0  # nothing to collapse from
        spread = _spread(fake) / _spread(real)
        if spread < _COLLAPSED:
            warnings.warn(
                f"The generator has collapsed: what it draws varies {spread:.2g} times "
                "as much as the training samples. Train for more epochs (max_epochs is "
                f"{self.max_epochs}), or lower learning_rate (now "
                f"{self.learning_rate:g}) or ema_decay (now {self.ema_decay:g}).",
                ConvergenceWarning,
                stacklevel=5,
            )
        return spread


def _spread(samples):
    """Return the square root of the variance, summed over features."""
    return float(np.sqrt(samples.astype(np.float64).var(axis=0).sum()))
