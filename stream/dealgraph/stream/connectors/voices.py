"""Who says what within a cue of a transcript, in the styles that are in use.

`<v Name>text</v>` (WebVTT, Teams), `Name: text` (Zoom), `(Name) text`. Without a voice tag, words before a
colon or in brackets are a speaker when the roster knows them, or when they are written like a name: at
most four words that begin with a capital letter or are not of a script that has them.
"""

import re
from collections.abc import Callable
from typing import Final

from dealgraph.stream.connectors.entities import unescaped

# A mark holds no "<": so one that is never closed is not looked for to the end, again and again.
_VOICE: Final = re.compile(r"<v(?:\.[^\s<>]*)?(?:\s([^<>]*))?>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_COLON: Final = re.compile(r"([^:：<>.!?。！？,，\n]{1,60})[:：]\s*(?=\S)")
_BRACKETS: Final = re.compile(r"[(（]([^()（）\n]{1,60})[)）][:：]?\s*(?=\S)")
_SPACE: Final = re.compile(r"\s+")
_MAX_WORDS: Final = 4


def voices(payload: str, knows: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Return (speaker label, words) in order; the label is "" where none is written.

    `knows` says whether the roster has a label. What has no words is left out.
    """
    found = list(_VOICE.finditer(payload))
    if not found:
        spoken = [_labelled(payload, knows)]
    else:
        spoken = [("", payload[: found[0].start()])]
        ends = [later.start() for later in found[1:]] + [len(payload)]
        for voice, end in zip(found, ends, strict=True):
            spoken.append((voice[1] or "", payload[voice.end() : end]))
    cleaned = [(_plain(label), _plain(words)) for label, words in spoken]
    return [(label, words) for label, words in cleaned if words]


def _labelled(payload: str, knows: Callable[[str], bool]) -> tuple[str, str]:
    text = _TAG.sub("", payload).lstrip()
    for pattern in (_COLON, _BRACKETS):
        found = pattern.match(text)
        if found is not None and (knows(_plain(found[1])) or _is_name(found[1])):
            return found[1], text[found.end() :]
    return "", text


def _is_name(label: str) -> bool:
    words = label.split()
    return 0 < len(words) <= _MAX_WORDS and all(
        word[0].isalpha() and not word[0].islower() for word in words
    )


def _plain(text: str) -> str:
    words = unescaped(_TAG.sub("", text)).replace("\0", "\ufffd")
    return _SPACE.sub(" ", words).strip()
