"""The one place where skorch is subclassed."""

import math
from functools import partial

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PassthroughScoring
from torch import Tensor, nn

from skanomaly.nn import Phase

from .batches import Rounds
from .callbacks import ResetNetworks, is_heard
from .capture import capture_step, check_cuda_graph
from .data import Data
from .ema import WeightAverage
from .interrupt import DeferredInterrupt
from .losses import EpochLosses
from .optimizers import make_optimizers
from .parallel import DataParallel, Parts
from .random import Streams, weights_drawn_from
from .step import Update, make_updates, take_step, trim

# Steps between two looks at the held-out samples, in a phase that is counted in steps.
_STEPS_PER_CHECK = 5
# Held-out samples are seen in larger batches than training takes, if they aren't wide.
_LARGEST_VALIDATION_BATCH, _VALUES_PER_VALIDATION_BATCH = 1024, 2**17


class DetectorNet(NeuralNet):
    """Train a DetectorModule phase by phase, whatever its losses and networks.

    skorch's own step takes one loss for one optimizer. Here the module yields its
    losses, and each updates one network before the next is computed. Everything else is
    skorch: callbacks, history, ``set_params``, ``save_params``.

    Parameters
    ----------
    module : callable
        Returns the module; called without arguments.
    streams : Streams or None, default=None
        Decide the first weights, the order of the samples and the noise; None takes
        those of seed 0.
    trim_fraction : float, default=0.0
        Fraction of each batch that is not trained on: its worst fitted samples.
    data_parallel : bool, default=False
        Whether the processes of torch.distributed train this network together.
    cuda_graph : bool, default=False
        Whether steps are captured in a CUDA graph and replayed.
    criterion : class, default=torch.nn.Identity
        Not used: the module knows its losses.
    optimizer : class, default=torch.optim.Adam
        Made once for each network, as ``<network>_optimizer_``.
        ``optimizer__<name>`` holds for all of them, ``<network>_optimizer__<name>`` for
        one.
    lr : float, default=1e-3
        Learning rate of all optimizers, where a phase has no other.
    train_split : None
        Not used: the data come split.
    verbose : int, default=0
        Whether skorch prints.
    **kwargs
        As for `skorch.NeuralNet`.

    See Also
    --------
    skanomaly.training.train : Runs all phases of a module.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> net = Autoencoder(max_epochs=3).fit([[1.0, 2.0]] * 50).net_
    >>> type(net).__name__, len(net.history)
    ('DetectorNet', 3)
    """

    def __init__(
        self,
        module,
        *,
        streams=None,
        trim_fraction=0.0,
        data_parallel=False,
        cuda_graph=False,
        criterion=nn.Identity,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        train_split=None,
        verbose=0,
        **kwargs,
    ):
        self.streams = streams
        self.trim_fraction = trim_fraction
        self.data_parallel = data_parallel
        self.cuda_graph = cuda_graph
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )

    def get_default_callbacks(self):
        """Return what fills the history, and what reinitializes networks."""
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
            ("reset", ResetNetworks()),
        ]

    def initialize_module(self):
        """Draw the weights from the seed, and give the module its generator."""
        self.streams_ = self.streams or Streams(0)
        with weights_drawn_from(self.streams_.seed("weights")):
            super().initialize_module()
        self.module_.random_generator = self.streams_.torch_generator(
            "noise", self.device
        )
        self.order_generator_ = self.streams_.torch_generator("order")
        self.parallel_ = DataParallel(self.device, self.data_parallel)
        check_cuda_graph(self)
        self.parallel_.draw_other_noise(self.module_.random_generator)
        self.average_ = WeightAverage(self.module_)
        self.interrupt_ = DeferredInterrupt()
        self.phase_ = Phase(self.module_.losses)
        return self

    def initialize_optimizer(self):
        """Make one optimizer for each network, with the phase's learning rates."""
        for name, optimizer in make_optimizers(self).items():
            setattr(self, name, optimizer)
        return self

    def torch_compile(self, module, name):
        """Compile the children in place; the losses run between them."""
        if self.compile:
            options = {"dynamic": True, **self.get_params_for("compile")}
            for child in module.children():
                # Module.compile would compile each layer for itself.
                child.forward = torch.compile(child.forward, **options)
        return module

    def get_dataset(self, X, y=None):
        """Return samples as `Data`."""
        return X if isinstance(X, Data) else Data(X, device=self.device)

    def get_split_datasets(self, X, y=None, **fit_params):
        """Return the training samples and those that were held out before."""
        data = self.get_dataset(X)
        return data, data.held_out

    def get_iterator(self, dataset, training=False):
        """Return whole batches on the net's device."""
        size = len(dataset) if self.batch_size == -1 else self.batch_size
        if not training:
            return dataset.batches(max(size, _large_batch(dataset)))
        batches = dataset.batches(size, self.order_generator_)
        if self.phase_.steps is not None:
            batches = Rounds(
                batches, self.phase_.steps, _steps_per_round(self.phase_, dataset)
            )
        return Parts(batches, self.parallel_)

    def train_phase(self, phase: Phase, data: Data, n_epochs: int) -> bool:
        """Train for one phase, with new optimizers.

        Parameters
        ----------
        phase : Phase
            What to do.
        data : Data
            The training samples.
        n_epochs : int
            For how long, if the phase doesn't count in steps.

        Returns
        -------
        is_interrupted : bool
            Whether Ctrl-C, and no callback, has ended it.
        """
        self.phase_ = phase
        self._measure = phase.validation_loss or self.module_.validation_loss
        self.initialize_optimizer()
        self.average_.reset()
        self._updates = make_updates(self, phase.networks)
        self._step = capture_step(self, self._take_step, self._updates)
        numbers = (self.streams_.root, len(data), n_epochs, self.batch_size)
        self.parallel_.check_agreement(self.module_, *numbers)
        self._stopped_by_callback = is_interrupted = False
        if phase.steps is not None:
            n_epochs = -(-phase.steps // _steps_per_round(phase, data))
        self.n_phase_epochs_ = n_epochs
        self.notify("on_train_begin", X=data, y=None)
        try:
            self.fit_loop(data, epochs=n_epochs)
        except KeyboardInterrupt:  # by which skorch's callbacks end a training, too
            is_interrupted = not self._stopped_by_callback
            if not self.history:
                raise
        finally:
            del self._step  # and the memory that a graph holds
        self.notify("on_train_end", X=data, y=None)
        return is_interrupted

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks, and remember when one of them stops the training."""
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            self._stopped_by_callback = True
            raise

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go once through the batches; scores and validation see averaged weights."""
        if iterator is None:
            return
        for finished in self.history[-2:-1]:
            finished["batches"].clear()
        if not training:
            self._run_batches(iterator, training, prefix, step_fn)
            return
        self.history.record("phase", self.phase_.name)
        with self.average_.swapped():
            self._run_batches(iterator, training, prefix, step_fn)
        if self.phase_.steps is not None:
            self.history.record("n_steps", self.history[-1, "train_batch_count"])

    def _run_batches(self, iterator, training, prefix, step_fn):
        """Take the steps; losses stay on the device until the end if nobody listens."""
        heard = is_heard(self, "on_batch_begin", "on_batch_end")
        self._gradients_are_heard = is_heard(self, "on_grad_computed")
        parallel = self.parallel_ if training else None
        losses = EpochLosses(self.history, prefix, heard, parallel)
        for batch in iterator:
            self.interrupt_.check()
            if heard:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch)
            if training:
                self.average_.update(self.module_.ema_decay)
            losses.add(step, len(batch[0]))
            if heard:
                step.setdefault("y_pred", None)  # not known after training steps
                self.notify("on_batch_end", batch=batch, training=training, **step)
        losses.record()

    def train_step(self, batch, **fit_params):
        """Update each network of the phase on its own loss; return the losses."""
        if not self.module_.training:  # setting it costs as much as a layer
            self._set_training(True)
        step = self._take_step if self._gradients_are_heard else self._step
        return step(batch[0])

    def _take_step(self, x: Tensor) -> dict[str, Tensor]:
        """Update the networks on the samples of a batch that are trained on."""
        kept = trim(x, self._measure, self.trim_fraction)
        on_gradients = partial(self._on_gradients, (x, None), len(kept))
        return take_step(self.phase_.losses(kept), self._updates, on_gradients)

    def _on_gradients(self, batch, n_samples: int, update: Update) -> None:
        """Average one network's gradients over processes, and notify callbacks."""
        self.parallel_.average_gradients(update.parameters, n_samples)
        if self._gradients_are_heard:
            named = update.named_parameters(self.module_)
            self.notify("on_grad_computed", named_parameters=named, batch=batch)

    def validation_step(self, batch, **fit_params):
        """Measure held-out samples by the phase's validation loss."""
        if self.module_.training:
            self._set_training(False)
        with torch.no_grad():
            losses = self._measure(batch[0])
        return {"loss": losses.mean(), "y_pred": losses}


def _steps_per_round(phase: Phase, data: Data) -> int:
    """Tell after how many steps of a phase of steps held-out samples are seen."""
    n_steps = phase.steps or 0
    return n_steps if data.held_out is None else min(n_steps, _STEPS_PER_CHECK)


def _large_batch(data: Data) -> int:
    """Return how many samples make a batch that costs little beside its numbers."""
    n_values = math.prod(data.source.shape[1:])
    return min(_LARGEST_VALIDATION_BATCH, _VALUES_PER_VALIDATION_BATCH // n_values)
