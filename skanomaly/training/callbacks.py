"""Callbacks of skorch that detectors need."""

from skorch.callbacks import Callback

from .random import weights_drawn_from


def is_heard(net, *hooks: str) -> bool:
    """Tell whether any callback of a net overrides one of the hooks of every batch."""
    return any(
        getattr(type(callback), hook) is not getattr(Callback, hook)
        for _, callback in net.callbacks_
        for hook in hooks
    )


class ResetNetworks(Callback):
    """Reinitialize a discriminator that has become perfect.

    Its generator has no gradient to learn from any more. The module says by
    `reset_below` which networks are meant and below which mean loss of an epoch;
    ``"<network>_resets"`` in the history tells before which epoch it happened. So the
    weights that early stopping keeps, or that a training ends with, are trained ones.
    """

    def on_epoch_begin(self, net, **kwargs):
        """Look at the losses of the epoch before, if it was of the same phase."""
        before = net.history[-2] if len(net.history) > 1 else {}
        is_same_phase = before.get("phase") == net.phase_.name
        for name, threshold in net.module_.reset_below.items():
            loss = before.get(f"train_{name}_loss", threshold)
            is_perfect = is_same_phase and loss < threshold
            net.history.record(f"{name}_resets", int(is_perfect))
            if is_perfect:
                self._reset(net, name)

    def _reset(self, net, name):
        """Draw new weights, for the averaged and for the trained network."""
        with weights_drawn_from(net.streams_.seed("reset") + len(net.history)):
            fresh = getattr(net.module(), name).to(net.device).state_dict()
        network = getattr(net.module_, name)
        network.load_state_dict(fresh)
        with net.average_.swapped():
            network.load_state_dict(fresh)
        getattr(net, f"{name}_optimizer_").state.clear()
