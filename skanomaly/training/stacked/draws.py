"""Random numbers of a loss, drawn before it is computed, for each member its own."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class NotStackableError(Exception):
    """Modules that can't be trained in one pass: they are, one after the other."""


@dataclass(frozen=True)
class Draw:
    """A call of one of torch's random functions, but for its generator."""

    function: Callable[..., Tensor]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self, generator: torch.Generator) -> Tensor:
        """Draw from a generator."""
        return self.function(*self.args, generator=generator, **self.kwargs)

    def is_like(self, other: "Draw") -> bool:
        """Tell whether another call draws the same, tensors compared by value."""
        return (
            self.function is other.function
            and self.kwargs == other.kwargs
            and len(self.args) == len(other.args)
            and all(map(_is_equal, self.args, other.args))
        )


class Recorder(TorchFunctionMode):
    """Notes what is drawn from generators, in `draws`."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[Draw] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch, and note it if it draws."""
        given = dict(kwargs or {})
        result = func(*args, **given)
        if given.pop("generator", None) is not None:
            self.draws.append(Draw(func, args, given))
        return result


class Replayer(TorchFunctionMode):
    """Returns numbers that were drawn before, instead of drawing."""

    def __init__(self, numbers: Iterable[Tensor]) -> None:
        super().__init__()
        self.numbers = iter(numbers)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Call a function of torch unless it draws."""
        if (kwargs or {}).get("generator") is not None:
            return next(self.numbers)
        return func(*args, **(kwargs or {}))


def record_draws(
    calls: Iterable[Callable[[], Any]], generators: Iterable[torch.Generator]
) -> list[Draw]:
    """Find out what members draw in one call, without using up their numbers.

    Parameters
    ----------
    calls : iterable of callable
        One for each member.
    generators : iterable of torch.Generator
        From which the members draw.

    Returns
    -------
    draws : list of Draw
        The same for all members.

    Raises
    ------
    NotStackableError
        If members draw differently, or if what is drawn depends on weights or samples.
    """
    found: list[list[Draw]] = []
    for call, generator in zip(calls, generators, strict=True):
        with _rewound(generator), torch.no_grad(), Recorder() as recorder:
            call()
        found.append(recorder.draws)
    first, *others = found
    for draws in others:
        if len(draws) != len(first) or not all(
            a.is_like(b) for a, b in zip(first, draws, strict=True)
        ):
            raise NotStackableError("What is drawn depends on weights or samples.")
    if any(draw.function.__name__.endswith("_") for draw in first):
        raise NotStackableError("Random numbers are drawn in place.")
    return first


@contextmanager
def _rewound(generator: torch.Generator) -> Iterator[None]:
    """Set a generator back afterwards."""
    state = generator.get_state()
    try:
        yield
    finally:
        generator.set_state(state)


def _is_equal(a: Any, b: Any) -> bool:
    """Compare arguments of a function of torch."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.equal(a, b)
    return type(a) is type(b) and bool(a == b)
