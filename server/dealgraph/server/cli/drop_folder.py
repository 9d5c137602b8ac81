"""A folder into which files are dropped: each is taken when it is complete, and put away with a report.

    FOLDER/            what is dropped
    FOLDER/done/       files that were read, some of whose records may be dead letters
    FOLDER/failed/     files that could not be read
    …/NAME.report.json what became of a file

A file is complete when neither its size nor its time changed for a while and its name is not that of a
file still being written. It is moved only after all it holds is durable, and taking it again changes nothing:
so a kill at any moment loses nothing.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

DONE: Final = "done"
FAILED: Final = "failed"
REPORT: Final = ".report.json"

_UNFINISHED: Final = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".swp", "~")


class Report(Struct, frozen=True, omit_defaults=True):
    """What became of a file. `left_out` counts by reason; `error` says why it could not be read."""

    file: str
    read: int
    accepted: int
    duplicates: int
    left_out: dict[str, int] = {}
    error: str = ""


class DropFolder:
    """Finds complete files in a folder. `clock` gives milliseconds since 1970 UTC."""

    def __init__(self, folder: Path, settle_ms: int, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._settle_ms = settle_ms
        self._clock = clock
        self._seen: dict[str, tuple[tuple[int, int], int]] = {}
        for name in (DONE, FAILED):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def complete(self) -> Sequence[Path]:
        """Return the files that were the same since `settle_ms`, by name."""
        now, found = self._clock(), dict(self._look())
        self._seen = {name: (state, self._since(name, state, now)) for name, state in found.items()}
        return [
            self._folder / name
            for name, (_, since) in sorted(self._seen.items())
            if now - since >= self._settle_ms
        ]

    def is_unchanged(self, file: Path) -> bool:
        """Say whether a complete file is still as it was when it was found."""
        known = self._seen.get(file.name)
        return known is not None and dict(self._look()).get(file.name) == known[0]

    def put_away(self, file: Path, report: Report) -> Path:
        """Move a file to where it belongs, with its report beside it, and return where it lies now."""
        into = self._folder / (FAILED if report.error else DONE)
        target = _free(into / file.name)
        fresh = target.with_name(f".{target.name}{REPORT}.new")
        fresh.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
        os.replace(fresh, target.with_name(target.name + REPORT))
        os.replace(file, target)
        return target

    def _look(self) -> Iterator[tuple[str, tuple[int, int]]]:
        for entry in os.scandir(self._folder):
            name = entry.name
            if name.startswith(".") or name.lower().endswith(_UNFINISHED):
                continue
            try:
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat()
                    yield name, (stat.st_size, stat.st_mtime_ns)
            except FileNotFoundError:
                continue  # it was renamed or taken away meanwhile

    def _since(self, name: str, state: tuple[int, int], now: int) -> int:
        known = self._seen.get(name)
        return known[1] if known is not None and known[0] == state else now


def _free(target: Path) -> Path:
    """Return a path that is free: a file of the same name may have come before."""
    number = 1
    free = target
    while free.exists():
        number += 1
        free = target.with_name(f"{target.stem}.{number}{target.suffix}")
    return free
