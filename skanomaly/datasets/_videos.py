"""Surveillance videos: CUHK Avenue and ShanghaiTech Campus."""

import os
from numbers import Integral
from typing import Any

import numpy as np
from scipy.io import loadmat
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval

from skanomaly._decorators import validate_params

from ._folders import Reader, as_floats, check_complete, find_folder, list_files

_AVENUE_HINT = (
    "Unpack Avenue_Dataset.zip and ground_truth_demo.zip of "
    "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html into one "
    "folder, which then holds 'training_videos/01.avi', 'testing_videos/01.avi' and "
    "'ground_truth_demo/testing_label_mask/1_label.mat'."
)
_SHANGHAITECH_HINT = (
    "Unpack shanghaitech.tar.gz of https://svip-lab.github.io/dataset/campus_dataset."
    "html: it holds 'training/videos/01_001.avi', 'testing/frames/01_0014/000.jpg', "
    "'testing/test_frame_mask/01_0014.npy' and 'testing/test_pixel_mask/01_0014.npy'."
)
# Numbers of training and test videos, as published.
_N_AVENUE = (16, 21)
_N_SHANGHAITECH = (330, 107)
_OPTIONS = {
    "size": ["array-like"],
    "gray": ["boolean"],
    "step": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(_OPTIONS, prefer_skip_nested_validation=True)
def load_avenue(
    path: str | os.PathLike | None = None,
    *,
    size: Any = (72, 128),
    gray: bool = True,
    step: int = 1,
) -> Bunch:
    """Load the CUHK Avenue videos from a local folder.

    The folder is as it is published: ``training_videos/01.avi`` to ``16.avi``,
    ``testing_videos/01.avi`` to ``21.avi``, and, from an archive of its own,
    ``ground_truth_demo/testing_label_mask/1_label.mat`` to ``21_label.mat``.

    Parameters
    ----------
    path : str, path-like or None, default=None
        The folder; None is ``avenue`` in the folder named by ``SKANOMALY_DATA``.
    size : (int, int), default=(72, 128)
        Height and width that the frames are resized to while they are read: by linear
        interpolation, and the masks by the nearest pixel.
    gray : bool, default=True
        Whether the frames have one channel, else three.
    step : int, default=1
        Keep every `step`-th frame of each video. Published figures are of all frames.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (n_train, channels, height, width), float32 in
          [0, 1]; normal frames in temporal order.
        - ``video_train``: ndarray of shape (n_train,) of str, the video of each frame,
          such as ``"01"``.
        - ``X_test``, ``video_test``: likewise.
        - ``y_test``: ndarray of shape (n_test,), 1 for normal frames, -1 for frames
          with an abnormal pixel.
        - ``masks_test``: ndarray of shape (n_test, height, width), dtype bool, True for
          abnormal pixels.

    Raises
    ------
    FileNotFoundError
        If a folder, a video or its masks are missing; the message names them.
    ValueError
        If a file can't be read, if a video has frames of another size than the others
        or one frame only, or if its masks don't fit it.
    ImportError
        If OpenCV or Pillow is missing.

    See Also
    --------
    skanomaly.video.frame_scores : Scores of the frames.

    Notes
    -----
    All frames at the default size take about 1.1 GB.

    References
    ----------
    .. [1] C. Lu, J. Shi, J. Jia, "Abnormal Event Detection at 150 FPS in MATLAB", ICCV
       2013.

    Examples
    --------
    >>> from skanomaly.datasets import load_avenue
    >>> avenue = load_avenue(step=5)  # doctest: +SKIP
    >>> avenue.X_train.shape[1:], len(set(avenue.video_test))  # doctest: +SKIP
    ((1, 72, 128), 21)
    """
    root = find_folder("avenue", path, _AVENUE_HINT)
    n_train, n_test = _N_AVENUE
    train = _list_numbered(root / "training_videos", "{:02}.avi", n_train)
    test = _list_numbered(root / "testing_videos", "{:02}.avi", n_test)
    masks = root / "ground_truth_demo" / "testing_label_mask"
    truths = map(_read_mat, _list_numbered(masks, "{}_label.mat", n_test))
    videos = _VideoReader(Reader("load_avenue", size, gray), step)
    return videos.read(train, test, truths)


@validate_params(
    _OPTIONS | {"scene": [Interval(Integral, 1, 13, closed="both"), None]},
    prefer_skip_nested_validation=True,
)
def load_shanghaitech(
    path: str | os.PathLike | None = None,
    *,
    scene: int | None = None,
    size: Any = (72, 128),
    gray: bool = True,
    step: int = 1,
) -> Bunch:
    """Load the ShanghaiTech Campus videos from a local folder.

    The folder is as it is published: ``training/videos/01_001.avi``,
    ``testing/frames/01_0014/000.jpg``, ``testing/test_frame_mask/01_0014.npy`` and
    ``testing/test_pixel_mask/01_0014.npy``; the first two digits are the scene.

    Parameters
    ----------
    path : str, path-like or None, default=None
        The folder; None is ``shanghaitech`` in the folder named by ``SKANOMALY_DATA``.
    scene : int or None, default=None
        Read one scene of the 13 only; None reads all.
    size : (int, int), default=(72, 128)
        Height and width that the frames are resized to while they are read: by linear
        interpolation, and the masks by the nearest pixel.
    gray : bool, default=True
        Whether the frames have one channel, else three.
    step : int, default=1
        Keep every `step`-th frame of each video. Published figures are of all frames.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (n_train, channels, height, width), float32 in
          [0, 1]; normal frames in temporal order.
        - ``video_train``: ndarray of shape (n_train,) of str, the video of each frame,
          such as ``"01_001"``.
        - ``X_test``, ``video_test``: likewise.
        - ``y_test``: ndarray of shape (n_test,), 1 for normal frames, -1 for abnormal
          ones.
        - ``masks_test``: ndarray of shape (n_test, height, width), dtype bool, True for
          abnormal pixels.

    Raises
    ------
    FileNotFoundError
        If a folder, a video or its masks are missing; the message names them.
    ValueError
        If a file can't be read, if a video has frames of another size than the others
        or one frame only, or if its masks don't fit it.
    ImportError
        If OpenCV or Pillow is missing.

    See Also
    --------
    skanomaly.video.frame_scores : Scores of the frames.

    Notes
    -----
    All frames at the default size take about 12 GB: take one `scene`, or a `step`.

    References
    ----------
    .. [1] W. Luo, W. Liu, S. Gao, "A Revisit of Sparse Coding Based Anomaly Detection
       in Stacked RNN Framework", ICCV 2017.

    Examples
    --------
    >>> from skanomaly.datasets import load_shanghaitech
    >>> scene = load_shanghaitech(scene=1, step=5)  # doctest: +SKIP
    >>> scene.X_train.shape[1:]  # doctest: +SKIP
    (1, 72, 128)
    """
    root = find_folder("shanghaitech", path, _SHANGHAITECH_HINT)
    name = "*" if scene is None else f"{scene:02}_*"
    train = list_files(root / "training" / "videos", f"{name}.avi", _SHANGHAITECH_HINT)
    frames, frame_masks, pixel_masks = (
        list_files(root / "testing" / folder, pattern, _SHANGHAITECH_HINT)
        for folder, pattern in (
            ("frames", name),
            ("test_frame_mask", f"{name}.npy"),
            ("test_pixel_mask", f"{name}.npy"),
        )
    )
    stems = {file.stem for file in (*frames, *frame_masks, *pixel_masks)}
    for files in (frames, frame_masks, pixel_masks):
        found = {file.stem for file in files}
        check_complete(files[0].parent, found, stems, _SHANGHAITECH_HINT)
    if scene is None:
        for files, n in zip((train, frames), _N_SHANGHAITECH, strict=True):
            _check_number(files, n)
    truths = map(_read_npy, frame_masks, pixel_masks)
    videos = _VideoReader(Reader("load_shanghaitech", size, gray), step)
    return videos.read(train, frames, truths)


class _VideoReader:
    """Read every n-th frame of videos of one size, and what is true of them."""

    def __init__(self, reader, step):
        self.reader = reader
        self.step = step
        self.frame_size: Any = None

    def read(self, train, test, truths):
        """Read the training videos, and the test videos with labels and masks."""
        pixels, names = [], []
        for file in train:
            kept, _ = self._read_frames(file)
            pixels += kept
            names += [file.stem] * len(kept)
        data = Bunch(X_train=as_floats(pixels), video_train=np.array(names))
        pixels, names, labels, masks = [], [], [], []
        for file, (source, is_abnormal, of_video) in zip(test, truths, strict=True):
            kept, n_frames = self._read_frames(file)
            self._check_truth(file, n_frames, source, is_abnormal, of_video)
            pixels += kept
            names += [file.stem] * len(kept)
            labels += [is_abnormal[:: self.step]]
            masks += [self.reader.resize_mask(mask) for mask in of_video[:: self.step]]
        return Bunch(
            **data,
            X_test=as_floats(pixels),
            video_test=np.array(names),
            y_test=np.where(np.concatenate(labels), -1, 1),
            masks_test=np.stack(masks),
        )

    def _read_frames(self, file):
        """Return the resized frames that are kept, and how many there are in all."""
        kept, n_frames = [], 0
        for n_frames, image in enumerate(self._frames_of(file), 1):
            self.frame_size = self.frame_size or image.size
            if image.size != self.frame_size:
                raise ValueError(
                    f"The frames of {file} have {_shape(image.size)} pixels, those "
                    f"before {_shape(self.frame_size)}; all videos of the data set are "
                    "of one size."
                )
            if (n_frames - 1) % self.step == 0:
                kept.append(self.reader.resize(image))
        if n_frames < 2:
            raise ValueError(
                f"{file} has {n_frames} readable frames, and a video has two at least: "
                "is it copied by half?"
            )
        return kept, n_frames

    def _frames_of(self, file):
        """Yield the frames of a video, or of a folder with a file for each."""
        if not file.is_dir():
            yield from self.reader.read_frames(file)
            return
        for each in list_files(file, "*.jpg", _SHANGHAITECH_HINT):
            yield self.reader.read_image(each)

    def _check_truth(self, file, n_frames, source, is_abnormal, masks):
        """Refuse labels or masks of another length or size than the video."""
        if not len(is_abnormal) == len(masks) == n_frames:
            raise ValueError(
                f"{file} has {n_frames} frames, but {source} has labels of "
                f"{len(is_abnormal)} and masks of {len(masks)}: is one of them copied "
                "by half?"
            )
        for mask in masks:
            if mask.shape != self.frame_size[::-1]:
                raise ValueError(
                    f"The masks of {source} are of shape {mask.shape}, and the frames "
                    f"of {file} have {_shape(self.frame_size)} pixels; they must be of "
                    "one size."
                )


def _shape(size):
    """Write the size of an image of Pillow as height x width."""
    return f"{size[1]} x {size[0]}"


def _list_numbered(folder, pattern, n):
    """Return files numbered from one, all of which must be there."""
    files = [folder / pattern.format(number) for number in range(1, n + 1)]
    found = list_files(folder, f"*{files[0].suffix}", _AVENUE_HINT)
    names = [file.name for file in files]
    check_complete(folder, [file.name for file in found], names, _AVENUE_HINT)
    return files


def _check_number(files, n):
    """Refuse more or fewer videos than were published."""
    if len(files) != n:
        raise ValueError(
            f"{files[0].parent} holds {len(files)} videos; {n} were published. Is it "
            f"copied by half? {_SHANGHAITECH_HINT}"
        )


def _read_mat(file):
    """Read the masks of a video of Avenue: a cell array of frames."""
    try:
        masks = loadmat(file, variable_names=["volLabel"])["volLabel"].ravel()
    except Exception as error:  # a damaged file fails in many ways
        raise ValueError(
            f"{file} is no readable MAT file with the masks 'volLabel' "
            f"({type(error).__name__}: {error}): is it copied by half?"
        ) from error
    return file, np.array([mask.any() for mask in masks], dtype=bool), masks


def _read_npy(frame_mask_file, pixel_mask_file):
    """Read labels and masks of a video of ShanghaiTech."""
    arrays = []
    for file in (frame_mask_file, pixel_mask_file):
        try:
            arrays.append(np.load(file, mmap_mode="r"))
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(
                f"{file} is no readable array ({error}): is it copied by half?"
            ) from error
    is_abnormal, masks = arrays
    return pixel_mask_file, is_abnormal.ravel() != 0, masks
