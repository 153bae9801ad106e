"""Several modules of one architecture as one: their weights, stacked."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from skanomaly.nn import DetectorModule, Phase
from skanomaly.training.step import trim

from .draws import Draw, NotStackableError, record_draws
from .graph import LossGraph

# So many calls take the time that tracing takes.
_N_CALLS_BEFORE_TRACING = 50


class StackedModule(DetectorModule):
    """Modules of one architecture that are trained as if each were alone.

    The members share nothing: the gradient of the sum of their losses is, for each of
    them, that of its own loss, and what Adam makes of it, element by element, too. A
    batch has the shape (n_samples, n_members, ...).

    The members' own weights are those of the last `unstack`.

    Parameters
    ----------
    members : sequence of DetectorModule
        Of the same class and parameters.
    trim_fraction : float
        Fraction of each member's batch that is not trained on.
    """

    def __init__(self, members: Sequence[DetectorModule], trim_fraction: float):
        super().__init__((len(members), *members[0].center.shape))
        self.members = tuple(members)  # in a tuple: no children
        self.trim_fraction = trim_fraction
        self.ema_decay = members[0].ema_decay
        self.train_losses, self.valid_losses = MemberMeans(), MemberMeans()
        self.stack()

    def train(self, mode: bool = True):
        """Set the mode of the members, too."""
        for member in self.members:
            member.train(mode)
        return super().train(mode)

    def stack(self) -> None:
        """Take the members' weights and buffers, and train all of them."""
        weights = [dict(member.named_parameters()) for member in self.members]
        self.names = list(weights[0])
        self.weights = nn.ParameterList(
            nn.Parameter(
                torch.stack([own[name].detach() for own in weights]),
                weights[0][name].requires_grad,
            )
            for name in self.names
        )
        buffers = [dict(member.named_buffers()) for member in self.members]
        self.stacked_buffers = {
            name: torch.stack([own[name] for own in buffers]) for name in buffers[0]
        }
        self.trained = set(range(len(self.members)))
        self.is_changed = False

    @torch.no_grad()
    def unstack(self) -> None:
        """Give the members that are still trained their weights and buffers."""
        if not self.is_changed:
            return
        self.is_changed = False
        named = dict(zip(self.names, self.weights, strict=True)) | self.stacked_buffers
        for nth in self.trained:
            member = self.members[nth]
            for name, own in (*member.named_parameters(), *member.named_buffers()):
                own.copy_(named[name][nth])

    def diverged(self) -> list[int]:
        """List the numbers of members whose losses or weights are not finite."""
        n_members = len(self.members)
        is_finite = torch.ones(n_members, dtype=torch.bool)
        if self.train_losses.total is not None:
            is_finite &= self.train_losses.total.isfinite().cpu()
        for weight in self.weights:
            is_finite &= weight.detach().flatten(1).isfinite().all(1).cpu()
        return [nth for nth in range(n_members) if not is_finite[nth]]

    def phases(self, data: Any) -> Iterator[Phase]:
        """Yield the members' phases, side by side."""
        for member, center in zip(self.members, self.center, strict=True):
            member.center.copy_(center)
        of_each = [
            member.phases(own)
            for member, own in zip(self.members, data.members, strict=True)
        ]
        for phases in zip(*of_each, strict=True):
            self.stack()
            yield replace(
                phases[0],
                losses=StackedLosses(self, phases),
                validation_loss=partial(self.validation_losses, phases),
            )

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the sum of the members' losses."""
        yield from StackedLosses(self, [Phase(each.losses) for each in self.members])(x)

    def validation_losses(self, phases: Sequence[Phase], x: Tensor) -> Tensor:
        """Measure held-out samples by each member, of shape (n_samples, n_members)."""
        self.unstack()
        losses = torch.stack(
            [
                (phase.validation_loss or member.validation_loss)(own)
                for phase, member, own in zip(
                    phases, self.members, x.unbind(1), strict=True
                )
            ],
            dim=1,
        )
        self.valid_losses.add(losses.mean(0), len(x))
        return losses

    def score(self, x: Tensor) -> Tensor:
        """Score samples by each member, of shape (n_samples, n_members)."""
        self.unstack()
        pairs = zip(self.members, x.unbind(1), strict=True)
        return torch.stack([member.score(own) for member, own in pairs], dim=1)


class StackedLosses:
    """The losses of one phase: a graph for each shape of batches.

    Parameters
    ----------
    module : StackedModule
        Whose members are trained.
    phases : sequence of Phase
        The same phase of each member.
    """

    def __init__(self, module: StackedModule, phases: Sequence[Phase]):
        self.module = module
        self.losses = [
            partial(_trimmed_losses, phase, member, module.trim_fraction)
            for phase, member in zip(phases, module.members, strict=True)
        ]
        self.generators = [
            member.random_generator or torch.default_generator
            for member in module.members
        ]
        self.graphs: dict[torch.Size, tuple[LossGraph, list[Draw]]] = {}

    def __call__(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the sum of the members' losses."""
        x = x.transpose(0, 1)
        if x.shape not in self.graphs:
            self.graphs[x.shape] = self._make_graph(x)
        graph, draws = self.graphs[x.shape]
        total, losses = graph(x, self.module.weights, self._numbers(draws))
        self.module.is_changed = True
        self.module.train_losses.add(losses, x.shape[1])
        yield total

    def _numbers(self, draws: list[Draw]) -> list[Tensor]:
        """Draw what one step needs, for each member from its own generator."""
        return [torch.stack([draw(g) for g in self.generators]) for draw in draws]

    def _make_graph(self, x: Tensor) -> tuple[LossGraph, list[Draw]]:
        """Make the graph of batches of this shape."""
        module = self.module
        if any(_settings(m) != _settings(module.members[0]) for m in module.members):
            raise NotStackableError("Members have different settings.")
        calls = [
            lambda losses=losses, own=own: list(losses(own))
            for losses, own in zip(self.losses, x, strict=True)
        ]
        draws = record_draws(calls, self.generators)
        weights = dict(zip(module.names, module.weights, strict=True))
        first, buffers = module.members[0], module.stacked_buffers
        # The first shape is that of all batches but the last of each epoch.
        n_calls_before = _N_CALLS_BEFORE_TRACING if self.graphs else 0
        graph = LossGraph(first, self.losses[0], weights, buffers, n_calls_before)
        return graph, draws


class MemberMeans:
    """The mean loss of each member over the samples of an epoch."""

    def __init__(self) -> None:
        self.total: Tensor | None = None
        self.n_samples = 0

    def add(self, losses: Tensor, n_samples: int) -> None:
        """Take the losses of a batch, of shape (n_members,)."""
        weighted = losses.double() * n_samples
        self.total = weighted if self.total is None else self.total.add_(weighted)
        self.n_samples += n_samples

    def pop(self) -> list[float] | None:
        """Return the means, or None of nothing, and begin anew."""
        if self.total is None:
            return None
        means = (self.total / self.n_samples).tolist()
        self.total, self.n_samples = None, 0
        return means


def _trimmed_losses(
    phase: Phase, member: DetectorModule, fraction: float, x: Tensor
) -> Iterator[Tensor]:
    """Yield the losses of a member, without the samples that it fits worst."""
    measure = phase.validation_loss or member.validation_loss
    return phase.losses(trim(x, measure, fraction))


def _settings(module: nn.Module) -> list[Any]:
    """List what no tensor holds: numbers and names, of the module and its children."""
    return [
        (name, value)
        for path, child in module.named_modules()
        for name, value in vars(child).items()
        if isinstance(value, bool | int | float | str)
    ]
