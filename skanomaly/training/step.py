"""One step of training: each network is updated once, on its own loss."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .fused import FusedStep


class Update:
    """What one loss updates: a network's parameters, by its optimizer."""

    def __init__(
        self, name: str, optimizer: torch.optim.Optimizer, parameters: list[Tensor]
    ):
        self.name = name
        self.parameters = parameters
        self.step = FusedStep(optimizer)

    def compute_gradients(self, loss: Tensor) -> None:
        """Let a loss reach these parameters, and nothing else."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward(inputs=self.parameters)

    def named_parameters(self, module: nn.Module) -> list[tuple[str, Tensor]]:
        """List these parameters with their names in a module."""
        own = set(map(id, self.parameters))
        return [(name, p) for name, p in module.named_parameters() if id(p) in own]


def make_updates(net: Any, networks: Sequence[str] | None = None) -> list[Update]:
    """List what each loss of a step updates.

    Parameters
    ----------
    net : DetectorNet
        A net with optimizers.
    networks : sequence of str or None, default=None
        Names of the networks in the order of the losses; None takes the module's.

    Returns
    -------
    updates : list of Update
        One for each of them, or one for the whole module if it names none.
    """
    module = net.module_
    names = module.networks if networks is None else networks
    if not names:
        return [Update("loss", net.optimizer_, _trained(module))]
    updates = {
        name: Update(
            f"{name}_loss",
            getattr(net, f"{name}_optimizer_"),
            _trained(getattr(module, name)),
        )
        for name in set(names)
    }
    return [updates[name] for name in names]


def trim(x: Tensor, measure: Callable[[Tensor], Tensor], fraction: float) -> Tensor:
    """Leave out the samples of a batch that are fitted worst.

    Parameters
    ----------
    x : Tensor of shape (n_samples, ...)
        A batch.
    measure : callable
        Takes a batch and returns a loss for each sample.
    fraction : float
        How many of them, rounded down.

    Returns
    -------
    x_kept : Tensor of shape (n_kept, ...)
        The others, in the order of the batch.
    """
    n_kept = x.shape[0] - int(fraction * x.shape[0])
    if n_kept == x.shape[0]:
        return x
    with torch.no_grad():
        kept = measure(x).argsort(stable=True)[:n_kept]
    return x[kept.sort().values]


def take_step(
    losses: Iterator[Tensor],
    updates: list[Update],
    on_gradients: Callable[[Update], None] | None = None,
) -> dict[str, Tensor]:
    """Update the networks one after the other.

    The generator of losses is resumed only after an update, so that each loss is
    computed with the networks as they are by then. A loss reaches the parameters of its
    own update only.

    Parameters
    ----------
    losses : iterator of Tensor of shape ()
        One for each update.
    updates : list of Update
        In the order of the losses.
    on_gradients : callable or None, default=None
        Called between backward and optimizer step.

    Returns
    -------
    losses : dict of str to Tensor
        The losses by name, those of one name averaged, without graph; their sum as
        ``"loss"``.

    Raises
    ------
    ValueError
        If there are more or fewer losses than updates.
    FloatingPointError
        If training has diverged so far that torch refuses to go on.
    """
    taken: dict[str, list[Tensor]] = {}
    try:
        for update in updates:
            loss = next(losses, None)
            if loss is None:
                raise ValueError(f"There are fewer losses than {len(updates)} updates.")
            update.compute_gradients(loss)
            if on_gradients is not None:
                on_gradients(update)
            update.step()
            taken.setdefault(update.name, []).append(loss.detach())
            del loss  # and its graph, before the next one is made
        if next(losses, None) is not None:
            raise ValueError(f"There are more losses than {len(updates)} updates.")
    except torch.linalg.LinAlgError as error:
        raise FloatingPointError(f"a matrix is not finite ({error})") from error
    means = {
        name: torch.stack(each).mean() if each[1:] else each[0]
        for name, each in taken.items()
    }
    if "loss" not in means:
        means["loss"] = torch.stack(list(means.values())).sum()
    return means


def _trained(network: nn.Module) -> list[Tensor]:
    """List the parameters that are trained."""
    return [p for p in network.parameters() if p.requires_grad]
