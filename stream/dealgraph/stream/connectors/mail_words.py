"""The words that the author of a mail wrote: without quoted mails, signature and HTML."""

import re
from itertools import islice
from typing import Final

from dealgraph.stream.connectors.entities import unescaped

_MAX_HTML: Final = 512 * 1024
_MARK: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*>|<[!?][^<>]*>")
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
    wrapped = False
    for number, line in enumerate(lines):
        if wrapped:
            wrapped = False
            continue
        if _SIGNATURE.match(line) or _DIVIDER.match(line) or _begins_header(lines, number):
            break
        length = _attribution(lines, number)
        if length:
            if not _quote_follows(lines, number + length - 1):
                break
            wrapped = length == 2  # answers may stand between and below the quoted lines
            continue
        if not _QUOTE.match(line):
            kept.append(line)
    return _BLANK_LINES.sub("\n\n", "\n".join(kept)).strip()


def _attribution(lines: list[str], number: int) -> int:
    """Return how many lines the attribution has that begins here: one, two when wrapped, else 0."""
    line = lines[number]
    if line.endswith((":", "：")):
        return 1 if _ATTRIBUTION.match(line[:600]) else 0
    following = lines[number + 1] if number + 1 < len(lines) else ""
    if not (line.lstrip().startswith("On ") and following.endswith(("wrote:", "wrote："))):
        return 0
    return 2 if _ATTRIBUTION.match(f"{line} {following}"[:600]) else 0


def _quote_follows(lines: list[str], number: int) -> bool:
    following = islice((line for line in lines[number + 1 : number + 8] if line), 2)
    return any(_QUOTE.match(line) for line in following)


def _begins_header(lines: list[str], number: int) -> bool:
    """Say whether the header of a quoted mail begins here: a From line with another one below."""
    if not _HEADER.match(lines[number][:200]):
        return False
    return any(_NEXT_HEADER.match(line[:200]) for line in lines[number + 1 : number + 4])


def html_words(markup: str) -> str:
    """Return the text of an HTML mail, without what it quotes. Only its head is read when it is long.

    The parser of the standard library needs quadratic time for marks that are never closed.
    """
    pieces: list[str] = []
    silent, at = 0, 0
    markup = _without_comments(markup[:_MAX_HTML])
    for found in _MARK.finditer(markup):
        if not silent:
            pieces.append(_plain(markup[at : found.start()]))
        at = found.end()
        tag = (found[2] or "").lower()
        if tag in _BLOCKS:
            pieces.append("\n")
        if tag == "body":
            silent = 0
        elif tag in _SILENT:
            silent = max(silent - 1, 0) if found[1] else silent + 1
    if not silent:
        pieces.append(_plain(markup[at:]))
    lines = (_SPACE.sub(" ", line).strip() for line in "".join(pieces).split("\n"))
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _without_comments(markup: str) -> str:
    kept: list[str] = []
    at = 0
    while (start := markup.find("<!--", at)) >= 0:
        kept.append(markup[at:start])
        end = markup.find("-->", start + 2)
        if end < 0:
            return "".join(kept)
        at = end + 3
    return "".join(kept) + markup[at:]


def _plain(words: str) -> str:
    return unescaped(words.replace("\n", " ")).replace("\xa0", " ")
