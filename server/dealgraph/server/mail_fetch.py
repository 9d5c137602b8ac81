"""Fetches new mails from an IMAP folder into a maildir, which `dealgraph import mail` reads.

Nothing is changed on the server: folders are opened read-only and mails stay unread. What was fetched is
noted in the maildir (UIDVALIDITY and the last UID), so a run that breaks off goes on where it was.
"""

import imaplib
import os
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from dealgraph.stream.connectors.mailbox_stream import MAX_MAIL

_STATE: Final = "dealgraph-imap.json"
_SIZE: Final = b"RFC822.SIZE "


class FetchError(Exception):
    """The folder cannot be read; the message says what to do next."""


class Place(Struct, frozen=True):
    """How far a folder was fetched: the last UID under a UIDVALIDITY."""

    validity: str = ""
    last: int = 0


class Fetched(Struct, frozen=True):
    """What a run brought: new mails, and those that were too large."""

    new: int
    too_large: int


def fetch_new(imap: imaplib.IMAP4, folder: str, maildir: Path) -> Fetched:
    """Fetch what is new in a folder. Raises FetchError; what was fetched before stays."""
    for name in ("tmp", "new", "cur"):
        (maildir / name).mkdir(parents=True, exist_ok=True)
    places = _places(maildir)
    validity = _open(imap, folder)
    place = places.get(folder, Place())
    last = place.last if place.validity == validity else 0
    new = too_large = 0
    for uid in _uids_after(imap, last):
        raw = _mail(imap, uid)
        if raw is None:
            too_large += 1
        elif _keep(maildir, f"{validity}.{uid}", raw):
            new += 1
        places[folder] = Place(validity, uid)
        _replace(maildir / _STATE, msgspec.json.encode(places))
    return Fetched(new, too_large)


def _places(maildir: Path) -> dict[str, Place]:
    try:
        return msgspec.json.decode((maildir / _STATE).read_bytes(), type=dict[str, Place])
    except FileNotFoundError:
        return {}
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FetchError(f"{maildir / _STATE} is damaged; delete it to fetch all again.") from error


def _open(imap: imaplib.IMAP4, folder: str) -> str:
    quoted = folder.replace("\\", "\\\\").replace('"', '\\"')
    status, _ = imap.select(f'"{quoted}"', readonly=True)
    if status != "OK":
        raise FetchError(f"There is no folder {folder!r} on the server; name another one.")
    _, found = imap.response("UIDVALIDITY")
    validity = found[0] if found else None
    text = validity.decode("ascii", "replace") if isinstance(validity, bytes) else ""
    if not text.isdecimal():
        raise FetchError("The server names no UIDVALIDITY: its mails cannot be told apart.")
    return text


def _uids_after(imap: imaplib.IMAP4, last: int) -> list[int]:
    status, found = imap.uid("SEARCH", f"UID {last + 1}:*")
    if status != "OK":
        raise FetchError("The server does not search by UID.")
    uids = (int(one) for line in found if isinstance(line, bytes) for one in line.split())
    # "n:*" names the last mail, too, when its UID is below n.
    return sorted({uid for uid in uids if uid > last})


def _mail(imap: imaplib.IMAP4, uid: int) -> bytes | None:
    """Return a raw mail, None when it is too large; b"" when it is gone."""
    _, sizes = imap.uid("FETCH", str(uid), "(RFC822.SIZE)")
    for line in sizes:
        if isinstance(line, bytes) and _SIZE in line:
            size = line.partition(_SIZE)[2].split(b")")[0].split()[0]
            if size.isdigit() and int(size) > MAX_MAIL:
                return None
    _, parts = imap.uid("FETCH", str(uid), "(BODY.PEEK[])")
    return next((part[1] for part in parts if isinstance(part, tuple)), b"")


def _keep(maildir: Path, name: str, raw: bytes) -> bool:
    """Put a mail into the maildir, whole or not at all; say whether it was new."""
    if not raw or (maildir / "new" / name).exists() or (maildir / "cur" / name).exists():
        return False
    fresh = maildir / "tmp" / name
    _write(fresh, raw)
    fresh.replace(maildir / "new" / name)
    return True


def _replace(path: Path, raw: bytes) -> None:
    fresh = path.with_suffix(".new")
    _write(fresh, raw)
    fresh.replace(path)


def _write(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
