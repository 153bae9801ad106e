"""A bounded sample of a stream, in which recent samples are more likely to be."""

from math import prod

import numpy as np

from .batches import dense
from .data import Data

_MOST_VALUES = 2**25  # 128 MB


def add_to_reservoir(
    reservoir: np.ndarray,
    data: Data,
    random_state: np.random.RandomState,
    size: int = 1000,
) -> np.ndarray:
    """Take new samples of a stream into a reservoir.

    Once it is full, each new sample takes the place of one that is drawn at random.
    So a sample is still there after k others with a probability of about exp(-k / n),
    where n is the size of the reservoir [1]_.

    Parameters
    ----------
    reservoir : ndarray of shape (n_kept, ...)
        The samples so far, which are not changed.
    data : Data
        What comes next in the stream.
    random_state : RandomState
        Draws the places.
    size : int, default=1000
        Of the full reservoir, unless samples have more than 2**25 values together.

    Returns
    -------
    reservoir : ndarray of shape (n_kept, ...)
        Of float32.

    References
    ----------
    .. [1] C. C. Aggarwal, "On Biased Reservoir Sampling in the Presence of Stream
       Evolution", VLDB 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.training import Data
    >>> from skanomaly.training.reservoir import add_to_reservoir
    >>> reservoir, rng = np.empty((0, 1), dtype=np.float32), np.random.RandomState(0)
    >>> for start in range(0, 10_000, 500):
    ...     chunk = np.arange(start, start + 500, dtype=np.float32)[:, None]
    ...     reservoir = add_to_reservoir(reservoir, Data(chunk), rng)
    >>> len(reservoir), int((reservoir > 8000).sum())
    (1000, 865)
    """
    sample_shape = data.source.shape[1:]
    size = max(min(size, _MOST_VALUES // prod(sample_shape)), 1)
    if len(reservoir) > size:
        reservoir = reservoir[random_state.permutation(len(reservoir))[:size]]
    n_before, n_new = len(reservoir), len(data)
    n_free = min(size - n_before, n_new)
    places = np.append(
        np.arange(n_before, n_before + n_free),
        random_state.randint(size, size=n_new - n_free),
    )
    # Of several new samples in one place the last stays; no other need be read.
    taken, from_end = np.unique(places[::-1], return_index=True)
    kept = np.empty((n_before + n_free, *sample_shape), dtype=np.float32)
    kept[:n_before] = reservoir
    if n_new:
        kept[taken] = dense(data.take(n_new - 1 - from_end).X).cpu().numpy()
    return kept
