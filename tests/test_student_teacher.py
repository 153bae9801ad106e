"""Students and teachers: by values worked out by hand, and what a user meets."""

import pickle

import numpy as np
import pytest
import torch
from helpers import SAMPLE_SHAPES, make_outliers, make_samples
from sklearn.metrics import roc_auc_score
from torch import nn

from skanomaly import StudentTeacher
from skanomaly.detectors.student_teacher import StudentTeacherModule
from skanomaly.nn.ensemble import StackedLinear, make_stacked_encoder
from skanomaly.nn.functional import integrated_gradients
from skanomaly.nn.patches import Patches

QUICK = {"max_epochs": 5, "batch_size": 32, "random_state": 0}
CLASSROOM = {
    "teacher": "random",
    "hidden_sizes": (8,),
    "latent_size": 3,
    "activation": "relu",
    "n_students": 4,
}


def make_module(shape=(5,), views=((None, None),), **settings):
    torch.manual_seed(0)
    return StudentTeacherModule(shape, views, **CLASSROOM | settings)


# -- layers ----------------------------------------------------------------------------


def test_stacked_members_answer_as_they_would_alone():
    torch.manual_seed(0)
    stacked = make_stacked_encoder(3, (4, 6, 2), "tanh")
    x = torch.randn(7, 4)
    answers = stacked(x)
    assert answers.shape == (3, 7, 2)
    for m, answer in enumerate(answers):
        first, _, last = stacked
        hidden = torch.tanh(x @ first.weight[m] + first.bias[m])
        torch.testing.assert_close(answer, hidden @ last.weight[m] + last.bias[m])
    assert not torch.allclose(answers[0], answers[1])


def test_stacked_members_learn_as_they_would_alone():
    """The gradient of the sum of losses is each member's own."""
    torch.manual_seed(0)
    stacked, x, target = StackedLinear(2, 3, 2), torch.randn(5, 3), torch.randn(5, 2)
    (stacked(x) - target).square().sum().backward()
    for m in range(2):
        alone = nn.Linear(3, 2)
        alone.weight.data, alone.bias.data = stacked.weight[m].T, stacked.bias[m, 0]
        (alone(x) - target).square().sum().backward()
        torch.testing.assert_close(stacked.weight.grad[m].T, alone.weight.grad)


def test_patches_by_hand():
    x = torch.arange(12.0).reshape(1, 1, 3, 4)
    patches = Patches((1, 3, 4), size=2, stride=2)
    assert patches.patch_shape == (1, 2, 2)
    expected = [[0, 1, 4, 5], [2, 3, 6, 7], [4, 5, 8, 9], [6, 7, 10, 11]]
    assert patches(x)[0].tolist() == expected
    assert patches.position.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    spread = patches.spread(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    rows = [[1, 1, 2, 2], [2, 2, 3, 3], [3, 3, 4, 4]]  # the middle row is in two
    assert spread[0, 0].tolist() == rows


@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 3, 6, 5), (3, 1, 9)], ids=str)
@pytest.mark.parametrize("size", [1, 3, 20])
@pytest.mark.parametrize("stride", [1, 2, 30])
def test_patches_cover_every_pixel(shape, size, stride):
    patches = Patches(shape, size, stride)
    assert patches.n_covering.min() >= 1
    x = torch.randn(4, *shape)
    assert patches(x).shape == (4, patches.n_patches, np.prod(patches.patch_shape))
    flat = patches.spread(torch.ones(4, patches.n_patches))
    torch.testing.assert_close(flat, torch.ones_like(x))


def test_integrated_gradients_add_up():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1), nn.Flatten(0))
    x, baseline = torch.randn(6, 4), torch.randn(4)
    with torch.no_grad():
        parts = integrated_gradients(network, x, baseline, n_steps=200)
        total = network(x) - network(baseline[None])
    torch.testing.assert_close(parts.sum(1), total, atol=1e-4, rtol=1e-4)


# -- the module ------------------------------------------------------------------------


class OneAndThree(nn.Module):
    """Two students who always say the same."""

    def forward(self, seen):
        return torch.tensor([1.0, 3.0])[:, None, None].expand(2, len(seen), 1)


