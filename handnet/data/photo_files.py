"""The walk through folders that every reader and command shares: which files are photos, and what is passed over."""

import os
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from handnet.errors import DataError, count_and_name, printable

PHOTO_SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".heic", ".heif", ".avif", ".pgm", ".ppm"),
)
# Folders that network disks, archives and systems add to anybody's photos; all of hidden ones are passed over too.
_SYSTEM_FOLDERS = {
    *("@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "$recycle.bin", "recycler", "__macosx", "lost+found"),
    *("system volume information", "__pycache__"),
}
# Files that every such system leaves in every folder: not worth a word.
_LITTER = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class FoundPhotos:
    """What lies in a folder.

    Attributes:
        photos: absolute path of each photo -> the names of the folders between the folder and it, see `escape_name`; sorted
            by path, as the walk goes.
        system: hidden and system folders and hidden photos, passed over.
        broken: links that lead nowhere or to themselves.
        other: files of another kind.
        empty: outermost folders without a photo. All names are relative to the folder.
    """

    photos: dict[str, tuple[str, ...]] = field(default_factory=dict)
    system: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def describe(self) -> list[str]:
        """Return a line for each kind of thing that was passed over, with its count."""
        kinds = ", ".join(suffix.removeprefix(".") for suffix in PHOTO_SUFFIXES)
        lines = {
            "{} without a photo.": (self.empty, "folder", "folders"),
            f"{{}} of another kind than {kinds}, left out.": (self.other, "file", "files"),
            "{}, hidden or the system's, passed over.": (self.system, "folder or file", "folders or files"),
            "{} to nothing or to itself, passed over.": (self.broken, "link", "links"),
        }
        return [line.format(count_and_name(names, one, more)) for line, (names, one, more) in lines.items() if names]


def find_photos(directory: Path) -> FoundPhotos:
    """Find the photos below a folder, at any depth.

    Links are followed, to files and to folders; below one outermost folder each folder is entered once, and none is entered
    from within itself. Only regular files count, so that no pipe or device is ever opened.

    Raises:
        DataError: a folder that cannot be read.
    """
    directory = Path(directory).absolute()
    check_folder_name(directory)
    found = FoundPhotos()
    root = str(directory)
    for entry, kind in scan_folder(directory, found, root):
        before = len(found.photos)
        if kind == "folder":
            _walk(entry, found, root, {os.path.realpath(directory)})
            found.empty.extend([] if len(found.photos) > before else [entry.name])
        elif is_photo(entry.name):
            _add(entry, found, root)
    return found


def check_folder_name(directory: Path) -> None:
    """Raise DataError where the path of a data set is not UTF-8: no record of a run could name it.

    Names of what lies in it may be in any encoding.
    """
    try:
        str(directory).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"The path of the folder {printable(str(directory))} is not UTF-8. Rename the folder, or give a link to it that "
            "has another name."
        ) from None


def scan_folder(folder: Path | str, found: FoundPhotos, root: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """Yield the entries of one folder in sorted order, each with "folder" or "file"; note in `found` what is passed over.

    Raises:
        DataError: the folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"Cannot read the folder {printable(str(folder))}: {error.strerror}.") from error
    for entry in ordered:
        kind = _find_kind(entry)
        if is_hidden(entry.name):
            if kind == "folder" or is_photo(entry.name):
                found.system.append(os.path.relpath(entry.path, root))
        elif kind == "broken":
            found.broken.append(os.path.relpath(entry.path, root))
        elif kind and entry.name.casefold() not in _LITTER:
            yield entry, kind


def index_names(names: Collection[str]) -> Callable[[str], str]:
    """Return a function from a name to the same among `names`, perhaps in another Unicode form, else to itself."""
    by_form = {unicodedata.normalize("NFC", name): name for name in names if not name.isascii()}
    return lambda name: name if name in names else by_form.get(unicodedata.normalize("NFC", name), name)


def _walk(start: os.DirEntry[str], found: FoundPhotos, root: str, visited: set[str]) -> None:
    # A list of what is left to do, since folders may be nested deeper than functions.
    waiting: list[tuple[os.DirEntry[str], str]] = [(start, "folder")]
    while waiting:
        entry, kind = waiting.pop()
        if kind == "file":
            if is_photo(entry.name):
                _add(entry, found, root)
            else:
                found.other.append(os.path.relpath(entry.path, root))
            continue
        real = os.path.realpath(entry.path)
        if real not in visited:
            visited.add(real)
            waiting += reversed(list(scan_folder(entry.path, found, root)))


def _add(entry: os.DirEntry[str], found: FoundPhotos, root: str) -> None:
    relative = os.path.relpath(entry.path, root)
    found.photos[entry.path] = tuple(escape_name(relative).split(os.sep)[:-1])


def escape_name(name: str) -> str:
    """Return a file's name as text that any table can hold: bytes that are not UTF-8, e.g. of old archives, become `\\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _find_kind(entry: os.DirEntry[str]) -> str:
    """Return "folder", "file", "broken" of a link that leads nowhere, or "" of a pipe or a device."""
    try:
        if entry.is_dir():
            return "folder"
        if entry.is_file():
            return "file"
        return "broken" if entry.is_symlink() and not os.path.exists(entry.path) else ""
    except OSError:
        # A link to itself.
        return "broken"


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or the system's, by its name."""
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def is_photo(name: str) -> bool:
    """Return whether a file has the name of a photo."""
    return name.lower().endswith(PHOTO_SUFFIXES)
