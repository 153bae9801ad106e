"""Constructors, constraints and documentation from annotated fields."""

import inspect
import re
import types
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import (
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from sklearn.utils._param_validation import Interval, StrOptions

from .nn import DetectorModule
from .nn.backbones import ACTIVATIONS

Detector = TypeVar("Detector", bound=type[Any])

PositiveInt = Annotated[int, Interval(Integral, 1, None, closed="left")]
NonNegativeInt = Annotated[int, Interval(Integral, 0, None, closed="left")]
PositiveFloat = Annotated[float, Interval(Real, 0, None, closed="neither")]
NonNegativeFloat = Annotated[float, Interval(Real, 0, None, closed="left")]
UnitFloat = Annotated[float, Interval(Real, 0, 1, closed="both")]
OpenUnitFloat = Annotated[float, Interval(Real, 0, 1, closed="neither")]
Activation = Annotated[str, StrOptions(set(ACTIVATIONS))]
LearningRate = Annotated[float, Interval(Real, 0, 1, closed="right")]

_SHARED_PARAMETERS = """\
    hidden_sizes : array-like of int or None, default=None
        Width of each hidden layer of the encoder, from the input to the code; the
        decoder mirrors it. Units for rows of a table, channels for images and clips,
        where each layer also halves the sides that are 4 or longer. None takes
        (128, 64) for rows and (16, 32, 64) for images and clips.
    latent_size : int or None, default=None
        Length of the code. None takes half as many numbers as a sample has, 16 at the
        most.
    activation : {activations} or None, \
            default="tanh"
        Activation function of the hidden layers. None takes "tanh", where the notes
        say nothing else.
    max_epochs : int or None, default=None
        How many times training goes through the data, at the most. None takes as many
        epochs as make {n_steps} steps (twice as many for images and clips), at least
        one: small tables are not trained too little, nor large ones too much.
    batch_size : int or None, default=None
        Samples in a training step. The last batch of an epoch may have fewer and is
        never dropped; a batch size above the number of samples makes one batch of them.
        None takes 128 images or clips, or 256 rows, and up to 4,096 rows where one
        epoch of these still makes the steps. In `partial_fit` it takes a batch of which
        a chunk makes 32 steps, of 16 samples at least, and of 256 rows or 128 images or
        clips at most.
    learning_rate : float, default=1e-3
        Step size of the optimizer (Adam, unless `net_params` says otherwise), at most
        1.
    early_stopping : bool, default=False
        Whether to hold out a part of the training data, stop when it is no longer
        fitted better, and go back to the weights that fitted it best.
    validation_fraction : float, default=0.1
        The fraction held out, between 0 and 1. Only used with `early_stopping` and by
        `partial_fit`.
    n_iter_no_change : int or None, default=None
        Epochs without improvement after which training stops. Only used with
        `early_stopping`. None takes a tenth of `max_epochs`, at least 10.
    trim_fraction : float, default=0.0
        The fraction of each batch, in [0, 1), that is left out of its training step:
        the samples that the network fits worst by then. Set it to about the fraction
        of outliers, or somewhat more, where the training data hold outliers that the
        network would learn. Zero trains on all.
    contamination : float, default=0.1
        The fraction of the training samples to be called outliers, in (0, 0.5]; with
        `early_stopping`, of the held-out ones. It sets `offset_` and nothing else:
        scores do not depend on it.
    sample_shape : array-like of int or None, default=None
        Shape that flat rows are given before they enter the network: ``(channels,
        height, width)`` for images or ``(channels, time, height, width)`` for clips. It
        lets an image detector stand at the end of a Pipeline. None takes samples as
        they come.
    device : str or torch.device, default="auto"
        Where the network trains and scores: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
        ``"auto"`` is a CUDA device where there is one.
    net_params : dict or None, default=None
        More settings for the skorch net by name, for example ``{"callbacks": [...],
        "optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "compile": True}``.
        Callbacks are copied for each fit.
    warm_start : bool, default=False
        Whether a further `fit` continues from the weights of the last one, with the
        parameters as they are by then.
    random_state : int, RandomState instance or None, default=None
        Decides the first weights, the order of the samples and all noise. An int gives
        the same scores in every fit.
    verbose : int, default=0
        1 shows a progress bar with the losses, 2 prints a line an epoch.
""".replace("{activations}", "{" + ", ".join(f'"{name}"' for name in ACTIVATIONS) + "}")

_SHARED_ATTRIBUTES = """\
    offset_ : float
        The score under which a sample is called an outlier: the `contamination`
        quantile of the training samples' scores or, with `early_stopping`, of those of
        the held-out samples, which new samples are more like.
        After `partial_fit`, of those in the `reservoir_`.
    n_features_in_ : int
        Number of values in a sample seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns seen during `fit`; only for frames whose column names are
        all strings.
    input_shape_ : tuple of int
        Shape of a sample as the network takes it.
    n_iter_ : int
        Epochs trained.
    history_ : list of dict
        An entry an epoch, or a round of steps in a phase that is counted in steps:
        ``"epoch"``, ``"phase"``, ``"train_loss"``, ``"dur"`` in seconds, with
        `early_stopping` ``"valid_loss"``, and with several networks each one's
        ``"train_<network>_loss"``. ``pandas.DataFrame(detector.history_)`` reads it.
    n_samples_seen_ : int
        Samples given to `partial_fit`, trained on or held out. This and what follows up
        to `phase_states_` is only there after `partial_fit`.
    reservoir_ : ndarray of shape (n_kept, ...)
        Held-out samples, float32: 20 / `contamination` of them, at most 1,000. Recent
        ones are more likely among them.
    recent_samples_ : ndarray of shape (n_kept, ...)
        The same of the training samples, at most 1,000. What a network is told about
        its data is measured on them.
    phase_states_ : dict of str to dict
        What the optimizers go on with, for each phase of the training.
    module_ : torch.nn.Module
        The fitted network.
    net_ : DetectorNet
        The fitted skorch net. It is not pickled but built again from the weights.
"""


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameters(detector_class: Detector) -> Detector:
    """Make the annotated fields of a detector its constructor's parameters.

    A field states name, type, constraint and default of a parameter, once. The
    signature is real, so that ``get_params``, ``clone``, the repr and GridSearchCV see
    it. ``{shared_parameters}`` and ``{shared_attributes}`` in the docstring are filled
    in.

    Parameters
    ----------
    detector_class : type
        A subclass of `BaseDetector`.

    Returns
    -------
    detector_class : type
        The same class with a constructor and scikit-learn's ``_parameter_constraints``.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.base import PositiveInt, parameters
    >>> @parameters
    ... class Repeated(Autoencoder):
    ...     n_repeats: PositiveInt = 3
    >>> Repeated(max_epochs=3).get_params()["n_repeats"]
    3
    >>> str(Repeated._parameter_constraints["n_repeats"][0])
    'an int in the range [1, inf)'
    """
    made: Any = dataclass(kw_only=True, eq=False, repr=False)(detector_class)
    own = inspect.get_annotations(made)
    hints = get_type_hints(made, include_extras=True) if own else {}
    made._parameter_constraints = {
        **getattr(made, "_parameter_constraints", {}),
        **{
            field.name: _constraints(hints[field.name])
            for field in fields(made)
            if field.name in own
        },
    }
    if made.__doc__ is not None:
        made.__doc__ = _fill_in(made)
    return made


def _constraints(hint: Any) -> list:
    """Translate a type into what scikit-learn checks a parameter by."""
    origin = get_origin(hint)
    if origin is Annotated:
        return list(hint.__metadata__)
    if origin in (Union, types.UnionType):
        return [each for member in get_args(hint) for each in _constraints(member)]
    if origin is Literal:
        return [StrOptions(set(get_args(hint)))]
    if hint is types.NoneType:
        return [None]
    return ["boolean"] if hint is bool else [hint]


def _fill_in(detector_class: Any) -> str:
    """Write the shared parameters and attributes into a docstring."""
    shared = _SHARED_PARAMETERS + getattr(detector_class, "_shared_parameters", "")
    for field in fields(detector_class):
        line = rf"(?m)^(    {field.name} : .*default=).*$"
        is_text = isinstance(field.default, str)
        default = f'"{field.default}"' if is_text else repr(field.default)
        shared = re.sub(line, rf"\g<1>{default}", shared)
    n_steps = getattr(detector_class, "module_class", DetectorModule).default_steps
    shared = shared.replace("{n_steps}", f"{n_steps:,}")
    attributes = _SHARED_ATTRIBUTES + getattr(detector_class, "_shared_attributes", "")
    doc = detector_class.__doc__ or ""
    doc = doc.replace("    {shared_parameters}\n", shared)
    return doc.replace("    {shared_attributes}\n", attributes)
