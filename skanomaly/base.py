"""The contract of a scikit-learn outlier detector, written once for all detectors."""

import json
import math
from abc import ABCMeta
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from numbers import Real
from typing import Annotated, Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ._callbacks import CallbackSupportMixin, begin_tasks, with_callbacks
from ._check_parameters import (
    check_interval,
    check_parameters,
    check_sizes,
    find_device,
)
from ._decorators import fit_context
from ._fit import fit_network
from ._move import MoveMixin
from ._namespace import HAS_ARRAY_API, check_same_namespace, like, reshape
from ._parameters import (
    Activation,
    LearningRate,
    NonNegativeFloat,
    NonNegativeInt,
    OpenUnitFloat,
    PositiveFloat,
    PositiveInt,
    UnitFloat,
    parameters,
)
from ._partial_fit import PartialFitMixin
from ._reading import read_samples, read_training_samples, shape_of
from ._scoring import make_data, score_data
from ._state import rebuild_net, weights_of
from ._threshold import ThresholdMixin
from ._version import VersionMixin
from ._warnings import warn_unconverged, warn_user
from .nn.module import DetectorModule
from .training import Data
from .training.passes import evaluate

__all__ = [
    "Activation",
    "BaseDetector",
    "Interval",
    "LearningRate",
    "NonNegativeFloat",
    "NonNegativeInt",
    "OpenUnitFloat",
    "PositiveFloat",
    "PositiveInt",
    "UnitFloat",
    "check_interval",
    "check_sizes",
    "parameters",
    "warn_unconverged",
    "warn_user",
]

_LARGEST_DEFAULT_CODE = 16


