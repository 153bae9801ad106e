"""The contract of a scikit-learn outlier detector, written once for all detectors."""

import math
import warnings
from abc import ABCMeta, abstractmethod
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from sklearn.base import BaseEstimator, OutlierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch.callbacks import EarlyStopping, PrintLog
from skorch.dataset import ValidSplit
from skorch.utils import noop

from ._parameters import check_sizes, parameters
from .nn.backbones import ACTIVATIONS
from .nn.module import DetectorModule
from .training import DetectorNet
from .training.progress import EpochProgressBar

__all__ = [
    "BaseDetector",
    "Interval",
    "ReconstructionMixin",
    "StrOptions",
    "check_sizes",
    "parameters",
]

# An infinite score is of no use to a metric; no finite one is larger than this.
_LARGEST_SCORE = float(np.finfo(np.float32).max)
_LARGEST_DEFAULT_CODE = 16
_KEPT_IN_HISTORY = ("_loss", "_restarts")
# Parameters that say nothing of the network; what they hold may not be picklable.
_NOT_OF_THE_MODULE = {"net_params", "random_state", "verbose", "warm_start"}


@parameters
class BaseDetector(OutlierMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of all detectors.

    A subclass declares its parameters as annotated fields and builds its network in
    `_make_module`; validation, training, thresholds, signs, seeds, devices and
    persistence are here.

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
    A detector of one's own is a module and the way to build it:

    >>> import torch
    >>> from skanomaly.base import BaseDetector, parameters
    >>> from skanomaly.nn import DetectorModule
    >>> class Centre(DetectorModule):
    ...     def __init__(self, input_shape):
    ...         super().__init__()
    ...         self.centre = torch.nn.Parameter(torch.zeros(input_shape))
    ...     def losses(self, x):
    ...         yield self.score(x).mean()
    ...     def anomaly_map(self, x):
    ...         return (x - self.centre).square()
    ...     def score(self, x):
    ...         return self.anomaly_map(x).flatten(1).sum(1)
    >>> @parameters
    ... class CentreDistance(BaseDetector):
    ...     def _make_module(self, input_shape):
    ...         return Centre(input_shape)
    >>> CentreDistance(learning_rate=0.1).fit([[1.0], [1.0], [1.0]]).predict([[9.0]])
    array([-1])
    """

    hidden_sizes: Any = None
    latent_size: int | None = None
    activation: str = "tanh"
    max_epochs: int = 100
    batch_size: int = 128
    learning_rate: float = 1e-3
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    contamination: float = 0.1
    sample_shape: Any = None
    device: str | torch.device = "auto"
    net_params: dict | None = None
    warm_start: bool = False
    random_state: Any = None
    verbose: int = 0

    _parameter_constraints = {
        "hidden_sizes": ["array-like", None],
        "latent_size": [Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "contamination": [Interval(Real, 0, 0.5, closed="right")],
        "sample_shape": ["array-like", None],
        "device": [str, torch.device],
        "net_params": [dict, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    # Whether a part is held out of training even without early stopping.
    _always_holds_out = False
    # On how many training samples the threshold is set at most, where scoring is slow.
    _n_threshold_samples: ClassVar[int | None] = None

    @abstractmethod
    def _make_module(self, input_shape: tuple[int, ...]) -> DetectorModule:
        """Build the network for samples of this shape from the parameters."""

    def _train(self, net: DetectorNet, X) -> None:
        """Train the net; overridden only where training has phases."""
        net.partial_fit(X)

    # -- the public contract -----------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Learn what is normal from samples of which most, or all, are normal.

        A fit that fails, or is interrupted in its first epoch, leaves the detector as
        it was before.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Rows, images (n, channels, height, width) or clips (n, channels, time,
            height, width). float32 in C order is used without a copy. Sparse rows are
            made dense batch by batch.
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
            If the data is sparse and the samples are images or clips.
        KeyboardInterrupt
            If interrupted before the first epoch was over. Later, the detector is kept
            as far as it is trained, with its threshold, and a warning says so.
        """
        before = dict(self.__dict__)
        goes_on = self.warm_start and "net_" in before
        weights = _to_numpy(before["net_"].module_.state_dict()) if goes_on else {}
        try:
            X = self._validate(X, reset=True)
            if goes_on:
                net = before["net_"]
                if self.input_shape_ != before["input_shape_"]:
                    raise ValueError(
                        "With warm_start=True training goes on with samples of shape "
                        f"{before['input_shape_']}, got {self.input_shape_}."
                    )
                net.set_params(**self._net_options(net.seed))
            else:
                net = self._make_net()
                net.initialize()
                self._keep_module_parameters()
                self.history_ = []
            n_epochs_before = len(net.history)
            self._train(net, X)
            self._finish(net, net.history[n_epochs_before:], X)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if goes_on:
                self.net_ = self._restore_net(weights)
            raise
        return self

    def score_samples(self, X):
        """Say how normal each sample is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            The lower, the more abnormal; float64. A sample's score is the same to the
            bit whatever else is scored with it.

        Raises
        ------
        ValueError
            If the samples are not such as were seen in `fit`.
        """
        check_is_fitted(self)
        return self._score_samples(self._validate(X, reset=False))

    def decision_function(self, X):
        """Return the scores, shifted so that outliers are negative.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,)
            ``score_samples(X) - offset_``; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell outliers from inliers.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        is_inlier : ndarray of shape (n_samples,)
            -1 for outliers, 1 for inliers.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def anomaly_map(self, X):
        """Say where each sample is abnormal.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        anomaly_map : ndarray of the shape of X
            How much each feature, pixel or voxel adds to the sample's abnormality: the
            higher, the more abnormal; float64.
        """
        return self._evaluate_shaped("anomaly_map", X)

    def __sklearn_is_fitted__(self):
        """Tell a fitted detector by its net: a parameter, too, may end in "_"."""
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        """Tell scikit-learn that sparse rows are welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.sample_shape is None
        return tags

    # -- what enters -------------------------------------------------------------------

    def _validate(self, X, *, reset: bool):
        """Return float32 samples as the network takes them, or say what is wrong."""
        if reset:
            if self.hidden_sizes is not None:
                check_sizes("hidden_sizes", self.hidden_sizes)
            _find_device(self.device)
        shape = _shape(X)
        wanted = self._wanted_shape(shape, reset=reset)
        if sparse.issparse(X) and wanted is not None and len(wanted) > 1:
            raise TypeError(
                "Sparse data was passed for X, but images and clips must be dense. "
                "Give OneHotEncoder sparse_output=False or ColumnTransformer "
                "sparse_threshold=0, or use X.toarray()."
            )
        options: dict[str, Any] = {
            "dtype": np.float32,
            "order": "C",
            "accept_sparse": "csr",
            "allow_nd": True,
            "ensure_min_samples": 2 if reset else 1,
        }
        if len(shape) > 2 and not reset:
            # scikit-learn's width check would compare channels with features.
            X = check_array(X, estimator=self, input_name="X", **options)
        else:
            X = validate_data(self, X, reset=reset, **options)
        if wanted is not None and len(wanted) > 1:
            X = X.reshape(len(X), *wanted)
        if reset:
            self.input_shape_ = tuple(X.shape[1:])
            self.n_features_in_ = math.prod(self.input_shape_)
        return X

    def _wanted_shape(
        self, shape: tuple[int, ...], *, reset: bool
    ) -> tuple[int, ...] | None:
        """Find the shape that samples must be given; None leaves it to the data."""
        name = type(self).__name__
        if not reset:
            wanted = self.input_shape_
            known = f"{name} was fitted with samples of shape {wanted}"
        elif self.sample_shape is not None:
            wanted = check_sizes("sample_shape", self.sample_shape)
            known = f"sample_shape={wanted}"
            if len(wanted) not in (3, 4):
                raise ValueError(
                    "sample_shape must be (channels, height, width) or (channels, "
                    f"time, height, width), got {wanted}."
                )
        elif len(shape) == 3 or len(shape) > 5:
            raise ValueError(
                f"{name} takes rows (n, features), images (n, channels, height, width) "
                f"or clips (n, channels, time, height, width), got X of shape {shape}. "
                "For grey images add the axis of channels: X[:, np.newaxis]."
            )
        else:
            return None
        if len(shape) > 2 and shape[1:] != wanted:
            raise ValueError(f"X has samples of shape {shape[1:]}, but {known}.")
        if len(shape) == 2 and reset and shape[1] != math.prod(wanted):
            raise ValueError(
                f"X has {shape[1]} features, but {known} needs {math.prod(wanted)}."
            )
        return wanted

    # -- the net -----------------------------------------------------------------------

    def _make_net(self) -> DetectorNet:
        """Build an untrained net from the parameters."""
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        module = partial(self._make_module, self.input_shape_)
        device = _find_device(self.device)
        return DetectorNet(module, seed=seed, device=device, **self._net_options(seed))

    def _net_options(self, seed: int) -> dict[str, Any]:
        """Translate the parameters into skorch's."""
        options = dict(self.net_params or {})
        callbacks = options.pop("callbacks", [])
        if not isinstance(callbacks, list | tuple):
            raise TypeError(
                f"net_params['callbacks'] must be a list of skorch callbacks, got "
                f"{callbacks!r}."
            )
        own: list[tuple[str, Any]] = []
        split = None
        if self.early_stopping or self._always_holds_out:
            split = ValidSplit(self.validation_fraction, random_state=seed)
        if self.early_stopping:
            stop = EarlyStopping(
                patience=self.n_iter_no_change,
                threshold=0,
                threshold_mode="abs",
                load_best=True,
                sink=noop,
            )
            own.append(("early_stopping", stop))
        if self.verbose == 1:
            own.append(("progress", EpochProgressBar(type(self).__name__)))
        elif self.verbose > 1:
            own.append(("print_log", PrintLog()))
        return {
            "max_epochs": self.max_epochs,
            "batch_size": self.batch_size,
            "lr": self.learning_rate,
            "train_split": split,
            "verbose": max(0, self.verbose - 1),
            **options,
            "callbacks": [*own, *callbacks],
        }

    def _finish(self, net: DetectorNet, epochs: list[dict[str, Any]], X) -> None:
        """Keep what training gave, and set the threshold."""
        finished = [epoch for epoch in epochs if "train_loss" in epoch]
        if net.interrupted_:
            if not finished:
                raise KeyboardInterrupt
            warnings.warn(
                f"Training was interrupted after {len(finished)} of {self.max_epochs} "
                f"epochs; {type(self).__name__} is fitted as far as it got.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if not all(p.isfinite().all() for p in net.module_.parameters()):
            raise ValueError(
                "Training diverged: the network's weights are not finite. Scale the "
                "features (for example with StandardScaler) or lower learning_rate "
                f"(now {self.learning_rate:g})."
            )
        self.net_ = net
        self.history_ = self.history_ + [
            {"epoch": number, "dur": epoch["dur"]}
            | {n: float(v) for n, v in epoch.items() if n.endswith(_KEPT_IN_HISTORY)}
            for number, epoch in enumerate(finished, len(self.history_) + 1)
        ]
        self.n_iter_ = len(self.history_)
        if self._n_threshold_samples is not None:
            order = np.random.RandomState(net.seed).permutation(X.shape[0])
            X = X[np.sort(order[: self._n_threshold_samples])]
        scores = self._score_samples(X)
        self.offset_ = float(np.percentile(scores, 100.0 * self.contamination))

    def _score_samples(self, X) -> np.ndarray:
        """Score validated samples. The one place where the sign is flipped."""
        score = self.net_.evaluate("score", X)
        # A sample so extreme that the network overflows is as abnormal as can be.
        return -np.nan_to_num(score, nan=_LARGEST_SCORE, posinf=_LARGEST_SCORE)

    def _evaluate_shaped(self, method: str, X) -> np.ndarray:
        """Apply a method of the module, and return the values in the shape of X."""
        check_is_fitted(self)
        values = self.net_.evaluate(method, self._validate(X, reset=False))
        return values.reshape(_shape(X))

    def _resolve_hidden_sizes(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return `hidden_sizes`, or the default for samples of this shape."""
        if self.hidden_sizes is not None:
            return tuple(int(n) for n in self.hidden_sizes)
        return (128, 64) if len(input_shape) == 1 else (16, 32, 64)

    def _resolve_latent_size(self, input_shape: tuple[int, ...]) -> int:
        """Return `latent_size`, or the default for samples of this shape."""
        if self.latent_size is not None:
            return self.latent_size
        return max(1, min(_LARGEST_DEFAULT_CODE, math.prod(input_shape) // 2))

    # -- persistence -------------------------------------------------------------------

    def _keep_module_parameters(self) -> None:
        """Remember from which parameters the network was built."""
        self._module_parameters = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_OF_THE_MODULE
        }

    def __getstate__(self):
        """Return parameters and arrays; no object of torch or skorch is pickled."""
        state = dict(super().__getstate__())
        net = state.pop("net_", None)
        if net is not None:
            state["_weights"] = _to_numpy(net.module_.state_dict())
        return state

    def __setstate__(self, state):
        """Build the net again from the weights, on a device that is there."""
        state = dict(state)
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self.net_ = self._restore_net(weights)

    def _restore_net(self, weights: dict[str, np.ndarray]) -> DetectorNet:
        # The parameters may have been set anew since the fit: build from those of then.
        fitted = type(self)(**self._module_parameters, random_state=0)
        fitted.input_shape_ = self.input_shape_
        try:
            _find_device(fitted.device)
        except ValueError:
            warnings.warn(
                f"The device {fitted.device!r} on which {type(self).__name__} was "
                "fitted is not available; it is loaded on the CPU.",
                stacklevel=4,
            )
            fitted.device = "cpu"
        net = fitted._make_net()
        net.initialize()
        _load(net.module_, weights)
        return net


class ReconstructionMixin:
    """For detectors whose network draws a sample again as a normal one.

    The module has a method ``reconstruct``.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.base import ReconstructionMixin
    >>> issubclass(Autoencoder, ReconstructionMixin)
    True
    """

    def reconstruct(self, X):
        """Draw each sample again as the network knows normal ones.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or \
                array-like of shape (n_samples, ...)
            Samples of the shape seen in `fit`.

        Returns
        -------
        reconstruction : ndarray of the shape of X
            Dense, float64.
        """
        return self._evaluate_shaped("reconstruct", X)  # type: ignore[attr-defined] # BaseDetector, beside which this stands


def _shape(X: Any) -> tuple[int, ...]:
    """Return the shape of anything array-like without letting it do more."""
    return tuple(X.shape if hasattr(X, "shape") else np.asarray(X).shape)


def _find_device(device: str | torch.device) -> torch.device:
    """Return a device that exists here, or say which do."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={device!r} is not available here. Use 'auto', 'cpu' or the name "
            "of an accelerator of this machine."
        ) from error
    return found


def _to_numpy(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.cpu().numpy().copy() for name, value in state.items()}


def _load(module: torch.nn.Module, weights: dict[str, np.ndarray]) -> None:
    module.load_state_dict(
        {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    )
