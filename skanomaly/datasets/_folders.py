"""Images and videos in folders: what must be there, and how it is read."""

import os
from pathlib import Path

import numpy as np

# Left to itself, Pillow goes by the content: an EPS file runs Ghostscript.
_FORMATS = ["JPEG", "PNG"]


def find_folder(name, path, hint):
    """Return a folder that exists, by default one of the data folder."""
    if path is not None:
        found, source = Path(path), ""
    elif "SKANOMALY_DATA" in os.environ:
        found = Path(os.environ["SKANOMALY_DATA"]) / name
        source = " of the folder named by SKANOMALY_DATA"
    else:
        raise FileNotFoundError(
            f"The folder {name} is needed. Pass it as path=, or set the environment "
            f"variable SKANOMALY_DATA to the folder that holds it. {hint}"
        )
    if not found.is_dir():
        raise FileNotFoundError(f"There is no folder {found}{source}. {hint}")
    return found


def list_files(folder, pattern, hint):
    """Return the files of a folder in order, of which there must be some."""
    if not folder.is_dir():
        raise FileNotFoundError(f"The folder {folder} is missing. {hint}")
    files = sorted(file for file in folder.glob(pattern) if file.name[0] != ".")
    if not files:
        raise FileNotFoundError(f"{folder} holds no {pattern}. {hint}")
    return files


def check_complete(folder, found, expected, hint):
    """Refuse a folder that lacks an entry."""
    missing = sorted(set(expected) - set(found))
    if missing:
        raise FileNotFoundError(
            f"{folder} lacks {missing[0]}; {len(missing)} of {len(set(expected))} "
            f"entries are missing. Is it copied by half? {hint}"
        )


def check_size(size):
    """Return height and width as two positive ints."""
    size = np.asarray(size)
    is_pair = size.shape == (2,) and size.dtype.kind in "iu"
    if not is_pair or size.min() < 1:
        raise ValueError(
            "size must be the height and the width that images are resized to, two "
            f"positive ints; got {size.tolist()!r}."
        )
    return tuple(map(int, size))


class Reader:
    """Read images, frames and masks, and resize them all in one way.

    Frames of videos are resized as images are, so that files of different kinds differ
    in nothing but what they hold.
    """

    def __init__(self, caller, size, gray):
        self.image = _import_pillow(caller)
        self.caller = caller
        self.size = check_size(size)
        self.mode = "L" if gray else "RGB"

    def read_image(self, file):
        """Return an image of Pillow."""
        try:
            with self.image.open(file, formats=_FORMATS) as image:
                image.load()
                return image.copy()
        except OSError as error:
            raise ValueError(
                f"{file} is no readable JPEG or PNG image ({error}): is it copied by "
                "half?"
            ) from error

    def read_frames(self, file):
        """Yield the frames of a video as images of Pillow."""
        cv2 = _import_opencv(self.caller)
        video = cv2.VideoCapture(str(file))
        try:
            while True:
                is_read, frame = video.read()
                if not is_read:
                    return
                yield self.image.fromarray(np.ascontiguousarray(frame[..., ::-1]))
        finally:
            video.release()

    def resize(self, image):
        """Return the resized pixels, uint8 of shape (channels, height, width)."""
        image = image.convert(self.mode)
        if image.size != self.size[::-1]:
            image = image.resize(self.size[::-1], self.image.Resampling.BILINEAR)
        return np.atleast_3d(np.asarray(image)).transpose(2, 0, 1)

    def resize_mask(self, mask):
        """Return a mask by its nearest pixels, bool of shape (height, width)."""
        mask = self.image.fromarray(np.asarray(mask, dtype=bool).astype(np.uint8))
        nearest = mask.resize(self.size[::-1], self.image.Resampling.NEAREST)
        return np.asarray(nearest, dtype=bool)


def as_floats(pixels):
    """Stack images of bytes into one float32 array in [0, 1], without another copy."""
    stacked = np.stack(pixels)
    return np.divide(stacked, 255, dtype=np.float32)


def _import_pillow(caller):
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f"{caller} needs Pillow: pip install 'skanomaly[images]'."
        ) from error
    return Image


def _import_opencv(caller):
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"{caller} needs OpenCV and Pillow: pip install 'skanomaly[video,images]'."
        ) from error
    return cv2
