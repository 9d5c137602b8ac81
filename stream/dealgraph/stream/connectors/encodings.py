"""Which encoding a text is in, where nothing says so."""

import re
from typing import Final

_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_PUNCTUATION: Final = re.compile(rb"[\x82-\x97\xa0-\xbf\xd7\xf7]+")


def guess_encoding(head: bytes) -> str:
    """Return utf-8, gb18030 or windows-1252 for the beginning of a text; what is cut off does not count.

    Chinese in GB18030 comes in pairs of high bytes; a letter with an accent in Windows-1252 stands alone
    among plain ones, or beside punctuation such as a quotation mark.
    """
    if _reads(head, "utf-8"):
        return "utf-8"
    paired = alone = 0
    for run in _HIGH.findall(head):
        if len(run) % 2 or (len(run) < 4 and _PUNCTUATION.search(run)):
            alone += 1
        else:
            paired += len(run) // 2
    if paired > alone and _reads(head, "gb18030"):
        return "gb18030"
    return "windows-1252" if alone else "utf-8"


def _reads(head: bytes, encoding: str) -> bool:
    try:
        head.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4 and error.reason.startswith(("unexp", "incomp"))
    return True
