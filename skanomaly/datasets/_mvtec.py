"""MVTec AD: photographs of goods, with and without defects."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skanomaly._decorators import validate_params

from ._folders import Reader, as_floats, check_complete, find_folder, list_files

_HINT = (
    "Unpack mvtec_anomaly_detection.tar.xz of "
    "https://www.mvtec.com/company/research/datasets/mvtec-ad: each category has the "
    "folders 'train/good', 'test/good', 'test/<defect>' and 'ground_truth/<defect>'."
)


@validate_params(
    {
        "category": [str],
        "size": ["array-like"],
        "gray": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_mvtec_ad(
    category: str,
    path: str | os.PathLike | None = None,
    *,
    size: Any = (256, 256),
    gray: bool = False,
) -> Bunch:
    """Load one category of MVTec AD from a local folder.

    The folder is as it is published: ``<category>/train/good/000.png``,
    ``<category>/test/<defect>/000.png``, where ``good`` is one of the defects, and
    ``<category>/ground_truth/<defect>/000_mask.png``.

    Parameters
    ----------
    category : str
        Name of a folder, such as ``"bottle"``.
    path : str, path-like or None, default=None
        The folder of all categories; None is ``mvtec_ad`` in the folder named by
        ``SKANOMALY_DATA``.
    size : (int, int), default=(256, 256)
        Height and width that the images are resized to while they are read: by linear
        interpolation, and the masks by the nearest pixel.
    gray : bool, default=False
        Whether the images have one channel. Otherwise all have three, also in the
        categories that are photographed in gray.

    Returns
    -------
    data : Bunch
        - ``X_train``: ndarray of shape (n_train, channels, height, width), float32 in
          [0, 1]; images without defects.
        - ``X_test``: likewise, with and without defects.
        - ``y_test``: ndarray of shape (n_test,), 1 for ``"good"`` images, -1 for
          others.
        - ``kind_test``: ndarray of shape (n_test,) of str, ``"good"`` or the defect.
        - ``masks_test``: ndarray of shape (n_test, height, width), dtype bool, True for
          defective pixels.
        - ``files_train``, ``files_test``: ndarray of str, the files.

    Raises
    ------
    FileNotFoundError
        If a folder, an image or a mask is missing; the message names it.
    ValueError
        If a file can't be read, or if a mask has another size than its image.
    ImportError
        If Pillow is missing.

    See Also
    --------
    skanomaly.metrics.per_region_overlap : The metric of this data set for maps.

    References
    ----------
    .. [1] P. Bergmann, M. Fauser, D. Sattlegger, C. Steger, "MVTec AD: A Comprehensive
       Real-World Dataset for Unsupervised Anomaly Detection", CVPR 2019.

    Examples
    --------
    >>> from skanomaly.datasets import load_mvtec_ad
    >>> bottle = load_mvtec_ad("bottle", size=(64, 64))  # doctest: +SKIP
    >>> bottle.X_train.shape, bottle.X_test.shape  # doctest: +SKIP
    ((209, 3, 64, 64), (83, 3, 64, 64))
    """
    reader = Reader("load_mvtec_ad", size, gray)
    root = find_folder("mvtec_ad", path, _HINT)
    folder = root / category
    if not folder.is_dir():
        there = sorted(each.name for each in root.iterdir() if each.is_dir())
        raise FileNotFoundError(
            f"There is no category {category!r} in {root}; there are {there}. {_HINT}"
        )
    train = list_files(folder / "train" / "good", "*.png", _HINT)
    test = _list_test_images(folder)
    pixels, masks = [], []
    for file in test:
        image = reader.read_image(file)
        pixels.append(reader.resize(image))
        masks.append(reader.resize_mask(_read_mask(reader, file, image)))
    kind = np.array([file.parent.name for file in test])
    return Bunch(
        X_train=as_floats([reader.resize(reader.read_image(file)) for file in train]),
        X_test=as_floats(pixels),
        y_test=np.where(kind == "good", 1, -1),
        kind_test=kind,
        masks_test=np.stack(masks),
        files_train=np.array(list(map(str, train))),
        files_test=np.array(list(map(str, test))),
    )


def _list_test_images(folder: Path) -> list[Path]:
    """List the images of all defects, each of which has its mask, and of none."""
    good = list_files(folder / "test" / "good", "*.png", _HINT)
    images = list_files(folder / "test", "*/*.png", _HINT)
    masks = list_files(folder / "ground_truth", "*/*_mask.png", _HINT)
    image_names = {f"{file.parent.name}/{file.name}" for file in {*images} - {*good}}
    mask_names = {f"{file.parent.name}/{file.name}" for file in masks}
    of_masks = {name.replace("_mask.png", ".png") for name in mask_names}
    of_images = {name.replace(".png", "_mask.png") for name in image_names}
    check_complete(folder / "test", image_names, of_masks, _HINT)
    check_complete(folder / "ground_truth", mask_names, of_images, _HINT)
    return images


def _read_mask(reader, file, image):
    """Return the mask of a test image; that of a good one is empty."""
    if file.parent.name == "good":
        return np.zeros(image.size[::-1], dtype=bool)
    folder = file.parents[2] / "ground_truth" / file.parent.name
    mask_file = folder / f"{file.stem}_mask.png"
    mask = reader.read_image(mask_file).convert("L")
    if mask.size != image.size:
        raise ValueError(
            f"{mask_file} has {mask.size[1]} x {mask.size[0]} pixels, and its image "
            f"{file} {image.size[1]} x {image.size[0]}; they must be of one size."
        )
    return np.asarray(mask) > 0
