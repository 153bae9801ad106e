"""Arrays in a file: as large as they say, and nothing but numbers and text."""

import io
import math

import numpy as np
from numpy.lib import format as npy
from scipy.sparse import load_npz

from ._archive import Archive, write_archive
from ._errors import InvalidFileError

_READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
# Bytes; as many as numpy itself takes for safe, and more than it writes.
_LARGEST_HEADER = 10_000
_SPARSE_PARTS = {"indices.npy", "indptr.npy", "format.npy", "shape.npy", "data.npy"}
_SPARSE_FORMATS = ("csr", "csc")


def check_array(data: memoryview) -> tuple[np.dtype, tuple[int, ...]]:
    """Return dtype and shape of an array, if it can be read without allocating more."""
    stream = io.BytesIO(data[:_LARGEST_HEADER])
    version = npy.read_magic(stream)
    if version not in _READ_HEADER:
        raise InvalidFileError(f"it holds an array of the unknown version {version}")
    shape, _, dtype = _READ_HEADER[version](stream)
    if dtype.hasobject:
        raise InvalidFileError("it holds an array of objects, which would run code")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes != len(data) - stream.tell():
        raise InvalidFileError(f"it holds an array that isn't of shape {shape}")
    if not dtype.itemsize:
        raise InvalidFileError("it holds an array of nothing")
    return dtype, shape


def check_sparse(data: memoryview) -> None:
    """Refuse a sparse matrix whose indices point outside of it."""
    archive = Archive(bytes(data))
    if set(archive) - {"_is_array.npy"} != _SPARSE_PARTS:
        raise InvalidFileError(f"it holds a sparse matrix of {sorted(archive)}")
    for name in archive:
        check_array(archive.read(name))
    matrix = load_npz(io.BytesIO(data))
    if matrix.format not in _SPARSE_FORMATS:
        raise InvalidFileError(
            f"it holds a sparse matrix of the format {matrix.format!r}, not one of "
            f"{_SPARSE_FORMATS}"
        )
    # scipy's compiled code trusts the indices.
    matrix.check_format(full_check=True)


def unpack_sparse(data: bytes) -> bytes:
    """Return a sparse matrix of scipy, which is compressed, as `check_sparse` wants it.

    A compressed one could grow a thousandfold.
    """
    from zipfile import ZipFile

    unpacked = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as packed:
        write_archive(unpacked, ((n, packed.read(n)) for n in packed.namelist()))
    return unpacked.getvalue()
