"""How samples are read: checked as a whole in memory, or by their first rows."""

from typing import Any

from . import _validation
from ._advice import advice_if_not_numeric
from ._sources import BlockSource, as_source
from ._validation import Schema


def read_training_samples(detector: Any, X: Any, y: Any = None) -> tuple[Any, Schema]:
    """Return float32 samples as the network takes them, and their schema.

    Of what is read block by block the first rows are checked here, and the values of
    each block when it is read, first of all for the mean before training.
    """
    source = as_source(X)
    if source is None:
        return _validation.check_training_samples(detector, X, y)
    head = _head(detector, source)
    _, schema = _validation.check_training_samples(detector, head, y)
    return source.load(schema.input_shape), schema


def read_samples(detector: Any, X: Any) -> Any:
    """Return float32 samples of the shape seen in fit."""
    source = as_source(X)
    if source is None:
        return _validation.check_samples(detector, X)
    _validation.check_samples(detector, _head(detector, source))
    return source.load(detector.input_shape_)


def _head(detector: Any, source: BlockSource) -> Any:
    """Return the first rows, or say why they are no numbers."""
    with advice_if_not_numeric(type(detector).__name__):
        return source.head()


def shape_of(X: Any) -> tuple[int, ...]:
    """Return the shape of samples, wherever they are."""
    source = as_source(X)
    return _validation.shape_of(X) if source is None else source.shape
