"""The encoding of texts that do not state theirs: UTF-8, GB18030 or Windows-1252."""

import re
from typing import Final

from dealgraph.stream.connectors.raw import decode

_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_PUNCTUATION: Final = re.compile(rb"[\x82-\x97\xa0-\xbf\xd7\xf7]")


class GuessedEncoding:
    """Decodes the pieces of a file. What is UTF-8 is read so; the first piece that is not decides for such.

    Chinese in GB18030 comes in pairs of high bytes; a letter with an accent in Windows-1252 stands alone
    among plain ones, or beside punctuation such as a quotation mark.
    """

    def __init__(self) -> None:
        self._other = ""

    def decode(self, raw: bytes) -> str:
        """Return the text of `raw`. Raises RecordError (BAD_ENCODING)."""
        try:
            return raw.decode()
        except UnicodeDecodeError:
            guessed = self._other or _guess(raw)
        text = decode(raw, guessed)
        self._other = guessed
        return text


def _guess(raw: bytes) -> str:
    paired = alone = 0
    for run in _HIGH.findall(raw):
        if len(run) % 2 or (len(run) < 4 and _PUNCTUATION.search(run)):
            alone += 1
        else:
            paired += len(run) // 2
    return "gb18030" if paired > alone else "windows-1252"
