"""Loaders of data sets in folders, on tiny ones in the published layout."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from skanomaly.datasets import (
    _videos,
    load_avenue,
    load_mvtec_ad,
    load_shanghaitech,
)

cv2 = pytest.importorskip("cv2")

HEIGHT, WIDTH, N_FRAMES = 16, 32, 6


def save_image(file, value, shape=(HEIGHT, WIDTH)):
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(shape, value, dtype=np.uint8)).save(file)


def make_masks(n_frames=N_FRAMES, shape=(HEIGHT, WIDTH)):
    """The right half of the last two frames is abnormal."""
    masks = np.zeros((n_frames, *shape), dtype=np.uint8)
    masks[-2:, :, shape[1] // 2 :] = 1
    return masks


def save_video(file, value, n_frames=N_FRAMES, shape=(HEIGHT, WIDTH)):
    """Write frames of one value each: it rises by ten from frame to frame."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fourcc = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(file), fourcc, 25, shape[::-1])
    for n in range(n_frames):
        writer.write(np.full((*shape, 3), value + 10 * n, dtype=np.uint8))
    writer.release()


# -- MVTec AD --------------------------------------------------------------------------


@pytest.fixture
def mvtec(tmp_path):
    folder = tmp_path / "mvtec_ad" / "bottle"
    for n in range(3):
        save_image(folder / f"train/good/{n:03}.png", 51 * n)
    save_image(folder / "test/good/000.png", 255)
    for n in range(2):
        save_image(folder / f"test/crack/{n:03}.png", [[0] * 16 + [204] * 16] * HEIGHT)
        mask = 255 * make_masks(1)[0]
        save_image(folder / f"ground_truth/crack/{n:03}_mask.png", mask)
    return tmp_path / "mvtec_ad"


def test_mvtec_ad(mvtec, monkeypatch):
    data = load_mvtec_ad("bottle", mvtec, size=(8, 16))
    assert data.X_train.shape == (3, 3, 8, 16)
    assert data.X_train.dtype == np.float32
    np.testing.assert_allclose(data.X_train[:, 1, 2, 3], [0, 0.2, 0.4], rtol=1e-6)
    assert data.kind_test.tolist() == ["crack", "crack", "good"]
    assert data.y_test.tolist() == [-1, -1, 1]
    assert data.X_test[2].min() == 1
    assert data.masks_test.shape == (3, 8, 16)
    assert data.masks_test.dtype == bool
    # Images and masks are resized alike: what is bright is abnormal.
    assert np.array_equal(data.masks_test[0], data.X_test[0, 0] > 0.4)
    assert data.masks_test[0, :, 8:].all()
    assert not data.masks_test[2].any()
    assert data.files_test[1].endswith("001.png")
    assert len(data.files_train) == 3
    monkeypatch.setenv("SKANOMALY_DATA", str(mvtec.parent))
    gray = load_mvtec_ad("bottle", size=[16, 32], gray=True)
    assert gray.X_test.shape == (3, 1, 16, 32)
    assert np.array_equal(gray.masks_test[0], make_masks(1)[0])


def test_colors_are_channels(mvtec):
    red = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    red[..., 0] = 255
    Image.fromarray(red).save(mvtec / "bottle" / "train" / "good" / "000.png")
    X = load_mvtec_ad("bottle", mvtec, size=(4, 4)).X_train
    assert X[0].mean(axis=(1, 2)).tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("train/good", r"train.good is missing"),
        ("train/good/*.png", r"train.good holds no \*\.png"),
        ("test/good", r"test.good is missing"),
        ("ground_truth", "ground_truth is missing"),
        ("ground_truth/crack/001_mask.png", r"ground_truth lacks crack/001_mask\.png"),
        ("test/crack/000.png", r"test lacks crack/000\.png"),
    ],
)
def test_half_copied_mvtec_ad(mvtec, missing, named):
    for path in mvtec.glob(f"bottle/{missing}"):
        path.rename(mvtec / path.name)
    with pytest.raises(FileNotFoundError, match=rf"(?s){named}.*www\.mvtec\.com"):
        load_mvtec_ad("bottle", mvtec)


def test_bad_mvtec_ad(mvtec):
    with pytest.raises(FileNotFoundError, match=r"'screw' .* there are \['bottle'\]"):
        load_mvtec_ad("screw", mvtec)
    with pytest.raises(FileNotFoundError, match="There is no folder nowhere"):
        load_mvtec_ad("bottle", "nowhere")
    mask = mvtec / "bottle" / "ground_truth" / "crack" / "000_mask.png"
    save_image(mask, 0, shape=(8, 8))
    with pytest.raises(ValueError, match=r"000_mask.png has 8 x 8 .* 16 x 32"):
        load_mvtec_ad("bottle", mvtec)
    mask.write_bytes(mask.read_bytes()[:45])
    with pytest.raises(ValueError, match=r"000_mask.png is no readable JPEG or PNG"):
        load_mvtec_ad("bottle", mvtec)


