"""Which thread a mail belongs to, as far as the headers of a source lead, whatever the order of its mails."""

import re
from typing import Final

from dealgraph.stream.connectors.mail_parts import Mail, message_ids, parse_mail
from dealgraph.stream.connectors.raw import Line, RawFile, RecordError

MAX_MAILS: Final = 500_000
"""Most answers of a source whose place is remembered; what comes later may begin a thread of its own."""

_BODY: Final = re.compile(rb"\r?\n\r?\n|\r\r")
_ANSWERS: Final = re.compile(rb"^(?:in-reply-to|references)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OVERLAP: Final = 64
_MAX_HEAD: Final = 256 * 1024


def has_answers(file: RawFile) -> bool:
    """Say whether a file has a line that may be a header of an answer."""
    before = b""
    for chunk in file.chunks():
        if _ANSWERS.search(before + chunk):
            return True
        before = chunk[-_OVERLAP:]
    return False


class Threads:
    """What each answer in a source answers. All mails are noted before the first one is placed."""

    def __init__(self) -> None:
        self._before: dict[str, str] = {}

    def note(self, line: Line) -> None:
        """Note what a raw mail answers; one that cannot be read is passed over."""
        found = _BODY.search(line.raw, 0, _MAX_HEAD)
        head = line.raw[: found.end() if found else _MAX_HEAD]
        if line.fault is not None or len(self._before) >= MAX_MAILS or not _ANSWERS.search(head):
            return
        try:
            mail = parse_mail(head)
        except RecordError:
            return
        answered = _answered(mail)
        native_id = next(iter(message_ids(mail, "Message-ID")), "")
        if answered and native_id:
            # Of two mails with one id, whichever comes first: the smaller answer counts.
            self._before[native_id] = min(answered, self._before.get(native_id, answered))

    def root(self, mail: Mail, native_id: str) -> str:
        """Return the id of the mail that began the thread."""
        root, seen = _answered(mail) or native_id, {native_id}
        while root not in seen and root in self._before:
            seen.add(root)
            root = self._before[root]
        return min(seen) if root in seen else root


def _answered(mail: Mail) -> str:
    """Return the first mail that References names, else the one that In-Reply-To names."""
    before = [*message_ids(mail, "References")[:1], *message_ids(mail, "In-Reply-To")[:1]]
    return before[0] if before else ""
