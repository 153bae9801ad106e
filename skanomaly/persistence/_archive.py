"""A zip file in its simplest form: nothing packed, nothing hidden, nothing twice."""

import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterable

from ._errors import InvalidFileError

_LOCAL_HEADER = 30  # bytes before a member's name
_MARK = b"PK\x03\x04"  # the beginning of a member
_END = struct.Struct("<4s4H2LH")
# An entry of the directory is a tenth of the object that zipfile makes of it.
_LARGEST_DIRECTORY = 0.25


def write_archive(file: io.BytesIO, members: Iterable[tuple[str, bytes]]) -> None:
    """Write members; the same ones give the same bytes."""
    # Without compression and extensions a member is as large as it says.
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=False) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)


class Archive:
    """The members of an archive, which are read where they lie in the memory."""

    def __init__(self, data: bytes):
        _check_end(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            self._places = _find_members(archive, data)
        self._data = memoryview(data)

    def __iter__(self):
        return iter(self._places)

    def read(self, name: str) -> memoryview:
        """Return a member, or say that it is missing."""
        if name not in self._places:
            raise InvalidFileError(f"its part {name!r} is missing")
        return self._data[self._places[name]]

    def digest(self, *, without: str) -> str:
        """Return the checksum of all members but one."""
        return digest((name, self.read(name)) for name in self if name != without)


def digest(members: Iterable[tuple[str, bytes | memoryview]]) -> str:
    """Return the checksum of members: their names, sizes and contents."""
    found = hashlib.sha256()
    for name, content in members:
        found.update(f"{name}\n{len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _check_end(data: bytes) -> None:
    """Refuse what is no archive, before zipfile makes objects of its directory."""
    if len(data) < _END.size or not data.startswith(_MARK):
        raise InvalidFileError("it was not written by skanomaly.save")
    mark, _, _, _, _, size, offset, _ = _END.unpack(data[-_END.size :])
    if mark != b"PK\x05\x06" or offset + size + _END.size != len(data):
        raise InvalidFileError("its end is missing or damaged")
    if size > _LARGEST_DIRECTORY * len(data):
        raise InvalidFileError("its directory is larger than its content")


def _find_members(archive: zipfile.ZipFile, data: bytes) -> dict[str, slice]:
    """Return where members are, if they lie one after another and fill the file."""
    places: dict[str, slice] = {}
    end = 0
    for member in archive.infolist():
        if member.filename in places:
            raise InvalidFileError(f"its part {member.filename!r} is there twice")
        is_packed = member.compress_type != zipfile.ZIP_STORED
        if is_packed or member.compress_size != member.file_size or member.flag_bits:
            raise InvalidFileError(f"its part {member.filename!r} is packed")
        name = member.filename.encode()
        start = end + _LOCAL_HEADER + len(name)
        header = data[end:start]
        # The name's size and that of extensions, which would move the content.
        last = len(name).to_bytes(2, "little") + b"\0\0" + name
        is_right = header.startswith(_MARK) and header[26:] == last
        if member.header_offset != end or not is_right:
            raise InvalidFileError("its parts don't lie one after another")
        end = start + member.file_size
        if zlib.crc32(memoryview(data)[start:end]) != member.CRC:
            raise InvalidFileError(f"its part {member.filename!r} is damaged")
        places[member.filename] = slice(start, end)
    if end != archive.start_dir:
        raise InvalidFileError("there is something between its parts")
    return places
