"""What a module may ask of the training samples between its phases."""

from collections.abc import Callable, Iterator
from typing import Protocol

from torch import Tensor


class TrainingSamples(Protocol):
    """Samples that are read batch by batch, whatever holds them.

    Networks know of the training data what is declared here, and nothing else.
    """

    @property
    def held_out(self) -> "TrainingSamples | None":
        """Samples that are not trained on."""

    def __len__(self) -> int: ...

    def map(self, fn: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        """Yield what a function returns for each batch."""

    def mean(self, fn: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """Average what a function returns over the samples."""

    def any(self, fn: Callable[[Tensor], Tensor]) -> Tensor:
        """Tell what a function returns as not zero for any of the samples."""

    def sample(self, n_samples: int) -> "TrainingSamples":
        """Return samples drawn at random."""

    def spread_out(
        self,
        fn: Callable[[Tensor], Tensor],
        n_values: int,
        n_samples: int,
        key: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Choose values of a function that are far from each other."""
