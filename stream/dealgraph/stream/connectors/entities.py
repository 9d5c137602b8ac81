"""Character references of HTML, as transcripts and mails hold them."""

import html
import re
from typing import Final

# No character has a number of eight digits, and html.unescape raises for one of thousands.
_TOO_LONG: Final = re.compile(r"&#[0-9]{8,}+;?|&#[xX][0-9a-fA-F]{7,}+;?")


def unescaped(text: str) -> str:
    """Return the text with references such as `&amp;` resolved; what names no character is U+FFFD."""
    return html.unescape(_TOO_LONG.sub("\ufffd", text))
