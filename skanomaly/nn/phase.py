"""One stage of a detector's training, as its paper tells it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor


@dataclass(frozen=True)
class Phase:
    """One stage of training: which losses update which networks, and for how long.

    Without `fraction`, `epochs` or `steps` a phase takes the epochs that are left of
    the detector's `max_epochs`. Each phase starts with new optimizers.

    Parameters
    ----------
    losses : callable
        Takes a batch and yields one loss for each network update.
    name : str, default="training"
        For the progress bar and for ``history_``.
    networks : tuple of str or None, default=None
        The update schedule: which network each loss updates. None takes the module's
        `networks`.
    fraction : float or None, default=None
        Fraction of `max_epochs`, at least one epoch, and leaving one to what follows.
    epochs : int or None, default=None
        Number of epochs, as far as `max_epochs` has as many left.
    steps : int or None, default=None
        Number of batches, on top of `max_epochs`.
    learning_rates : mapping of str to float, default={}
        By network; all others take the detector's `learning_rate`.
    validation_loss : callable or None, default=None
        Takes a batch of held-out samples and returns one loss each; early stopping
        watches their mean. None takes the module's `validation_loss`.
    is_required : bool, default=False
        Whether there is no score without this phase. A fit that is interrupted before
        it leaves the detector as it was.

    Examples
    --------
    >>> from skanomaly.nn import Phase
    >>> Phase(lambda x: iter([x.mean()]), "warm-up", fraction=0.3).name
    'warm-up'
    """

    losses: Callable[[Tensor], Iterator[Tensor]]
    name: str = "training"
    networks: tuple[str, ...] | None = None
    fraction: float | None = None
    epochs: int | None = None
    steps: int | None = None
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    validation_loss: Callable[[Tensor], Tensor] | None = None
    is_required: bool = False

    def n_epochs(self, max_epochs: int, n_left: int) -> int:
        """Tell how many epochs the phase takes of those that are left.

        Parameters
        ----------
        max_epochs : int
            Epochs of the whole training.
        n_left : int
            How many of them the phases before have left.

        Returns
        -------
        n_epochs : int
            Zero for a phase that is counted in steps.
        """
        if self.steps is not None:
            return 0
        if self.epochs is not None:
            return min(self.epochs, n_left)
        if self.fraction is not None:
            wanted = max(round(self.fraction * max_epochs), 1) if self.fraction else 0
            return min(wanted, max(n_left - 1, 0))
        return n_left

    def single_pass(self, n_batches: int) -> "Phase":
        """Return the phase as a stream has it: once through a chunk, at the most.

        Parameters
        ----------
        n_batches : int
            Batches of the chunk.

        Returns
        -------
        phase : Phase
            Of one epoch, or of fewer steps than it makes.
        """
        if self.steps is not None:
            return replace(self, steps=min(self.steps, n_batches))
        return replace(self, fraction=None, epochs=int(self.fraction != 0))
