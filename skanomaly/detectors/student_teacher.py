"""Uninformed students: what they were never taught, they can't guess."""

import copy
import math
import warnings
from collections.abc import Iterator, Sequence
from numbers import Integral

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from skanomaly.base import (
    BaseDetector,
    Interval,
    StrOptions,
    check_sizes,
    parameters,
)
from skanomaly.nn import DetectorModule, make_encoder
from skanomaly.nn.ensemble import make_stacked_encoder
from skanomaly.nn.functional import integrated_gradients, squared_error
from skanomaly.nn.patches import Patches

from .autoencoder import Autoencoder

TEACHERS = ("random", "autoencoder")

# A teacher's output with a smaller standard deviation teaches nothing, and noise in its
# last bits would be blown up to the size of the others.
_CONSTANT = 1e-6
# A patch of less contrast than this share of the ordinary is not stretched further.
_LEAST_CONTRAST = 0.1
# So many rows or patches are enough to train an encoder on, or to measure a contrast.
_MANY_PATCHES = 50_000


class Classroom(nn.Module):
    """One teacher, its students, and what they all look at: rows, or patches.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    patch_size : int or None
        Side of the patches; None looks at a sample as a whole.
    stride : int or None
        Pixels from one patch to the next.
    teacher : "random", "autoencoder" or torch.nn.Module
        As in `StudentTeacher`.
    hidden_sizes : sequence of int
        Hidden layers of the students and of a teacher that is not given.
    latent_size : int
        Numbers that such a teacher says of what it sees.
    activation : str
        What follows a hidden layer.
    n_students : int
        Number of students.
    """

    contrast: Tensor
    position: Tensor
    mean: Tensor
    std: Tensor
    is_taught: Tensor
    usual: Tensor

    def __init__(
        self,
        input_shape,
        patch_size,
        stride,
        teacher,
        hidden_sizes,
        latent_size,
        activation,
        n_students,
    ):
        super().__init__()
        self.patches = Patches(input_shape, patch_size, stride) if patch_size else None
        self.seen_shape = self.patches.patch_shape if self.patches else input_shape
        n_seen = math.prod(self.seen_shape)
        if self.patches:
            # A position that is as long as a patch of ordinary contrast.
            position = self.patches.position * n_seen**0.5
            self.register_buffer("position", position, persistent=False)
            n_seen += 2 + position.shape[1]
        self.is_given = isinstance(teacher, nn.Module)
        if self.is_given:
            self.teacher = copy.deepcopy(teacher)
            latent_size = _length_of_answers(self.teacher, self.seen_shape)
        else:
            self.teacher = make_encoder(
                (n_seen,), hidden_sizes, latent_size, activation
            )
            for layer in self.teacher:
                if isinstance(layer, nn.Linear):
                    nn.init.orthogonal_(layer.weight, math.sqrt(2))
        self.teacher.requires_grad_(False)
        self.students = make_stacked_encoder(
            n_students, (n_seen, *hidden_sizes, latent_size), activation
        )
        self.register_buffer("contrast", torch.ones(()))
        self.register_buffer("mean", torch.zeros(latent_size))
        self.register_buffer("std", torch.ones(latent_size))
        self.register_buffer("is_taught", torch.ones(latent_size))
        # Rows: error and variance; columns: mean and standard deviation.
        self.register_buffer("usual", torch.tensor([[0.0, 1.0], [0.0, 1.0]]))

    def train(self, mode: bool = True):
        """Set the mode of the students; the teacher is never in training.

        Parameters
        ----------
        mode : bool, default=True
            Whether the students train.

        Returns
        -------
        classroom : Classroom
            Itself.
        """
        super().train(mode)
        self.teacher.eval()
        return self

    def see(self, x: Tensor) -> Tensor:
        """Return what there is to look at, a row each.

        Of a patch: its pixels at normal contrast, brightness, contrast and position.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        seen : Tensor of shape (n_samples * n_patches, n_seen)
            Rows as they are.
        """
        if not self.patches:
            return x.flatten(1)
        pixels = self.patches(x).flatten(0, 1) / self.contrast
        brightness = pixels.mean(dim=1, keepdim=True)
        pixels = pixels - brightness
        contrast = pixels.square().mean(dim=1, keepdim=True).sqrt()
        stretched = pixels / (contrast + _LEAST_CONTRAST)
        position = self.position.repeat(len(x), 1)
        return torch.cat([stretched, brightness, contrast, position], dim=1)

    def ask_teacher(self, x: Tensor, seen: Tensor) -> Tensor:
        """Return the teacher's answers, as the teacher gives them.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch; a teacher that was given looks at it, or at its plain patches.
        seen : Tensor of shape (n_samples * n_patches, n_seen)
            The same batch, as from `see`.

        Returns
        -------
        answers : Tensor of shape (n_samples * n_patches, latent_size)
            Without a gradient.
        """
        with torch.set_grad_enabled(x.requires_grad):
            if not self.is_given:
                return self.teacher(seen)
            plain = self.patches(x) if self.patches else x
            return self.teacher(plain.reshape(-1, *self.seen_shape))

    def surprises(self, x: Tensor) -> Tensor:
        """Return how far each answer is from the teacher's mean, by output.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        surprises : Tensor of shape (n_samples, n_patches, latent_size)
            In the teacher's own units.
        """
        answers = self.ask_teacher(x, self.see(x)) - self.mean
        return answers.reshape(len(x), -1, answers.shape[1])

    def differences(self, x: Tensor) -> Tensor:
        """Return what each student says less what the teacher says.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        differences : Tensor of shape (n_students, n_samples * n_patches, latent_size)
            In standard deviations of the teacher's outputs; zero for those that are
            constant.
        """
        seen = self.see(x)
        answers = (self.ask_teacher(x, seen) - self.mean) / self.std
        return (self.students(seen) - answers) * self.is_taught

    def disagreement(self, x: Tensor) -> Tensor:
        """Return the students' regression error and predictive variance.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        disagreement : Tensor of shape (n_samples, n_patches, 2)
            Squared error of the students' mean, and their variance around it; both
            summed over the teacher's outputs.
        """
        # A difference varies over the students as their answers do.
        differences = self.differences(x)
        mean = differences.mean(dim=0)
        error = mean.square().sum(dim=1)
        variance = squared_error(differences, mean).sum(dim=2).mean(dim=0)
        return torch.stack([error, variance], dim=1).reshape(len(x), -1, 2)

    def score(self, x: Tensor) -> Tensor:
        """Add error and variance, each in units of held-out normal samples.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples, n_patches)
            Of each patch; zero on average for held-out samples.
        """
        centred = self.disagreement(x) - self.usual[:, 0]
        return (centred / self.usual[:, 1]).sum(dim=2)