def test_error_and_variance_by_hand():
    """Students say 1 and 3 where the teacher, standardised, says 0."""
    module = make_module(n_students=2, latent_size=1)
    (room,) = module.classrooms
    room.students = OneAndThree()
    room.mean.copy_(room.teacher(torch.zeros(1, 5))[0])
    x = torch.zeros(3, 5)
    error, variance = room.disagreement(x)[0, 0].tolist()
    assert error == pytest.approx(2.0**2)
    assert variance == pytest.approx((1 + 9) / 2 - 2.0**2)
    room.usual.copy_(torch.tensor([[1.0, 2.0], [0.5, 0.25]]))
    expected = (4 - 1) / 2 + (1 - 0.5) / 0.25
    assert module.score(x).tolist() == pytest.approx([expected] * 3)
    (loss,) = module.losses(x)
    assert float(loss) == pytest.approx(1 + 9)


def test_constant_outputs_are_left_out():
    module = make_module(latent_size=3)
    (room,) = module.classrooms
    x = torch.randn(6, 5)
    room.is_taught.copy_(torch.tensor([1.0, 0.0, 1.0]))
    before = module.score(x)
    room.teacher[-1].bias.data[1] += 100
    torch.testing.assert_close(module.score(x), before)


@pytest.mark.parametrize("kind", ["images", "clips"])
def test_map_is_the_mean_score_of_the_patches_that_hold_a_pixel(kind):
    shape = SAMPLE_SHAPES[kind]
    module = make_module(shape, [(3, 1), (20, 1)])
    x = torch.randn(2, *shape)
    small, whole = module.classrooms
    assert whole.score(x).shape == (2, 1)
    expected = (
        small.patches.spread(small.score(x))
        + whole.score(x).reshape(2, *(1 for _ in shape))
    ) / 2
    torch.testing.assert_close(module.anomaly_map(x), expected)
    scores = (small.score(x).mean(1) + whole.score(x)[:, 0]) / 2
    torch.testing.assert_close(module.score(x), scores)


def test_patches_are_seen_at_normal_contrast():
    module = make_module((1, 6, 6), [(6, 1)])
    (room,) = module.classrooms
    x = torch.randn(3, 1, 6, 6)
    once, brighter = room.see(x), room.see(x + 5)
    torch.testing.assert_close(once[:, :36], brighter[:, :36], atol=1e-4, rtol=1e-4)
    assert (brighter[:, 36] - once[:, 36]).tolist() == pytest.approx([5] * 3, rel=1e-4)


# -- the estimator ---------------------------------------------------------------------


class Pool(nn.Module):
    """A teacher of one's own, of any samples; with layers that know training modes."""

    def __init__(self, n_values, n_outputs=4):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(), nn.Linear(n_values, n_outputs), nn.BatchNorm1d(n_outputs)
        )

    def forward(self, x):
        return self.layers(x).tanh()


@pytest.mark.parametrize("kind", SAMPLE_SHAPES)
@pytest.mark.parametrize("teacher", ["random", "autoencoder", "own"])
def test_all_teachers_detect_travel_and_stay_frozen(kind, teacher):
    X = make_samples(kind)
    settings = QUICK | {"max_epochs": 30}
    if kind != "rows":
        settings |= {"patch_sizes": (4,), "stride": 2}
    if teacher == "own":
        torch.manual_seed(0)
        patch = {"rows": 6, "images": 16, "clips": 2 * 4 * 16}[kind]
        teacher = Pool(patch, 16)
        before = {name: w.clone() for name, w in teacher.state_dict().items()}
    detector = StudentTeacher(**settings, teacher=teacher).fit(X)
    samples = np.concatenate([make_samples(kind, seed=2), make_outliers(kind)])
    scores = detector.score_samples(samples)
    assert roc_auc_score([1] * 100 + [0] * 50, scores) > 0.9
    shipped = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(shipped.score_samples(samples), scores)
    teachers = [room.teacher for room in detector.net_.module_.classrooms]
    assert not any(p.requires_grad for each in teachers for p in each.parameters())
    if isinstance(teacher, nn.Module):
        assert teacher.training
        assert all(p.requires_grad for p in teacher.parameters())
        for name, weights in teachers[0].state_dict().items():
            assert torch.equal(weights, before[name])
            assert torch.equal(teacher.state_dict()[name], before[name])