@parameters
class BaseDetector(
    CallbackSupportMixin,
    MoveMixin,
    PartialFitMixin,
    VersionMixin,
    ThresholdMixin,
    BaseEstimator,
    metaclass=ABCMeta,
):
    """Base of all detectors: everything but the parameters and the network.

    A subclass declares its parameters as annotated fields and names its `module_class`,
    which gets them by name. Where one must be resolved from the shape of a sample, it
    overrides `_module_arguments`.

    Parameters
    ----------
    {shared_parameters}

    Attributes
    ----------
    {shared_attributes}

    See Also
    --------
    skanomaly.nn.DetectorModule : What the network must know.

    Examples
    --------
    A detector of one's own is a module and its parameters:

    >>> import torch
    >>> from skanomaly.base import BaseDetector, NonNegativeFloat, parameters
    >>> from skanomaly.nn import DetectorModule
    >>> class CenterModule(DetectorModule):
    ...     def __init__(self, input_shape, **parameters):
    ...         super().__init__(input_shape, **parameters)
    ...         self.point = torch.nn.Parameter(torch.zeros(input_shape))
    ...     def losses(self, x):
    ...         yield self.score(x).mean() + self.decay * self.point.square().sum()
    ...     def score(self, x):
    ...         return (x - self.point).square().flatten(1).sum(1)
    >>> @parameters
    ... class Center(BaseDetector):
    ...     decay: NonNegativeFloat = 0.0
    ...     module_class = CenterModule
    >>> Center(learning_rate=0.1).fit([[1.0], [1.0], [1.0]]).predict([[9.0]])
    array([-1])
    """

    hidden_sizes: Annotated[Any, "array-like"] | None = None
    latent_size: PositiveInt | None = None
    activation: Activation | None = "tanh"
    max_epochs: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    learning_rate: LearningRate = 1e-3
    early_stopping: bool = False
    validation_fraction: OpenUnitFloat = 0.1
    n_iter_no_change: PositiveInt | None = None
    trim_fraction: Annotated[float, Interval(Real, 0, 1, closed="left")] = 0.0
    contamination: Annotated[float, Interval(Real, 0, 0.5, closed="right")] = 0.1
    sample_shape: Annotated[Any, "array-like"] | None = None
    device: str | torch.device = "auto"
    net_params: dict | None = None
    warm_start: bool = False
    random_state: Annotated[Any, "random_state"] = None
    verbose: Annotated[int, "verbose"] = 0

    module_class: ClassVar[type[DetectorModule]]

    def _module_arguments(self, input_shape: tuple[int, ...]) -> dict[str, Any]:
        """Return the arguments of `module_class`: parameters of the same names."""
        hidden_sizes = self.hidden_sizes
        if hidden_sizes is None:
            hidden_sizes = (128, 64) if len(input_shape) == 1 else (16, 32, 64)
        half = max(math.prod(input_shape) // 2, 1)
        own = {f.name for f in fields(self)} - {f.name for f in fields(BaseDetector)}
        return {
            "input_shape": input_shape,
            "hidden_sizes": check_sizes("hidden_sizes", hidden_sizes),
            "latent_size": self.latent_size or min(half, _LARGEST_DEFAULT_CODE),
            "activation": self.activation or "tanh",
            **{name: getattr(self, name) for name in sorted(own)},
        }

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on samples of which most, or all, are normal.

        A fit that fails, or is interrupted in its first epoch, leaves the detector as
        it was before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Rows (n, features), images (n, channels, height, width) or clips (n,
            channels, time, height, width). float32 in C order is used without a copy.
            Sparse rows are made dense batch by batch. What
            `~skanomaly.out_of_core.open_source` opens is read block by block.
        y : None
            Not used, present for API consistency by convention.

        Returns
        -------
        self : object
            The fitted detector.

        Raises
        ------
        ValueError
            If the data or a parameter can't be trained on, or if training diverges.
        TypeError
            If the data are sparse images or clips, or hold dates.
        KeyboardInterrupt
            If interrupted before the first epoch was over. Later, the detector is kept
            as far as it is trained, with its threshold, and a warning says so.
        """
        check_parameters(self)
        tasks = begin_tasks(self, X, y)
        with _plain_torch_modes():
            X, schema = read_training_samples(self, X, y)
            self._set_fitted(fit_network(self, X, schema, tasks))
        if tasks is not None:
            tasks.end()
        return self

    def _set_fitted(self, fitted: dict[str, Any]):
        """Replace all fitted attributes, once there is nothing left that can fail."""
        given = self.get_params(deep=False)
        kept = {k: v for k, v in vars(self).items() if k in given or k[-1] != "_"}
        self.__dict__ = kept | fitted
        return self

    @property
    def module_(self) -> DetectorModule:
        """The fitted network, in evaluation mode."""
        check_is_fitted(self)
        return self.net_.module_

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the scores of samples: the lower, the more abnormal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            Of float64. A sample's score is the same to the bit whatever else is scored
            with it.
        """
        with _plain_torch_modes():
            data = self._read(X, "score_samples")
            return like(score_data(self.net_, data), X)

    def anomaly_map(self, X: Any) -> np.ndarray:
        """Return where each sample is abnormal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        anomaly_map : ndarray of the shape of X
            What each feature, pixel or voxel adds to the abnormality of the sample: the
            higher, the more abnormal; float64.
        """
        return reshape(self._evaluate("anomaly_map", X), shape_of(X))

    @available_if(lambda self: hasattr(self.module_class, "reconstruct"))
    def reconstruct(self, X: Any) -> np.ndarray:
        """Reconstruct each sample as the network knows normal ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        x_rec : ndarray of the shape of X
            Dense, float64.
        """
        return reshape(self._evaluate("reconstruct", X), shape_of(X))

    def _evaluate(self, method: str, X):
        """Apply a method of the module to samples."""
        with _plain_torch_modes():
            data = self._read(X, method)
            return like(evaluate(self.module_, method, data), X)

    def _read(self, X, method: str) -> Data:
        """Return samples of the shape seen in fit as the network takes them."""
        if not self.__sklearn_is_fitted__():  # quicker than to ask scikit-learn first
            check_is_fitted(self)
        check_same_namespace(self, X, method)
        return make_data(self, read_samples(self, X), self.net_.device)

    def __sklearn_is_fitted__(self):
        """Tell a fitted detector by its net: a parameter, too, may end in "_"."""
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        """Tell scikit-learn that sparse rows and arrays on a GPU are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sample_shape is None
        tags.array_api_support = HAS_ARRAY_API
        return tags

    def __getstate__(self):
        """Return parameters and arrays; no object of torch or skorch is pickled."""
        state = super().__getstate__()
        if "net_" in state:
            net = state.pop("net_")
            state |= {"_weights": weights_of(net), "_device": str(net.device)}
            # As one text: a file describes each number of a list by itself.
            state["history_"] = json.dumps(state["history_"])
        return state

    def __setstate__(self, state):
        """Build the net again from the weights, on a device that is there."""
        state = dict(state)
        weights, device = state.pop("_weights", None), state.pop("_device", "cpu")
        if weights is not None:
            state["history_"] = json.loads(state["history_"])
        super().__setstate__(state)
        if weights is None:
            return
        try:
            find_device(device)
        except ValueError:
            warn_user(
                f"The device {device!r} on which {type(self).__name__} was fitted is "
                "not available; it is loaded on the CPU."
            )
            device = "cpu"
        with _plain_torch_modes():
            self.net_ = rebuild_net(
                type(self).module_class, self._arguments, weights, self._seed, device
            )


@contextmanager
def _plain_torch_modes() -> Iterator[None]:
    """Work as usual where the caller has switched gradients off."""
    if torch.is_grad_enabled() and not torch.is_inference_mode_enabled():
        yield  # setting what is set takes as long as a layer of one row
        return
    with torch.inference_mode(False), torch.enable_grad():
        yield
