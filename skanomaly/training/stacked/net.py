"""The net that trains several nets in one pass."""

from collections.abc import Sequence
from functools import partial

from skorch.callbacks import Callback

from skanomaly.training.net import DetectorNet

from .callbacks import FollowMembers
from .module import StackedModule


def stack_nets(
    nets: Sequence[DetectorNet], callbacks: Sequence[tuple[str, Callback]] = ()
) -> DetectorNet:
    """Return a net that trains nets of one architecture, as if each were alone.

    Each keeps its own weights, order of the samples, noise, early stopping and history.
    A small network spends most of a step on calls, and here the calls of all of them
    are as many as those of one.

    Parameters
    ----------
    nets : sequence of DetectorNet
        Initialized nets of the same module, settings and budget. Their module updates
        all its weights at once, and their optimizer is Adam.
    callbacks : sequence of (str, Callback), default=()
        Of the pass, not of a member.

    Returns
    -------
    net : DetectorNet
        To be trained with ``StackedData``. What raises a ``NotStackableError`` must be
        trained one after the other, from nets that are made anew.

    Examples
    --------
    >>> import numpy as np
    >>> from functools import partial
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.training import Data, DetectorNet, Streams, train
    >>> from skanomaly.training.stacked import StackedData, stack_nets
    >>> arguments = Autoencoder()._module_arguments((4,))
    >>> make = partial(Autoencoder.module_class, **arguments)
    >>> seeds = [Streams(seed) for seed in range(3)]
    >>> nets = [DetectorNet(make, streams=s, max_epochs=2) for s in seeds]
    >>> net = stack_nets([net.initialize() for net in nets])
    >>> X = np.ones((50, 4), dtype=np.float32)
    >>> train(net, StackedData([Data(X, streams=s) for s in seeds]))
    False
    >>> [len(net.history) for net in nets]
    [2, 2, 2]
    """
    first = nets[0]
    return DetectorNet(
        partial(StackedModule, [each.module_ for each in nets], first.trim_fraction),
        max_epochs=first.max_epochs,
        batch_size=first.batch_size,
        lr=first.lr,
        device=first.device,
        optimizer__betas=first.module_.adam_betas,
        callbacks=[("members", FollowMembers(nets)), *callbacks],
    ).initialize()
