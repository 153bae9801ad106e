"""Training steps as one CUDA graph: a single launch instead of one for each kernel."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .step import Update

Losses = dict[str, Tensor]
# Libraries choose kernels and get their memory in the first steps.
_N_WARM_UP_STEPS = 3


class CapturedStep:
    """Make steps for real until they are warmed up, and replay a capture from then on.

    A capture knows addresses and numbers, not tensors and settings. So it holds for
    batches of one shape, the first one that comes; others, such as the last batch of an
    epoch, are stepped for real. It is made anew when an optimizer has got another state
    or other settings, as from a learning rate scheduler.

    Parameters
    ----------
    step : callable
        Takes a batch of shape (n_samples, ...), updates all networks and returns their
        losses by name. It neither waits for the device nor asks it for a number.
    updates : sequence of Update
        What it updates.
    recorder : CudaGraphs
        Knows the device.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> Autoencoder(net_params={"cuda_graph": True}, device="cpu").fit([[0.0], [1.0]])
    Traceback (most recent call last):
        ...
    ValueError: net_params['cuda_graph'] needs a CUDA device, and this is 'cpu'. ...
    """

    def __init__(
        self,
        step: Callable[[Tensor], Losses],
        updates: Sequence[Update],
        recorder: Any,
    ):
        self.step, self.recorder = step, recorder
        self.optimizers = [update.step.optimizer for update in updates]
        self.shape: torch.Size | None = None
        self.kept: Any = None
        self.n_warm_up_steps = 0
        self.replay: Callable[[], Losses] | None = None

    def __call__(self, x: Tensor) -> Losses:
        """Update the networks on a batch; the losses hold until the next step."""
        self.shape = self.shape or x.shape
        if x.shape != self.shape:
            return self.step(x)
        kept = self._addresses_and_settings()
        if kept != self.kept:
            self.kept, self.n_warm_up_steps, self.replay = kept, 0, None
        if self.n_warm_up_steps < _N_WARM_UP_STEPS:
            self.n_warm_up_steps += 1
            return self.recorder.warm_up(partial(self.step, x))
        if self.replay is None:
            self.x = x.clone()
            self.replay = self.recorder.record(partial(self.step, self.x))
        self.x.copy_(x)
        return self.replay()

    def _addresses_and_settings(self) -> list[Any]:
        """List what a capture of the optimizers' kernels has in it."""
        found: list[Any] = []
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                # Tensors are read anew by each replay.
                found += [v for v in group.values() if not isinstance(v, list | Tensor)]
                for parameter in group["params"]:
                    state = optimizer.state.get(parameter, {}).values()
                    tensors = [parameter, *filter(torch.is_tensor, state)]
                    found += [tensor.data_ptr() for tensor in tensors]
        return found


class CudaGraphs:
    """Record what runs on a CUDA device, and run it again.

    It follows the section "CUDA Graphs" of PyTorch's notes on CUDA semantics.

    Parameters
    ----------
    generator : torch.Generator
        Draws the noise; a replay goes on in its stream as a real step would.
    """

    def __init__(self, generator: torch.Generator):
        self.generator = generator
        self.device = generator.device

    def warm_up(self, fn: Callable[[], Losses]) -> Losses:
        """Run a function on another stream than the default, as captures do."""
        with torch.cuda.device(self.device):
            stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                values = fn()
            current.wait_stream(stream)
        return values

    def record(self, fn: Callable[[], Losses]) -> Callable[[], Losses]:
        """Capture a function without running it; return what replays it.

        Raises
        ------
        RuntimeError
            If the function needs a number from the device.
        """
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self.generator)
        try:
            # Other threads may train on the same device by the same time.
            with (
                torch.cuda.device(self.device),
                torch.cuda.graph(graph, capture_error_mode="thread_local"),
            ):
                values = fn()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RuntimeError(
                "A training step of this network can't be captured in a CUDA graph. "
                "Leave net_params['cuda_graph'] out."
            ) from error

        def replay() -> Losses:
            graph.replay()
            return values

        return replay


def check_cuda_graph(net: Any) -> None:
    """Raise if the steps of a net are to be captured and can't be.

    Parameters
    ----------
    net : DetectorNet
        With its device and ``parallel_``.

    Raises
    ------
    ValueError
        For another device, or several processes.
    """
    if not net.cuda_graph:
        return
    if torch.device(net.device).type != "cuda":
        raise ValueError(
            "net_params['cuda_graph'] needs a CUDA device, and this is "
            f"{str(net.device)!r}. Leave it out, or set the device to 'cuda'."
        )
    if net.parallel_.n_processes > 1:
        raise ValueError(
            "net_params has both cuda_graph and data_parallel, but processes average "
            "their gradients within a step. Leave one of the two out."
        )


def capture_step(
    net: Any, step: Callable[[Tensor], Losses], updates: Sequence[Update]
) -> Callable[[Tensor], Losses]:
    """Return a step that is replayed, if its net asks for that, and else the step.

    Parameters
    ----------
    net : DetectorNet
        An initialized net.
    step, updates
        As for `CapturedStep`.

    Returns
    -------
    step : callable
        Does the same.
    """
    if not net.cuda_graph:
        return step
    return CapturedStep(step, updates, CudaGraphs(net.module_.random_generator))