@pytest.mark.parametrize("size", [(0, 4), (4,), 4, (4.0, 4.0), "ab", (True, True)])
def test_bad_size(mvtec, size):
    with pytest.raises(ValueError, match="size"):
        load_mvtec_ad("bottle", mvtec, size=size)


def test_no_folder_is_named(monkeypatch):
    monkeypatch.delenv("SKANOMALY_DATA", raising=False)
    for load in (load_avenue, load_shanghaitech):
        with pytest.raises(FileNotFoundError, match=r"SKANOMALY_DATA .* Unpack"):
            load()
    monkeypatch.setenv("SKANOMALY_DATA", "nowhere")
    with pytest.raises(FileNotFoundError, match="avenue of the folder named by"):
        load_avenue()


# -- Avenue ----------------------------------------------------------------------------


@pytest.fixture
def avenue(tmp_path, monkeypatch):
    monkeypatch.setattr(_videos, "_N_AVENUE", (2, 10))
    folder = tmp_path / "avenue"
    for n in (1, 2):
        save_video(folder / f"training_videos/{n:02}.avi", 20 * n)
    masks_folder = folder / "ground_truth_demo" / "testing_label_mask"
    masks_folder.mkdir(parents=True)
    for n in range(1, 11):
        save_video(folder / f"testing_videos/{n:02}.avi", 10 * n)
        save_cells(masks_folder / f"{n}_label.mat", make_masks())
    return folder


def save_cells(file, masks):
    cells = np.empty((1, len(masks)), dtype=object)
    for n, mask in enumerate(masks):
        cells[0, n] = mask
    savemat(file, {"volLabel": cells})


def test_avenue(avenue, monkeypatch):
    data = load_avenue(avenue, size=(8, 16))
    assert data.X_train.shape == (12, 1, 8, 16)
    assert data.video_train.tolist() == ["01"] * 6 + ["02"] * 6
    values = data.X_train[:, 0, 4, 8] * 255
    expected = [20, 30, 40, 50, 60, 70, 40, 50, 60, 70, 80, 90]
    np.testing.assert_allclose(values, expected, atol=4)  # AVI files are lossy
    # Masks are numbered without zeros, and still in the order of the videos.
    assert data.X_test[-1].mean() * 255 == pytest.approx(150, abs=4)
    assert data.video_test.tolist() == [
        f"{n:02}" for n in range(1, 11) for _ in "6" * 6
    ]
    assert data.y_test.tolist() == [1, 1, 1, 1, -1, -1] * 10
    assert data.masks_test.shape == (60, 8, 16)
    assert data.masks_test.dtype == bool
    assert data.masks_test[4, :, 8:].all()
    assert not data.masks_test[4, :, :8].any()
    monkeypatch.setenv("SKANOMALY_DATA", str(avenue.parent))
    every_third = load_avenue(size=(8, 16), step=3, gray=False)
    assert every_third.X_train.shape == (4, 3, 8, 16)
    assert np.array_equal(every_third.y_test, data.y_test[::3])
    assert np.array_equal(every_third.masks_test, data.masks_test[::3])
    assert np.array_equal(every_third.video_test, data.video_test[::3])


def test_order_of_masks_is_that_of_videos(avenue):
    """10_label.mat comes before 2_label.mat in an alphabetical list."""
    folder = avenue / "ground_truth_demo" / "testing_label_mask"
    save_cells(folder / "10_label.mat", 0 * make_masks())
    y = load_avenue(avenue, size=(4, 4)).y_test.reshape(10, 6)
    assert np.flatnonzero((y == 1).all(axis=1)).tolist() == [9]


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("training_videos", "training_videos is missing"),
        ("training_videos/01.avi", r"training_videos lacks 01\.avi; 1 of 2"),
        ("testing_videos/1*.avi", r"testing_videos lacks 10\.avi"),
        ("ground_truth_demo", "testing_label_mask is missing"),
        ("ground_truth_demo/*/7_label.mat", r"testing_label_mask lacks 7_label\.mat"),
    ],
)
def test_half_copied_avenue(avenue, missing, named):
    for path in avenue.glob(missing):
        path.rename(
            avenue
            / path.name.replace("training_videos", "elsewhere").replace(
                "ground_truth_demo", "nowhere"
            )
        )
    with pytest.raises(FileNotFoundError, match=rf"{named}.*www\.cse\.cuhk\.edu\.hk"):
        load_avenue(avenue)


def test_bad_videos(avenue):
    file = avenue / "training_videos" / "02.avi"
    save_video(file, 10, n_frames=1)
    with pytest.raises(ValueError, match=r"02.avi has 1 readable frames"):
        load_avenue(avenue)
    file.write_bytes(b"no video")
    with pytest.raises(ValueError, match=r"02.avi has 0 readable frames.*by half"):
        load_avenue(avenue)
    save_video(file, 10, shape=(32, 32))
    with pytest.raises(ValueError, match=r"02.avi have 32 x 32 .* before 16 x 32"):
        load_avenue(avenue)


