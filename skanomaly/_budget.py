"""How long a training lasts where the user leaves it open: counted in steps."""

from dataclasses import dataclass
from typing import Any

# Convolutions have to learn what a table's columns tell by their place.
_STEPS_OF_IMAGES = 2
_BATCH_OF_IMAGES = 128
_BATCH_OF_ROWS, _LARGEST_BATCH_OF_ROWS = 256, 4096
_SHORTEST_PATIENCE = 10
# A chunk of a stream is passed once: small ones would hardly train in larger batches.
_STEPS_OF_CHUNK, _SMALLEST_BATCH_OF_CHUNK = 32, 16


@dataclass(frozen=True)
class Budget:
    """What a training may use: epochs, samples in a batch, epochs without progress."""

    max_epochs: int
    batch_size: int
    n_iter_no_change: int | None  # None: no early stopping


def make_budget(detector: Any, input_shape: tuple[int, ...], n_samples: int) -> Budget:
    """Turn the steps that a method needs into epochs for the size of the data.

    Passes over the data would train small tables too little and large ones too much.
    """
    module_class = detector.module_class
    n_steps = module_class.default_steps
    if len(input_shape) > 1:
        n_steps, default = _STEPS_OF_IMAGES * n_steps, _BATCH_OF_IMAGES
    else:
        # From some size on, one pass over the data makes the steps, in larger batches.
        largest = min(n_samples // n_steps, _LARGEST_BATCH_OF_ROWS)
        default = max(largest, _BATCH_OF_ROWS)
    batch_size = default if detector.batch_size is None else detector.batch_size
    max_epochs = detector.max_epochs
    if max_epochs is None:
        n_batches = -(-n_samples // batch_size)
        max_epochs = max(-(-n_steps // n_batches), module_class.min_epochs)
    patience = detector.n_iter_no_change
    if patience is None:
        patience = max(max_epochs // 10, _SHORTEST_PATIENCE)
    return Budget(max_epochs, batch_size, patience)


def make_chunk_budget(
    detector: Any, input_shape: tuple[int, ...], n_samples: int
) -> Budget:
    """Return the budget of one pass over a chunk, in batches that make some steps."""
    largest = _BATCH_OF_IMAGES if len(input_shape) > 1 else _BATCH_OF_ROWS
    default = min(max(n_samples // _STEPS_OF_CHUNK, _SMALLEST_BATCH_OF_CHUNK), largest)
    return Budget(
        max_epochs=detector.module_class.min_epochs,
        batch_size=detector.batch_size or default,
        n_iter_no_change=None,
    )
