"""Write a fitted estimator to a file."""

import io
import json
import os
import platform
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import LargeZipFile, ZipFile

from sklearn.base import BaseEstimator

from skanomaly import __version__
from skanomaly._files import check_path, replacing

from ._archive import Archive, digest, write_archive
from ._arrays import unpack_sparse
from ._document import DOCUMENT, MANIFEST, check_document, nodes_of, tell
from ._errors import InvalidFileError
from ._skops import import_skops

FORMAT = 1
_LIBRARIES = ("scikit-learn", "skops", "torch", "numpy", "scipy")


def save(estimator: Any, path: str | os.PathLike) -> None:
    """Save an estimator to a file that runs no code when it is loaded.

    The file is written whole or not at all: when it can't be, one that was there before
    stays as it was. What is kept is what pickle keeps: parameters and fitted
    attributes, of all parts; not the state of the optimizer, nor compiled code. The
    same estimator gives the same file to the byte.

    Parameters
    ----------
    estimator : estimator
        A detector, a meta-estimator such as
        `~skanomaly.calibration.ConformalDetector`, or a Pipeline, fitted or not.
    path : str or path-like
        The file, of any name.

    Raises
    ------
    TypeError
        If `estimator` is no estimator, or holds what can't be loaded without running
        code: a lambda, a callback, a module of torch. The message names the parameter.
        Also if it consists of more than about 30,000 parts, as levels of categories.
    ValueError
        If the file would be larger than 2 GB.
    OSError
        If the file can't be written.
    ImportError
        If skops is not installed: ``pip install 'skanomaly[persistence]'``.

    See Also
    --------
    load : Loads the file.

    Notes
    -----
    The file is one of skops with a checksum and the versions of libraries, and skops
    can show and load it, too. Sparse matrices have to be CSR or CSC.

    Examples
    --------
    >>> import skanomaly, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "detector.skops"
    >>> X = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
    >>> detector = skanomaly.Autoencoder(max_epochs=3, random_state=0).fit(X)
    >>> skanomaly.save(detector, path)
    >>> loaded = skanomaly.load(path)
    >>> loaded.score_samples(X).tolist() == detector.score_samples(X).tolist()
    True
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(
            f"skanomaly.save takes an estimator, got {type(estimator).__name__}."
        )
    path = check_path(path)
    data = _write(_members_of(estimator))
    try:
        check_document(Archive(data), len(data))
    except InvalidFileError as error:
        raise TypeError(
            f"This {type(estimator).__name__} can't be saved: {error}."
        ) from error
    with replacing(path) as draft:
        draft.write_bytes(data)


def _members_of(estimator: Any) -> dict[str, bytes]:
    """Return skops' document and arrays, the same ones for equal estimators."""
    with ZipFile(io.BytesIO(_dump(estimator))) as archive:
        document = json.loads(archive.read(DOCUMENT))
        arrays: dict[str, bytes] = {}
        for place, node in nodes_of(document):
            _check_node(node, place)
            # The address of an object in the memory, as are the names of files.
            node.pop("__id__", None)
            if "file" in node:
                content, suffix = archive.read(node["file"]), Path(node["file"]).suffix
                node["file"] = f"{len(arrays)}{suffix}"
                is_sparse = suffix == ".npz"
                arrays[node["file"]] = unpack_sparse(content) if is_sparse else content
    text = json.dumps(document, separators=(",", ":"))
    return {DOCUMENT: text.encode(), **arrays}


def _dump(estimator: Any) -> bytes:
    """Let skops describe an estimator, or say what it can't."""
    skops_io = import_skops()
    try:
        return skops_io.dumps(estimator)
    except Exception as error:
        params = estimator.get_params()
        of_torch = [name for name, value in params.items() if _is_of_torch(value)]
        raise TypeError(
            f"This {type(estimator).__name__} can't be saved: it holds what can't be "
            f"loaded without running code: {', '.join(of_torch) or error}. Replace it, "
            "or ship the estimator by pickle to those who trust you."
        ) from error


def _is_of_torch(value: Any) -> bool:
    """Tell a network or tensor, whose class may be the user's own."""
    libraries = {each.__module__.partition(".")[0] for each in type(value).__mro__}
    return "torch" in libraries


def _check_node(node: dict, place: Any) -> None:
    """Refuse what could be saved but not loaded."""
    module, name = node.get("__module__", ""), node.get("__class__", "")
    library = module.partition(".")[0]
    if library in ("torch", "skorch", "joblib"):
        raise TypeError(
            f"{tell(place)} is of the type {module}.{name}, which can't be saved. Only "
            "a fit needs it: set the parameter to its default, for example by "
            "set_params(net_params=None), and save again; the fitted network stays."
        )
    if node["__loader__"] not in ("FunctionNode", "ObjectNode", "TypeNode"):
        return
    try:
        getattr(sys.modules.get(module) or import_module(module), name)
    except (AttributeError, ImportError, ValueError) as error:
        raise TypeError(
            f"{tell(place)} is {name} of {module}, which no other process can find. "
            "Define it in a module that can be imported, not in a function and not as "
            "a lambda."
        ) from error


def _write(members: dict[str, bytes]) -> bytes:
    """Return a file of members, after what they are and their checksum."""
    manifest = {
        "format": FORMAT,
        "skanomaly": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _LIBRARIES},
        "sha256": digest(members.items()),
    }
    written = io.BytesIO()
    first = (MANIFEST, json.dumps(manifest).encode())
    try:
        write_archive(written, [first, *members.items()])
    except LargeZipFile as error:
        raise ValueError("The file would be larger than 2 GB.") from error
    return written.getvalue()
