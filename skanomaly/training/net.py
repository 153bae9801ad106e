"""The one place where skorch is subclassed."""

import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EpochTimer, PassthroughScoring
from torch import Tensor, nn

from .averaging import WeightAverage
from .batches import BatchLoader, scored_batches
from .optimizers import JointOptimizer

# Layers draw their first weights from torch's global generator: there is no other way
# to seed them. It is borrowed by one thread at a time and given back as it was.
_BORROWING_TORCH_GENERATOR = threading.Lock()
# One kernel for the whole step: torch's default costs a fit up to a half more.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


class DetectorNet(NeuralNet):
    """Train a `DetectorModule`, whatever its losses and players, and read it.

    skorch's own step takes one loss for one optimiser. Here the module yields its
    losses, one a player, and each player steps on its own loss before the next loss is
    computed; a module without players is the case of one. Everything else is skorch:
    callbacks, history, ``set_params``, ``partial_fit``, ``save_params``.

    Parameters
    ----------
    module : callable
        Returns the `DetectorModule`; called without arguments.
    seed : int, default=0
        Decides the first weights, the order of the rows and the noise.
    criterion : class, default=torch.nn.Identity
        Not used: the module knows its losses.
    optimizer : class, default=torch.optim.Adam
        Made once for each player, as ``<player>_optimizer_``.
        ``optimizer__<name>`` holds for all of them, ``<player>_optimizer__<name>`` for
        one.
    lr : float, default=1e-3
        Learning rate of all optimisers.
    iterator_train, iterator_valid : class, default=BatchLoader
        How batches are made.
    iterator_train__shuffle : bool, default=True
        Whether each epoch takes the samples in a new order.
    train_split : callable or None, default=None
        How a part is held out for validation; None trains on everything.
    verbose : int, default=0
        Whether skorch prints.
    ema_decay : float, default=0.0
        Outside of training steps the module has a running average of its weights, of
        which the past has this share at most; zero for the last weights themselves.
    restart_below : dict or None, default=None
        Mean losses of an epoch, by player, under which a player has won and gets new
        weights, for example ``{"discriminator": 1e-5}``. ``"<player>_restarts"`` in
        the history counts them.
    **kwargs
        As for `skorch.NeuralNet`.

    Examples
    --------
    >>> import numpy as np
    >>> from functools import partial
    >>> from skanomaly.detectors.autoencoder import AutoencoderModule
    >>> from skanomaly.training import DetectorNet
    >>> X = np.zeros((50, 4), dtype=np.float32)
    >>> net = DetectorNet(partial(AutoencoderModule, (4,), (8,), 2), max_epochs=3)
    >>> len(net.fit(X).history)
    3
    >>> net.evaluate("score", X).shape
    (50,)
    """

    def __init__(
        self,
        module,
        *,
        seed=0,
        criterion=nn.Identity,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        iterator_train=BatchLoader,
        iterator_valid=BatchLoader,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        ema_decay=0.0,
        restart_below=None,
        **kwargs,
    ):
        self.seed = seed
        self.ema_decay = ema_decay
        self.restart_below = restart_below
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            iterator_train=iterator_train,
            iterator_valid=iterator_valid,
            iterator_train__shuffle=iterator_train__shuffle,
            train_split=train_split,
            verbose=verbose,
            **kwargs,
        )

    def get_default_callbacks(self):
        """Return what fills the history: durations and mean losses, and no printing.

        Returns
        -------
        callbacks : list of (str, Callback)
            As in skorch.
        """
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring(name="train_loss", on_train=True)),
            ("valid_loss", PassthroughScoring(name="valid_loss")),
        ]

    def initialize_module(self):
        """Draw the weights from the seed, and give the module its generator.

        Returns
        -------
        net : DetectorNet
            Itself.
        """
        weights, noise, order = np.random.SeedSequence(self.seed).generate_state(3)
        with _weights_drawn_from(int(weights)):
            super().initialize_module()
        self.module_.random_generator = torch.Generator(self.device).manual_seed(
            int(noise)
        )
        self.order_generator_ = torch.Generator().manual_seed(int(order))
        self.average_ = WeightAverage(self.module_)
        return self

    def initialize_optimizer(self):
        """Make one optimiser a player.

        Returns
        -------
        net : DetectorNet
            Itself.
        """
        players = self.module_.players
        if not players:
            self.optimizer_ = self._make_optimizer("optimizer", self.module_)
            return self
        for name in players:
            part = getattr(self.module_, name)
            optimizer = self._make_optimizer(f"{name}_optimizer", part)
            setattr(self, f"{name}_optimizer_", optimizer)
        self.optimizer_ = JointOptimizer(
            getattr(self, f"{name}_optimizer_") for name in players
        )
        return self

    def _make_optimizer(self, name: str, part: nn.Module) -> torch.optim.Optimizer:
        trained = ((n, p) for n, p in part.named_parameters() if p.requires_grad)
        groups, own = self.get_params_for_optimizer(name, trained)
        shared = self.get_params_for("optimizer")
        shared.pop("param_groups", None)
        if f"{name}__lr" not in vars(self):
            own["lr"] = shared.get("lr", self.lr)
        options = {**shared, **own}
        if self.optimizer in _FUSED:
            options.setdefault("fused", not options.get("foreach", False))
        return self.optimizer(*groups, **options)

    def set_params(self, **kwargs):
        """Set parameters, callbacks among them, as skorch does.

        Parameters
        ----------
        **kwargs : dict
            Parameters by name.

        Returns
        -------
        net : DetectorNet
            Itself.
        """
        super().set_params(**kwargs)
        if self.initialized_ and "callbacks" in kwargs:
            # skorch makes the callbacks before it has looked at the new ones.
            self.initialize_callbacks()
        return self

    def torch_compile(self, module, name):
        """Compile the sub-networks in place; the losses run between them.

        Parameters
        ----------
        module : DetectorModule
            The module.
        name : str
            Not used.

        Returns
        -------
        module : DetectorModule
            The same one: its class and the names of its weights stay.
        """
        if self.compile:
            for child in module.children():
                child.compile(**self.get_params_for("compile"))
        return module

    def get_iterator(self, dataset, training=False):
        """Loop over whole batches on the net's device.

        Parameters
        ----------
        dataset : torch.utils.data.Dataset
            What to loop over.
        training : bool, default=False
            Whether it is for training, and so in a new order each time.

        Returns
        -------
        iterator : iterable of (Tensor, None)
            The batches.
        """
        name = "iterator_train" if training else "iterator_valid"
        make_iterator = getattr(self, name)
        options = {"batch_size": self.batch_size, **self.get_params_for(name)}
        if options["batch_size"] == -1:
            options["batch_size"] = len(dataset)
        if make_iterator is BatchLoader:
            options |= {"device": self.device, "generator": self.order_generator_}
        return make_iterator(dataset, **options)

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train for `max_epochs`, going on from the weights that are there.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...) or CSR matrix
            Float32 samples.
        y : None
            Not used.
        classes : None
            Not used.
        **fit_params : dict
            As in skorch.

        Returns
        -------
        net : DetectorNet
            Itself. After a KeyboardInterrupt of the user, and not of a callback that
            stops the training, ``interrupted_`` is True.
        """
        self.interrupted_ = False
        return super().partial_fit(X, y, classes, **fit_params)

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Run the epochs, and note whether it was the user who ended them.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...) or CSR matrix
            Float32 samples.
        y : None
            Not used.
        epochs : int or None, default=None
            How many; None takes `max_epochs`.
        **fit_params : dict
            As in skorch.

        Returns
        -------
        net : DetectorNet
            Itself.
        """
        self.average_.forget()
        try:
            return super().fit_loop(X, y, epochs, **fit_params)
        except KeyboardInterrupt:
            # skorch's callbacks end a training by the same exception.
            self.interrupted_ = not self._stopped_by_callback
            raise

    def notify(self, method_name, **cb_kwargs):
        """Call the callbacks, and remember when one of them stops the training.

        Parameters
        ----------
        method_name : str
            The hook.
        **cb_kwargs : dict
            Its arguments.
        """
        self._stopped_by_callback = False
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            self._stopped_by_callback = True
            raise

    def _is_heard(self, hook: str) -> bool:
        """Tell whether anybody overrides a hook that is called with every batch."""
        return getattr(type(self), hook) is not getattr(NeuralNet, hook) or any(
            getattr(type(callback), hook) is not getattr(Callback, hook)
            for _, callback in self.callbacks_
        )

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Go once through the data.

        Losses stay on the device until the epoch's end unless somebody listens to
        every batch, and the history keeps the batches of the running epoch only.

        Parameters
        ----------
        iterator : iterable of (Tensor, None) or None
            The batches; None skips the epoch.
        training : bool
            Whether the module is trained.
        prefix : str
            ``"train"`` or ``"valid"``, for the names in the history.
        step_fn : callable
            Called with each batch; returns the losses by name.
        **fit_params : dict
            As in skorch.
        """
        if iterator is None:
            return
        for finished in self.history[-2:-1]:
            finished["batches"].clear()
        if not training:
            self._run_batches(iterator, training, prefix, step_fn, **fit_params)
            return
        self._turns = self._make_turns()
        with self.average_.set_aside():
            self._run_batches(iterator, training, prefix, step_fn, **fit_params)
        self._restart_winners()

    def _run_batches(self, iterator, training, prefix, step_fn, **fit_params):
        heard = self._is_heard("on_batch_begin") or self._is_heard("on_batch_end")
        self._grad_is_heard = self._is_heard("on_grad_computed")
        losses: list[Tensor] = []
        sizes: list[int] = []
        names: list[str] = []
        for batch in iterator:
            if heard:
                self.notify("on_batch_begin", batch=batch, training=training)
            step = step_fn(batch, **fit_params)
            if training:
                self.average_.update(self.ema_decay)
            names = names or [name for name in step if name.endswith("loss")]
            losses += (step[name] for name in names)
            sizes.append(len(batch[0]))
            if heard:
                for name in names:
                    self.history.record_batch(f"{prefix}_{name}", step[name].item())
                self.history.record_batch(f"{prefix}_batch_size", sizes[-1])
                step.setdefault("y_pred", None)  # not known after training steps
                self.notify("on_batch_end", batch=batch, training=training, **step)
        values = torch.stack(losses).reshape(-1, len(names)).double().cpu().numpy()
        self._check_finite(values, prefix)
        if not heard:
            keys = [*(f"{prefix}_{name}" for name in names), f"{prefix}_batch_size"]
            self.history[-1]["batches"] += (
                dict(zip(keys, (*row, size), strict=True))
                for row, size in zip(values.tolist(), sizes, strict=True)
            )
        # PassthroughScoring averages "loss"; the players' own losses are recorded here.
        for name, value in zip(names, np.average(values, 0, sizes), strict=True):
            if name != "loss":
                self.history.record(f"{prefix}_{name}", float(value))
        self.history.record(f"{prefix}_batch_count", len(sizes))

    def _check_finite(self, losses: np.ndarray, prefix: str) -> None:
        if not np.isfinite(losses).all():
            raise ValueError(
                f"Training diverged: a {prefix} loss of epoch {len(self.history)} is "
                "not finite. Scale the features (for example with StandardScaler) or "
                f"lower learning_rate (now {self.lr:g})."
            )

    def _make_turns(self) -> list[tuple[str, torch.optim.Optimizer, list[Tensor]]]:
        """List who steps on which loss: its name, optimiser and parameters.

        The list is empty for an optimiser that evaluates the loss itself, as LBFGS
        does: then skorch's own step makes the closure that it wants.
        """
        if _needs_closure(self.optimizer_):
            return []
        if not self.module_.players:
            return [("loss", self.optimizer_, _trained(self.module_))]
        return [
            (
                f"{name}_loss",
                getattr(self, f"{name}_optimizer_"),
                _trained(getattr(self.module_, name)),
            )
            for name in self.module_.turns
        ]

    def _restart_winners(self) -> None:
        """Give new weights to a player who has won; nobody learns from it any more."""
        for name, loss in (self.restart_below or {}).items():
            has_won = self.history[-1].get(f"train_{name}_loss", np.inf) < loss
            self.history.record(f"{name}_restarts", int(has_won))
            if has_won:
                seed = np.random.SeedSequence((self.seed, len(self.history)))
                with _weights_drawn_from(int(seed.generate_state(1)[0])):
                    fresh = getattr(self.module(), name).to(self.device)
                getattr(self.module_, name).load_state_dict(fresh.state_dict())
                getattr(self, f"{name}_optimizer_").state.clear()

    def train_step(self, batch, **fit_params):
        """Let each player make one step, on its own loss.

        Parameters
        ----------
        batch : (Tensor, None)
            The batch.
        **fit_params : dict
            Not used.

        Returns
        -------
        step : dict
            ``"loss"``, and with players ``"<player>_loss"`` each, of which ``"loss"``
            is the sum.
        """
        if not self._turns:
            return super().train_step(batch, **fit_params)
        self._set_training(True)
        taken: dict[str, list[Tensor]] = {}
        losses = self.module_.losses(batch[0])
        for turn, loss in zip(self._turns, losses, strict=True):
            name, optimizer, parameters = turn
            optimizer.zero_grad()
            loss.backward(inputs=parameters)  # a loss reaches its own player only
            if self._grad_is_heard:
                self.notify(
                    "on_grad_computed",
                    named_parameters=[
                        (n, p)
                        for n, p in self.module_.named_parameters()
                        if any(p is own for own in parameters)
                    ],
                    batch=batch,
                    training=True,
                )
            optimizer.step()
            taken.setdefault(name, []).append(loss.detach())
        step: dict[str, Any] = {
            name: torch.stack(each).mean() if each[1:] else each[0]
            for name, each in taken.items()
        }
        if "loss" not in step:
            step["loss"] = torch.stack(list(step.values())).sum()
        return step

    def train_step_single(self, batch, **fit_params):
        """Compute loss and gradients for an optimiser that asks for them repeatedly.

        Parameters
        ----------
        batch : (Tensor, None)
            The batch.
        **fit_params : dict
            Not used.

        Returns
        -------
        step : dict
            With ``"loss"``.
        """
        self._set_training(True)
        (loss,) = self.module_.losses(batch[0])
        loss.backward()
        return {"loss": loss.detach()}

    def validation_step(self, batch, **fit_params):
        """Judge held-out rows by the module's `validation_loss`.

        Parameters
        ----------
        batch : (Tensor, None)
            The batch.
        **fit_params : dict
            Not used.

        Returns
        -------
        step : dict
            ``"loss"``, the mean, and ``"y_pred"``, the losses of the rows.
        """
        self._set_training(False)
        with torch.no_grad():
            losses = self.module_.validation_loss(batch[0])
        return {"loss": losses.mean(), "y_pred": losses}

    def _set_training(self, training=True):
        # Walking through the modules costs as much as a small layer.
        if self.module_.training != training:
            super()._set_training(training)

    def evaluate(self, method: str, X: Any) -> np.ndarray:
        """Apply a method of the module to samples, batch by batch.

        Parameters
        ----------
        method : str
            Name of a method that takes and returns a batch, such as ``"score"``.
        X : ndarray of shape (n_samples, ...) or CSR matrix
            Float32 samples.

        Returns
        -------
        values : ndarray of shape (n_samples, ...)
            What the method returned for each sample, float64; the same to the bit
            whatever else `X` holds.
        """
        self._set_training(False)
        apply = getattr(self.module_, method)
        with torch.no_grad():
            parts = [
                apply(x)[: rows.stop - rows.start].double().cpu().numpy()
                for rows, x in scored_batches(
                    X, self.device, self.module_.max_scored_rows
                )
            ]
        return np.concatenate(parts)


@contextmanager
def _weights_drawn_from(seed: int) -> Iterator[None]:
    """Let layers draw their first weights from a seed, and nobody else notice."""
    with _BORROWING_TORCH_GENERATOR, torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _trained(part: nn.Module) -> list[Tensor]:
    return [p for p in part.parameters() if p.requires_grad]


def _needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Tell an optimiser that evaluates the loss itself, such as LBFGS."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
