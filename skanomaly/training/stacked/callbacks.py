"""What each member's net notices of a training in one pass."""

from collections.abc import Sequence

from skorch.callbacks import Callback

from skanomaly.training.net import DetectorNet


class FollowMembers(Callback):
    """Notify each member's net at the beginning and end of trainings and epochs.

    So a member has a history and callbacks of its own, and early stopping decides for
    each of them when it ends and which weights were the best. A member that has ended
    stays in the pass, but keeps its weights; the pass ends with the last of them.

    Parameters
    ----------
    nets : sequence of DetectorNet
        Of the members.
    """

    def __init__(self, nets: Sequence[DetectorNet]):
        self.nets = nets

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Begin a phase."""
        for member in self.nets:
            member.phase_ = net.phase_
            member.notify("on_train_begin", X=X, y=y)

    def on_epoch_begin(self, net, **kwargs):
        """Begin an epoch of those that are still trained."""
        for nth in sorted(net.module_.trained):
            self.nets[nth].notify("on_epoch_begin", **kwargs)

    def on_epoch_end(self, net, **kwargs):
        """Write the members' histories, and notice who has ended."""
        module, row = net.module_, net.history[-1]
        module.unstack()
        losses = {
            "train_loss": module.train_losses.pop(),
            "valid_loss": module.valid_losses.pop(),
        }
        losses = {name: values for name, values in losses.items() if values is not None}
        kept = {name: row[name] for name in ("phase", "n_steps") if name in row}
        for nth in sorted(module.trained):
            member = self.nets[nth]
            for name, value in kept.items():
                member.history.record(name, value)
            for name, values in losses.items():
                member.history.record(name, values[nth])
            try:
                member.notify("on_epoch_end", **kwargs)
            except KeyboardInterrupt:  # by which callbacks end a training
                module.trained.remove(nth)
        for name, values in losses.items():  # until now the sum
            net.history.record(name, sum(values) / len(values))
        if not module.trained:
            raise KeyboardInterrupt

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """End a phase; members may go back to their best weights."""
        net.module_.unstack()
        for member in self.nets:
            member.notify("on_train_end", X=X, y=y)