def test_teacher_does_not_move_while_students_learn():
    X = make_samples()
    short = StudentTeacher(**QUICK | {"max_epochs": 1}).fit(X)
    long = StudentTeacher(**QUICK | {"max_epochs": 20}).fit(X)
    one, other = (d.net_.module_.classrooms[0] for d in (short, long))
    for name, weights in one.teacher.state_dict().items():
        assert torch.equal(weights, other.teacher.state_dict()[name])
    assert not torch.equal(one.students[0].weight, other.students[0].weight)
    assert not torch.equal(one.students[0].weight[0], one.students[0].weight[1])


def test_statistics_are_of_rows_that_students_have_not_seen():
    X = make_samples(n_samples=200)
    detector = StudentTeacher(**QUICK, validation_fraction=0.25).fit(X)
    net = detector.net_
    lessons, exam = net.get_split_datasets(X)
    assert len(exam) == 50
    assert not set(lessons.indices) & set(exam.indices)
    assert detector.score_samples(X[exam.indices]).mean() == pytest.approx(0, abs=1e-5)
    (room,) = net.module_.classrooms
    found = room.disagreement(torch.from_numpy(X[exam.indices]))[:, 0]
    usual = torch.stack([found.mean(0), found.std(0, correction=0)], dim=1)
    torch.testing.assert_close(room.usual, usual.detach(), rtol=1e-3, atol=1e-4)
    answers = room.teacher(torch.from_numpy(X[lessons.indices]))
    torch.testing.assert_close(room.mean, answers.mean(0), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        room.std, answers.std(0, correction=0), rtol=1e-3, atol=1e-4
    )


def test_constant_outputs_of_a_teacher_are_dropped():
    class Half(nn.Module):
        def forward(self, x):
            return torch.cat([x.sin(), torch.ones_like(x)], dim=1)

    X = make_samples()
    detector = StudentTeacher(**QUICK, teacher=Half()).fit(X)
    assert detector.n_outputs_ == X.shape[1]
    assert StudentTeacher(**QUICK, latent_size=9).fit(X).n_outputs_ == 9


class Constant(nn.Module):
    """A teacher that has nothing to say."""

    def forward(self, x):
        return torch.ones(len(x), 3)


BAD = {
    "one student": ({"n_students": 1}, "n_students"),
    "feature maps": ({"teacher": nn.Identity(), "patch_sizes": (4,)}, "shape"),
    "wrong width": ({"teacher": nn.Linear(5, 2)}, "can't take samples of shape"),
    "no tensor": ({"teacher": nn.LSTM(6, 2)}, "must return a tensor"),
    "constant teacher": ({"teacher": Constant()}, "gives the same 3 numbers"),
    "nothing left": ({"validation_fraction": 0.995}, "leaves none to the students"),
    "no split": ({"net_params": {"train_split": None}}, "holds out none"),
    "unknown teacher": ({"teacher": "oracle"}, "teacher"),
    "stride of zero": ({"stride": 0}, "stride"),
}


@pytest.mark.parametrize(("parameters", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_training(parameters, message):
    X = make_samples("images" if "patch_sizes" in parameters else "rows")
    detector = StudentTeacher(**QUICK | parameters)
    with pytest.raises(ValueError, match=message):
        detector.fit(X)
    assert not hasattr(detector, "net_")


def test_patches_of_no_size_are_refused():
    for sizes in ((0,), (4.5,)):
        with pytest.raises(ValueError, match="patch_sizes must hold whole numbers"):
            StudentTeacher(**QUICK, patch_sizes=sizes).fit(make_samples("images"))


def test_warm_start_keeps_what_the_teacher_was_measured_by():
    X = make_samples()
    detector = StudentTeacher(**QUICK, warm_start=True).fit(X)
    (room,) = detector.net_.module_.classrooms
    mean = room.mean.clone()
    detector.fit(X + 1)
    assert torch.equal(room.mean, mean)
