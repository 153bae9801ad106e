"""Constructors from annotated fields, with the words and checks that they share."""

import re
from dataclasses import dataclass, fields
from numbers import Integral
from typing import Any, dataclass_transform

from .nn.backbones import ACTIVATIONS

_SHARED_PARAMETERS = """\
    hidden_sizes : array-like of int or None, default=None
        Width of each hidden layer of the encoder, from the input to the code; the
        decoder mirrors it. Units for rows of a table, channels for images and clips,
        where each layer also halves the sides that are 4 or longer. None takes
        (128, 64) for rows and (16, 32, 64) for images and clips.
    latent_size : int or None, default=None
        Length of the code. None takes half as many numbers as a sample has, 16 at the
        most.
    activation : {activations}, default="tanh"
        What follows every hidden layer.
    max_epochs : int, default=100
        How many times training goes through the data, at the most.
    batch_size : int, default=128
        Samples in a training step. The last batch of an epoch may have fewer and is
        never dropped; a batch size above the number of samples makes one batch of them.
    learning_rate : float, default=1e-3
        Step size of the optimiser (Adam, unless `net_params` says otherwise).
    early_stopping : bool, default=False
        Whether to hold out a part of the training data, stop when it is no longer
        fitted better, and go back to the weights that fitted it best.
    validation_fraction : float, default=0.1
        The share held out, between 0 and 1. Only used with `early_stopping`.
    n_iter_no_change : int, default=10
        Epochs without improvement after which training stops. Only used with
        `early_stopping`.
    contamination : float, default=0.1
        The share of the training samples to be called outliers, in (0, 0.5]. It sets
        `offset_` and nothing else: scores do not depend on it.
    sample_shape : array-like of int or None, default=None
        Shape that flat rows are given before they enter the network: ``(channels,
        height, width)`` for images or ``(channels, time, height, width)`` for clips. It
        lets an image detector stand at the end of a Pipeline. None takes samples as
        they come.
    device : str or torch.device, default="auto"
        Where the network trains and scores: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ...
        ``"auto"`` is a CUDA device where there is one.
    net_params : dict or None, default=None
        More settings for the skorch net by name, for example ``{{"callbacks": [...],
        "optimizer": torch.optim.SGD, "optimizer__momentum": 0.9, "compile": True}}``.
    warm_start : bool, default=False
        Whether a further `fit` goes on from the weights of the last one.
    random_state : int, RandomState instance or None, default=None
        Decides the first weights, the order of the samples and all noise. An int gives
        the same scores in every fit.
    verbose : int, default=0
        1 shows a progress bar with the losses, 2 prints a line an epoch.
""".format(activations="{" + ", ".join(f'"{name}"' for name in ACTIVATIONS) + "}")

_SHARED_ATTRIBUTES = """\
    offset_ : float
        The score under which a sample is called an outlier: the `contamination`
        quantile of the training samples' scores.
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
        An entry an epoch: ``"epoch"``, ``"train_loss"``, ``"dur"`` in seconds, with
        `early_stopping` ``"valid_loss"``, and with several players each one's
        ``"train_<player>_loss"``. ``pandas.DataFrame(detector.history_)`` reads it.
    net_ : DetectorNet
        The fitted skorch net. It is not pickled but built again from the weights.
"""


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameters(detector_class):
    """Make the annotated fields of a detector its constructor's parameters.

    The signature is real, so that ``get_params``, ``clone``, the repr and GridSearchCV
    see it, and a subclass types only its own parameters. ``{shared_parameters}`` and
    ``{shared_attributes}`` in the docstring are filled in.

    Parameters
    ----------
    detector_class : type
        A subclass of `BaseDetector`.

    Returns
    -------
    detector_class : type
        The same class with a constructor.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.base import parameters
    >>> @parameters
    ... class Wide(Autoencoder):
    ...     hidden_sizes: tuple = (512, 256)
    >>> Wide(max_epochs=3).get_params()["hidden_sizes"]
    (512, 256)
    """
    detector_class = dataclass(kw_only=True, eq=False, repr=False)(detector_class)
    doc = detector_class.__doc__
    if doc is not None:
        family = getattr(detector_class, "_shared_parameters", "")
        shared = _with_defaults_of(detector_class, _SHARED_PARAMETERS + family)
        doc = doc.replace("    {shared_parameters}\n", shared)
        family = getattr(detector_class, "_shared_attributes", "")
        doc = doc.replace("    {shared_attributes}\n", _SHARED_ATTRIBUTES + family)
        detector_class.__doc__ = doc
    return detector_class


def _with_defaults_of(detector_class: type, shared: str) -> str:
    """Write a class's own defaults into the words on parameters that it shares."""
    for field in fields(detector_class):
        line = rf"(?m)^(    {field.name} : .*default=).*$"
        default = (
            f'"{field.default}"'
            if isinstance(field.default, str)
            else repr(field.default)
        )
        shared = re.sub(line, rf"\g<1>{default}", shared)
    return shared


def check_sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """Return sizes as a tuple, or say that they are no whole numbers above zero.

    Parameters
    ----------
    name : str
        Of the parameter.
    sizes : iterable of int
        Its value.

    Returns
    -------
    sizes : tuple of int
        The same.

    Raises
    ------
    ValueError
        If one of them is no whole number of at least 1.

    Examples
    --------
    >>> from skanomaly._parameters import check_sizes
    >>> check_sizes("hidden_sizes", [128, 64])
    (128, 64)
    """
    sizes = tuple(sizes)
    if not all(isinstance(n, Integral) and int(n) >= 1 for n in sizes):
        raise ValueError(f"{name} must hold whole numbers of at least 1, got {sizes}.")
    return tuple(int(n) for n in sizes)