class StudentTeacherModule(DetectorModule):
    """A classroom for each size of patch.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of a sample.
    views : sequence of (int or None, int or None)
        Size and stride of the patches of each classroom. (None, None) looks at samples
        as they are.
    **classroom : dict
        As for `Classroom`.
    """

    classrooms: "Sequence[Classroom]"
    centre: Tensor

    def __init__(self, input_shape, views, **classroom):
        super().__init__()
        self.classrooms = nn.ModuleList(  # type: ignore[assignment] # typed by its items
            Classroom(input_shape, size, stride, **classroom) for size, stride in views
        )
        # The ordinary sample to which rows are compared in the map.
        self.register_buffer("centre", torch.zeros(input_shape))

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error of all students in all classrooms.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Yields
        ------
        loss : Tensor of shape ()
            Summed over outputs, students and classrooms, mean over samples and patches.
        """
        yield self.validation_loss(x).mean()

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the loss of each sample.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        loss : Tensor of shape (n_samples,)
            As in `losses`.
        """
        losses = [
            room.differences(x).square().sum(dim=(0, 2)).reshape(len(x), -1).mean(dim=1)
            for room in self.classrooms
        ]
        return torch.stack(losses).sum(dim=0)

    def see(self, x: Tensor) -> Tensor:
        """Return what all classrooms look at, side by side.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        seen : Tensor of shape (n_samples, total of n_patches * n_seen)
            Patch by patch, classroom by classroom.
        """
        return torch.cat(
            [room.see(x).reshape(len(x), -1) for room in self.classrooms], dim=1
        )

    def contrasts(self, x: Tensor) -> Tensor:
        """Return the contrast of the patches of each sample, before it is changed.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        contrasts : Tensor of shape (n_samples, n_classrooms)
            Mean over patches of the standard deviation of their pixels; ones for rows.
        """
        return torch.stack(
            [
                room.patches(x).std(dim=2, correction=0).mean(dim=1)
                if room.patches
                else x.new_ones(len(x))
                for room in self.classrooms
            ],
            dim=1,
        )

    def surprises(self, x: Tensor) -> Tensor:
        """Return the teachers' answers less the means that are set.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        surprises : Tensor of shape (n_samples, n_classrooms, latent_size)
            Means over patches.
        """
        return torch.stack([r.surprises(x).mean(dim=1) for r in self.classrooms], dim=1)

    def squared_surprises(self, x: Tensor) -> Tensor:
        """Return the squares of the teachers' answers less the means that are set.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        squared_surprises : Tensor of shape (n_samples, n_classrooms, latent_size)
            Means over patches.
        """
        return torch.stack(
            [r.surprises(x).square().mean(dim=1) for r in self.classrooms], dim=1
        )

    def moments(self, x: Tensor) -> Tensor:
        """Return first and second moments of error and variance over the patches.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        moments : Tensor of shape (n_samples, n_classrooms, 2, 2)
            Of each classroom: means and means of squares; of error and variance.
        """
        found = [room.disagreement(x) for room in self.classrooms]
        return torch.stack(
            [
                torch.stack([each.mean(dim=1), each.square().mean(dim=1)], dim=1)
                for each in found
            ],
            dim=1,
        )

    def score(self, x: Tensor) -> Tensor:
        """Return the mean score of the patches, and its mean over the classrooms.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        score : Tensor of shape (n_samples,)
            Zero on average for held-out samples.
        """
        scores = [room.score(x).mean(dim=1) for room in self.classrooms]
        return torch.stack(scores).mean(dim=0)

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Say where a sample is abnormal: by its patches, or by gradients for a row.

        Parameters
        ----------
        x : Tensor of shape (n_samples, ...)
            A batch.

        Returns
        -------
        anomaly_map : Tensor of the shape of x
            A pixel has the mean score of the patches that hold it, then the mean over
            classrooms. The features of a row share its score, less that of the
            training samples' mean.
        """
        if x.ndim == 2:
            return integrated_gradients(self.score, x, self.centre)
        maps = [
            room.patches.spread(room.score(x))
            for room in self.classrooms
            if room.patches
        ]
        return torch.stack(maps).mean(dim=0)


@parameters
class StudentTeacher(BaseDetector):
    """Calls outliers what students were not taught by their teacher.

    A frozen teacher says `latent_size` numbers of every sample. Students learn to say
    the same, from normal samples only. Where a sample is unlike these, the students are
    wrong, and each of them is wrong in its own way: the score is the error of their
    mean plus their variance, each in units of held-out normal samples.

    Images and clips are looked at in patches, of several sizes. The scores of the
    patches make the anomaly map.

    Parameters
    ----------
    {shared_parameters}
    n_students : int, default=5
        Number of students, at least 2: of one there is no variance. They train all at
        once, by batched matrix products.
    teacher : {"random", "autoencoder"} or torch.nn.Module, default="random"
        Who teaches. ``"random"``: a network of random weights, which knows nothing and
        forgets nothing. ``"autoencoder"``: the encoder of an `Autoencoder` trained on
        the same samples or patches. A module: whatever it has been trained on; it takes
        rows (n, n_features) or patches (n, channels, height, width), in the units of X,
        and returns (n, d). It is copied and not changed.
    patch_sizes : array-like of int or None, default=None
        Sides of the patches of images and clips, in pixels; each size has a teacher and
        students of its own, and the scores are averaged. Along an axis that is shorter
        a patch is as long as the axis. None takes a quarter and a half of the longest
        side, and all of it.
    stride : int or None, default=None
        Pixels from one patch to the next, when training and when scoring. None takes a
        quarter of the patch.

    Attributes
    ----------
    {shared_attributes}
    n_outputs_ : int
        Outputs of the teachers that the students learn: those that are not constant on
        the training samples.

    See Also
    --------
    Autoencoder : Learns to return samples instead of answers.

    Notes
    -----
    `hidden_sizes` are units of dense networks for images and clips, too, which are
    applied to every patch; None takes (128, 64). `latent_size` is the number of the
    teacher's outputs; None takes 32. Students look
    at each patch with its contrast made normal, beside its brightness, contrast and
    position: what is ordinary at one place may be none at another.

    `validation_fraction` of the samples are always kept from the students: they give
    the means and standard deviations of error and variance. With `early_stopping` they
    say when to stop, too.

    A given teacher is a parameter: it is pickled with the detector.

    References
    ----------
    .. [1] P. Bergmann, M. Fauser, D. Sattlegger, C. Steger, "Uninformed Students:
       Student-Teacher Anomaly Detection with Discriminative Latent Embeddings", CVPR
       2020, :arxiv:`1911.02357`.
    .. [2] Y. Burda, H. Edwards, A. Storkey, O. Klimov, "Exploration by Random Network
       Distillation", ICLR 2019, :arxiv:`1810.12894`.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skanomaly import StudentTeacher
    >>> from skanomaly.datasets import load_breast_cancer
    >>> cancer = load_breast_cancer()
    >>> benign = cancer.data[cancer.target == 1]
    >>> detector = make_pipeline(StandardScaler(), StudentTeacher(random_state=0))
    >>> detector.fit(benign).predict([benign.mean(axis=0), 3 * benign.max(axis=0)])
    array([ 1, -1])
    """

    n_students: int = 5
    teacher: "str | nn.Module" = "random"
    patch_sizes: "list[int] | None" = None
    stride: int | None = None

    _always_holds_out = True

    _parameter_constraints = BaseDetector._parameter_constraints | {
        "n_students": [Interval(Integral, 2, None, closed="left")],
        "teacher": [StrOptions(set(TEACHERS)), nn.Module],
        "patch_sizes": ["array-like", None],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
    }

    def _resolve_hidden_sizes(self, input_shape):
        return super()._resolve_hidden_sizes((math.prod(input_shape),))

    def _resolve_views(self, input_shape):
        """Return size and stride of the patches of each classroom."""
        if len(input_shape) == 1:
            return [(None, None)]
        if self.patch_sizes is None:
            longest = max(input_shape[1:])
            sizes = sorted({max(longest // 4, 1), max(longest // 2, 1), longest})
        else:
            sizes = list(check_sizes("patch_sizes", self.patch_sizes))
        return [(size, self.stride or max(size // 4, 1)) for size in sizes]

    def _make_module(self, input_shape):
        return StudentTeacherModule(
            input_shape,
            self._resolve_views(input_shape),
            teacher=self.teacher,
            hidden_sizes=self._resolve_hidden_sizes(input_shape),
            latent_size=self.latent_size or 32,
            activation=self.activation,
            n_students=self.n_students,
        )

    def _train(self, net, X):
        lessons, exam = self._hold_out(net, X)
        if not self.history_:
            self._prepare(net, lessons)
        super()._train(net, X)
        self._measure_the_usual(net, exam)

    def _hold_out(self, net, X):
        """Return the samples that the students see, and those that they don't."""
        n_samples = X.shape[0]
        n_held_out = math.ceil(self.validation_fraction * n_samples)
        if n_held_out >= n_samples:
            raise ValueError(
                f"validation_fraction={self.validation_fraction:g} of {n_samples} "
                f"samples is {n_held_out}, which leaves none to the students. Lower it "
                "or give more samples."
            )
        lessons, exam = net.get_split_datasets(X)
        if exam is None:
            raise ValueError(
                "StudentTeacher needs held-out samples, but net_params['train_split'] "
                "holds out none."
            )
        return X[lessons.indices], X[exam.indices]

    def _prepare(self, net, X):
        """Train the teacher, if it is to be trained, and standardise its answers."""
        rooms = net.module_.classrooms
        for room, contrast in zip(rooms, _means(net, "contrasts", X), strict=True):
            room.contrast.fill_(float(contrast) or 1.0)
        if self.teacher == "autoencoder":
            self._train_teachers(net, X)
        centre = _means(net, "unchanged", X)
        net.module_.centre.copy_(torch.from_numpy(centre))
        for room, mean in zip(rooms, _means(net, "surprises", X), strict=True):
            room.mean.copy_(torch.from_numpy(mean))
        stds = np.sqrt(_means(net, "squared_surprises", X))
        for room, std in zip(rooms, stds, strict=True):
            is_constant = std < _CONSTANT
            if is_constant.all():
                if room.is_given:
                    raise ValueError(
                        f"The teacher gives the same {len(std)} numbers for all "
                        f"{X.shape[0]} training samples: students can't learn anything "
                        "from it. Give one whose outputs vary, or scale the features "
                        "to what it was trained on."
                    )
                is_constant[:] = False  # of the data, which are all there is to learn
            room.std.copy_(torch.from_numpy(np.where(std < _CONSTANT, 1.0, std)))
            room.is_taught.copy_(torch.from_numpy(~is_constant))
        self.n_outputs_ = int(sum(room.is_taught.sum() for room in rooms))

    def _train_teachers(self, net, X):
        """Take the encoder of an autoencoder of what each classroom looks at."""
        rooms = net.module_.classrooms
        n_patches = [room.patches.n_patches if room.patches else 1 for room in rooms]
        n_samples = max(_MANY_PATCHES // max(n_patches), 2)
        seen = net.evaluate("see", X[:n_samples]).astype(np.float32)
        widths = [room.teacher[0].in_features for room in rooms]
        ends = np.cumsum(np.multiply(widths, n_patches))
        parts = np.split(seen, ends[:-1], axis=1)
        for room, n, part in zip(rooms, n_patches, parts, strict=True):
            autoencoder = Autoencoder(
                hidden_sizes=self._resolve_hidden_sizes(self.input_shape_),
                latent_size=room.mean.numel(),
                activation=self.activation,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                device=net.device,
                random_state=net.seed,
                verbose=self.verbose,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                autoencoder.fit(part.reshape(len(part) * n, -1))
            if autoencoder.net_.interrupted_:
                raise KeyboardInterrupt
            learned = autoencoder.net_.module_.encoder.state_dict()
            room.teacher.load_state_dict(learned)

    def _measure_the_usual(self, net, X):
        """Measure error and variance on samples that the students have not seen."""
        moments = _means(net, "moments", X)  # of shape (n_classrooms, 2, 2)
        for room, (mean, square) in zip(net.module_.classrooms, moments, strict=True):
            std = np.sqrt(np.maximum(square - mean**2, 0.0))
            # All the same, as for one sample or constant data: no unit but the mean.
            std = np.where(std > _CONSTANT * mean, std, np.where(mean > 0, mean, 1.0))
            room.usual.copy_(torch.from_numpy(np.stack([mean, std], axis=1)))


def _means(net, method, X):
    """Return the mean over samples of what a method of the module says of them."""
    return net.evaluate(method, X).mean(axis=0)


def _length_of_answers(teacher, seen_shape):
    """Return how many numbers a given teacher says, or say what is wrong with it."""
    try:
        with torch.no_grad():
            answers = teacher.eval()(torch.zeros(2, *seen_shape))
    except Exception as error:
        raise ValueError(
            f"The teacher can't take samples of shape {tuple(seen_shape)}: {error}"
        ) from error
    shape = tuple(answers.shape) if isinstance(answers, Tensor) else type(answers)
    if not isinstance(answers, Tensor) or answers.ndim != 2 or len(answers) != 2:
        raise ValueError(
            "The teacher must return a tensor of shape (n_samples, n_outputs). For 2 "
            f"samples of shape {tuple(seen_shape)} it returned {shape}. Add pooling "
            "and torch.nn.Flatten() after feature maps."
        )
    return answers.shape[1]
