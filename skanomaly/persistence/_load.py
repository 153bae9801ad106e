"""Read a fitted estimator from a file."""

import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator

from skanomaly import __version__

from ._archive import Archive
from ._document import MANIFEST, check_document
from ._errors import InvalidFileError
from ._save import FORMAT
from ._skops import import_skops
from ._trusted import TRUSTED_TYPES

_LARGEST_MANIFEST = 10_000  # bytes


def load(path: str | os.PathLike, *, trusted: Sequence[str] = ()) -> Any:
    """Load an estimator that was saved by `skanomaly.save`; no code of it is run.

    A detector that was fitted on a GPU is loaded on the CPU where there is none, with a
    warning.

    Parameters
    ----------
    path : str or path-like
        The file.
    trusted : sequence of types or str, default=()
        What the file may hold beside the types of this package, scikit-learn's
        estimators, numbers, text and arrays: classes or functions, or their names with
        the module. Name only what you know: it is called with what the file says.

    Returns
    -------
    estimator : estimator
        As it was saved: it gives the same scores, to the bit on the same machine with
        the same versions of libraries.

    Raises
    ------
    InvalidFileError
        If the file is damaged, was not written by `skanomaly.save`, is of a newer
        format, or holds a type that is not trusted. A subclass of ValueError.
    TypeError
        If `trusted` is one type and not a list.
    OSError
        If the file can't be read.
    ImportError
        If skops is not installed: ``pip install 'skanomaly[persistence]'``.

    Warns
    -----
    InconsistentVersionWarning
        If an estimator was saved with another version of skanomaly or scikit-learn.

    See Also
    --------
    save : Writes the file.

    Notes
    -----
    A file can't run code, and can't make the estimator allocate more than its size
    allows. But whoever wrote it has chosen the scores: take models, as data, from whom
    you trust. Trees and search trees of scikit-learn, of which IsolationForest and
    LocalOutlierFactor consist, are read by compiled code that trusts their indices;
    like skops, `load` wants them named.

    Examples
    --------
    >>> import skanomaly, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "detector.skops"
    >>> skanomaly.save(skanomaly.VAE(latent_size=3), path)
    >>> skanomaly.load(path)
    VAE(latent_size=3)
    """
    import_skops()
    is_list = isinstance(trusted, Iterable) and not isinstance(trusted, str | type)
    if not is_list or not all(isinstance(x, str) or callable(x) for x in trusted):
        raise TypeError(f"trusted must be a list of types or names, got {trusted!r}.")
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path must be a str or a path, got {path!r}.")
    path = Path(path)
    data = path.read_bytes()
    try:
        estimator = _load(data, trusted)
    except (Warning, ImportError):
        raise
    except InvalidFileError as error:
        raise InvalidFileError(f"{path} can't be loaded: {error}.") from error
    except Exception as error:
        raise InvalidFileError(
            f"{path} can't be loaded: it is damaged, or was made to look like a file "
            f"of skanomaly.save ({error!r:.500})."
        ) from error
    return estimator


def _load(data: bytes, trusted: Sequence[Any]) -> Any:
    """Check a file, and let skops make what it holds."""
    archive = Archive(data)
    text = archive.read(MANIFEST)
    if len(text) > _LARGEST_MANIFEST:
        raise InvalidFileError(f"its part {MANIFEST!r} is too large")
    manifest = json.loads(str(text, "utf-8"))
    if manifest["format"] > FORMAT:
        raise InvalidFileError(
            f"it is of format {manifest['format']}, written by skanomaly "
            f"{manifest['skanomaly']}. This is skanomaly {__version__}, which reads "
            f"formats up to {FORMAT}: install the newer one"
        )
    if archive.digest(without=MANIFEST) != manifest["sha256"]:
        raise InvalidFileError(
            "its checksum is wrong. It was changed or damaged after it was saved: get "
            "it, or save the estimator, again"
        )
    check_document(archive, len(data))
    estimator = _make(data, trusted)
    if not isinstance(estimator, BaseEstimator):
        raise InvalidFileError(f"it holds a {type(estimator).__name__}, no estimator")
    return estimator


def _make(data: bytes, trusted: Sequence[Any]) -> Any:
    """Let skops make an estimator, or name the types that aren't trusted."""
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return import_skops().load(io.BytesIO(data), [*TRUSTED_TYPES, *trusted])
    except UntrustedTypesFoundException as error:
        raise InvalidFileError(
            f"{str(error).splitlines()[0].rstrip('.')}. If you know these types, and "
            "trust who wrote the file, name them: skanomaly.load(path, trusted=[...])"
        ) from error