def test_bad_masks(avenue):
    file = avenue / "ground_truth_demo" / "testing_label_mask" / "1_label.mat"
    save_cells(file, make_masks(shape=(HEIGHT, WIDTH + 2)))
    with pytest.raises(ValueError, match=r"1_label.mat are of shape \(16, 34\)"):
        load_avenue(avenue)
    save_cells(file, make_masks(n_frames=5))
    with pytest.raises(ValueError, match=r"01.avi has 6 frames, .* masks of 5"):
        load_avenue(avenue)
    savemat(file, {"other": [1]})
    with pytest.raises(ValueError, match=r"1_label.mat is no readable MAT file"):
        load_avenue(avenue)
    file.write_bytes(b"MATLAB 5.0 MAT-file, of which nothing else is there")
    with pytest.raises(ValueError, match=r"1_label.mat is no readable MAT file"):
        load_avenue(avenue)


# -- ShanghaiTech ----------------------------------------------------------------------


@pytest.fixture
def shanghaitech(tmp_path, monkeypatch):
    monkeypatch.setattr(_videos, "_N_SHANGHAITECH", (3, 2))
    folder = tmp_path / "shanghaitech"
    for n, name in enumerate(("01_001", "01_002", "12_001")):
        save_video(folder / f"training/videos/{name}.avi", 20 * n)
    for kind in ("frame", "pixel"):
        (folder / f"testing/test_{kind}_mask").mkdir(parents=True)
    for name in ("01_0014", "12_0142"):
        save_test_video(folder / "testing", name)
    return folder


def save_test_video(folder, name):
    masks = make_masks()
    for n in range(N_FRAMES):
        save_image(folder / f"frames/{name}/{n:03}.jpg", 40 * n)
    np.save(folder / f"test_frame_mask/{name}.npy", masks.any(axis=(1, 2)).astype(int))
    np.save(folder / f"test_pixel_mask/{name}.npy", masks)


def test_shanghaitech(shanghaitech, monkeypatch):
    data = load_shanghaitech(shanghaitech, size=(8, 16))
    assert data.X_train.shape == (18, 1, 8, 16)
    assert data.video_train[::6].tolist() == ["01_001", "01_002", "12_001"]
    assert data.video_test[::6].tolist() == ["01_0014", "12_0142"]
    values = data.X_test[:, 0, 4, 8] * 255
    np.testing.assert_allclose(values, [0, 40, 80, 120, 160, 200] * 2, atol=2)
    assert data.y_test.tolist() == [1, 1, 1, 1, -1, -1] * 2
    assert np.array_equal(data.masks_test.any(axis=(1, 2)), data.y_test == -1)
    assert not data.masks_test[:, :, :8].any()
    monkeypatch.setenv("SKANOMALY_DATA", str(shanghaitech.parent))
    scene = load_shanghaitech(scene=12, size=(8, 16), gray=False, step=2)
    assert scene.X_train.shape == (3, 3, 8, 16)
    assert set(scene.video_test) == {"12_0142"}
    assert scene.y_test.tolist() == [1, 1, -1]


@pytest.mark.parametrize(
    ("missing", "error", "named"),
    [
        ("training/videos", FileNotFoundError, "videos is missing"),
        ("training/videos/01_002.avi", ValueError, "videos holds 2 videos; 3 were"),
        ("testing/frames/01_0014", FileNotFoundError, "frames lacks 01_0014"),
        ("testing/frames/01_0014/*", FileNotFoundError, r"01_0014 holds no \*\.jpg"),
        ("testing/frames/01_0014/003.jpg", ValueError, "01_0014 has 5 frames"),
        ("testing/test_frame_mask/12_*", FileNotFoundError, "mask lacks 12_0142"),
        ("testing/test_pixel_mask/12_*", FileNotFoundError, "mask lacks 12_0142"),
    ],
)
def test_half_copied_shanghaitech(shanghaitech, missing, error, named):
    for path in shanghaitech.glob(missing):
        path.rename(shanghaitech / f"moved_{path.name}")
    with pytest.raises(error, match=named):
        load_shanghaitech(shanghaitech)


def test_bad_shanghaitech(shanghaitech):
    file = shanghaitech / "testing" / "test_pixel_mask" / "01_0014.npy"
    np.save(file, make_masks(shape=(WIDTH, HEIGHT)))
    with pytest.raises(ValueError, match=r"01_0014.npy are of shape \(32, 16\)"):
        load_shanghaitech(shanghaitech)
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"01_0014.npy is no readable array"):
        load_shanghaitech(shanghaitech)
    with pytest.raises(FileNotFoundError, match=r"videos holds no 05_\*\.avi"):
        load_shanghaitech(shanghaitech, scene=5)


@pytest.mark.parametrize(
    ("name", "extra"), [("PIL", r"[images]"), ("cv2", r"[video,images]")]
)
def test_missing_package_names_the_extra(avenue, name, extra):
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "from skanomaly.datasets import _videos, load_avenue\n"
        "_videos._N_AVENUE = (2, 10)\n"
        f"load_avenue({str(avenue)!r})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"pip install 'skanomaly{extra}'" in shown.stderr
