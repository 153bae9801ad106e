"""A zip file in its simplest form: nothing packed, nothing hidden, nothing twice."""

import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

from ._errors import InvalidFileError

_LOCAL_HEADER = 30  # bytes before a member's name
_END = struct.Struct("<4s4H2LH")
# An entry of the directory is a tenth of the object that zipfile makes of it.
_LARGEST_DIRECTORY = 0.25


def write_archive(file: Path | io.BytesIO, members: Iterable[tuple[str, bytes]]):
    """Write members; the same ones give the same bytes."""
    # Without compression and extensions a member is as large as it says.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)


class Archive:
    """The members of an archive, of which each is read when it is asked for."""

    def __init__(self, data: bytes):
        _check_end(data)
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._sizes = _check_layout(self._zip, self._zip.start_dir)

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def __iter__(self):
        return iter(self._sizes)

    def size(self, name: str) -> int:
        """Return the size of a member in bytes, or say that it is missing."""
        if name not in self:
            raise InvalidFileError(f"its part {name!r} is missing")
        return self._sizes[name]

    def read(self, name: str) -> bytes:
        """Return a member, or say that it is missing."""
        return self._zip.read(name) if self.size(name) else b""

    def digest(self, *, without: str) -> str:
        """Return the checksum of all members but one."""
        return digest((name, self.read(name)) for name in self if name != without)


def digest(members: Iterable[tuple[str, bytes]]) -> str:
    """Return the checksum of members: their names, sizes and contents."""
    found = hashlib.sha256()
    for name, content in members:
        found.update(f"{name}\n{len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _check_end(data: bytes) -> None:
    """Refuse what is no archive, before zipfile makes objects of its directory."""
    if len(data) < _END.size or not data.startswith(b"PK\x03\x04"):
        raise InvalidFileError("it was not written by skanomaly.save")
    mark, _, _, _, _, size, offset, _ = _END.unpack(data[-_END.size :])
    if mark != b"PK\x05\x06" or offset + size + _END.size != len(data):
        raise InvalidFileError("its end is missing or damaged")
    if size > _LARGEST_DIRECTORY * len(data):
        raise InvalidFileError("its directory is larger than its content")


def _check_layout(archive: zipfile.ZipFile, end: int) -> dict[str, int]:
    """Return the members' sizes, if they lie one after another and fill the file."""
    sizes: dict[str, int] = {}
    place = 0
    for member in archive.infolist():
        if member.filename in sizes:
            raise InvalidFileError(f"its part {member.filename!r} is there twice")
        is_packed = member.compress_type != zipfile.ZIP_STORED
        if is_packed or member.compress_size != member.file_size or member.flag_bits:
            raise InvalidFileError(f"its part {member.filename!r} is packed")
        if member.header_offset != place:
            raise InvalidFileError("its parts overlap")
        sizes[member.filename] = member.file_size
        place += _LOCAL_HEADER + len(member.filename.encode()) + member.file_size
    if place != end:
        raise InvalidFileError("there is something between its parts")
    return sizes
