"""StudentTeacher, by values worked out by hand; and its teachers and phases."""

import pickle

import numpy as np
import pytest
import torch
from helpers import QUICK, SAMPLE_SHAPES, make_samples, weights_of
from modules import fit_and_watch, make_module
from torch import nn

from skanomaly import StudentTeacher
from skanomaly.detectors.student_teacher import StudentTeacherModule
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
