"""What a person sees while a detector trains."""

from skorch.callbacks import Callback
from tqdm.auto import tqdm


class EpochProgressBar(Callback):
    """Show one bar for the whole training, with the last epoch's losses.

    Parameters
    ----------
    description : str
        What is trained, for the left of the bar.
    """

    def __init__(self, description):
        self.description = description

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar."""
        self.bar_ = tqdm(total=net.max_epochs, desc=self.description, unit="epoch")

    def on_epoch_end(self, net, **kwargs):
        """Advance the bar and write the losses beside it."""
        losses = {
            name.removesuffix("_loss"): value
            for name, value in net.history[-1].items()
            if name.endswith("_loss")
        }
        self.bar_.set_postfix(losses, refresh=False)
        self.bar_.update()

    def on_train_end(self, net, X=None, y=None, **kwargs):
        """Close the bar."""
        self.bar_.close()
