"""The words that the author of a mail wrote: without quoted mails, signature and HTML."""

import re
from html.parser import HTMLParser
from itertools import islice
from typing import Final

_MAX_HTML: Final = 512 * 1024
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_SPACE: Final = re.compile(r"[ \t\u3000]+")

_SIGNATURE: Final = re.compile(r"-- ?$")
_QUOTE: Final = re.compile(r"\s*[>＞]")
_ATTRIBUTION: Final = re.compile(
    r"\s*(?:On\b.{1,300}\bwrote|Am\b.{1,300}\bschrieb.{0,80}|Le\b.{1,300}\ba écrit"
    r"|在.{1,300}写道|.{1,300}(?:于|在).{1,100}写道)\s*[:：]\s*$",
    re.IGNORECASE,
)
_DIVIDER: Final = re.compile(
    r"\s*-{2,}\s*(?:original message|forwarded message|原始邮件|邮件原件|转发的邮件)\s*-{2,}\s*$",
    re.IGNORECASE,
)
_HEADER: Final = re.compile(r"\s*\*?(?:From|发件人|寄件者)\*?\s*[:：]\*?\s*\S")
_NEXT_HEADER: Final = re.compile(
    r"\s*\*?(?:Sent|Date|To|Cc|Subject|发送时间|发送日期|日期|时间|收件人|抄送|主题)\*?\s*[:：]"
)
_BLOCKS: Final = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote", "table"})
_SILENT: Final = frozenset({"script", "style", "head", "title", "blockquote"})


def own_words(text: str) -> str:
    """Return the text without quoted lines, what follows a quoted mail's header, and the signature."""
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    kept: list[str] = []
    for number, line in enumerate(lines):
        if _SIGNATURE.match(line) or _DIVIDER.match(line) or _begins_header(lines, number):
            break
        if _ATTRIBUTION.match(_joined(lines, number)):
            if _quote_follows(lines, number):
                continue  # answers may stand between and below the quoted lines
            break
        if not _QUOTE.match(line):
            kept.append(line)
    return _BLANK_LINES.sub("\n\n", "\n".join(kept)).strip()


def _joined(lines: list[str], number: int) -> str:
    """Return the line, with the next one when it is the first half of a wrapped attribution."""
    line = lines[number]
    following = lines[number + 1] if number + 1 < len(lines) else ""
    wrapped = line.lstrip().startswith("On ") and following.endswith(("wrote:", "wrote："))
    return f"{line} {following}"[:600] if wrapped else line[:600]


def _quote_follows(lines: list[str], number: int) -> bool:
    following = islice((line for line in lines[number + 1 : number + 8] if line), 2)
    return any(_QUOTE.match(line) for line in following)


def _begins_header(lines: list[str], number: int) -> bool:
    """Say whether the header of a quoted mail begins here: a From line with another one below."""
    if not _HEADER.match(lines[number][:200]):
        return False
    return any(_NEXT_HEADER.match(line[:200]) for line in lines[number + 1 : number + 4])


def html_words(markup: str) -> str:
    """Return the text of an HTML mail, without what it quotes. Only its head is read when it is long."""
    reader = _HtmlText()
    try:
        reader.feed(markup[:_MAX_HTML])
        reader.close()
    except AssertionError:
        pass  # the parser's answer to some broken declarations; the words before them are kept
    return reader.text()


class _HtmlText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._silent = 0
        if tag in _SILENT:
            self._silent += 1
        if tag in _BLOCKS:
            self._pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT and self._silent:
            self._silent -= 1
        if tag in _BLOCKS:
            self._pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._pieces.append(data.replace("\n", " "))

    def text(self) -> str:
        words = "".join(self._pieces).replace("\xa0", " ")
        lines = (_SPACE.sub(" ", line).strip() for line in words.split("\n"))
        return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()
