"""What a person sees while a detector trains or scores."""

from skorch.callbacks import Callback
from tqdm.auto import tqdm

_FORMAT = "{desc} {n_fmt}/{total_fmt} {remaining}{postfix}"
# Scoring that takes less is not worth a bar.
_SECONDS_BEFORE_SCORING_BAR = 2.0
# Columns for the losses beside name, count and time.
_WIDTH = 40


class TrainingBar(Callback):
    """One bar for the whole training that names the phase and the networks' losses.

    Parameters
    ----------
    name : str
        What is trained.
    max_epochs : int or None
        Epochs of all phases; None if they are not counted.
    """

    def __init__(self, name, max_epochs):
        self.name = name
        self.max_epochs = max_epochs

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar with the first phase, and name the phase."""
        phase = net.phase_
        description = f"{self.name} {phase.name}"
        if not hasattr(self, "bar_"):
            self.bar_ = tqdm(
                total=self.max_epochs,
                desc=description,
                bar_format=_FORMAT,
                dynamic_ncols=True,
            )
        self.bar_.set_description_str(description, refresh=False)
        self.bar_.set_postfix_str("", refresh=False)
        if phase.steps is not None:
            self.bar_.reset(total=phase.steps)

    def on_epoch_end(self, net, **kwargs):
        """Advance the bar and show the losses."""
        row = net.history[-1]
        losses = {
            name.removesuffix("_loss").removeprefix("train_"): value
            for name, value in row.items()
            if name.endswith("_loss")
        }
        if any(
            name.startswith("train_") and name.endswith("_loss")
            for name in row.keys() - {"train_loss"}
        ):
            losses.pop("train", None)  # the sum of the networks' losses
        self.bar_.set_postfix_str(_fit(losses), refresh=False)
        self.bar_.update(row.get("n_steps", 1))

    def close(self):
        """Close the bar, if one was opened."""
        if hasattr(self, "bar_"):
            self.bar_.close()


def _fit(losses):
    """Write losses as short as the width asks for: names are abbreviated."""
    n_letters = max(_WIDTH // max(len(losses), 1) - 5, 3)
    return " ".join(f"{name[:n_letters]} {_short(v)}" for name, v in losses.items())


def _short(value):
    """Write a number in at most four characters, if it is of a common size."""
    return f"{value:.2g}" if abs(value) < 10 else f"{value:.0f}"


def scoring_bar(name):
    """Return what shows a bar over the batches of a scoring that takes a while.

    Parameters
    ----------
    name : str
        What is scoring.

    Returns
    -------
    progress : callable
        Takes batches and the number of samples in them, and yields the batches.
    """

    def progress(batches, n_samples):
        with tqdm(
            total=n_samples,
            desc=f"{name} scoring",
            unit="sample",
            delay=_SECONDS_BEFORE_SCORING_BAR,
        ) as bar:
            for n_rows, x in batches:
                yield n_rows, x
                bar.update(n_rows)

    return progress
