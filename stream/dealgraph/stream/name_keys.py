"""Names as they are compared: hanzi as pinyin, accents and case set aside, words in a fixed order."""

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from pypinyin import lazy_pinyin

_WORD: Final = re.compile(r"[^\W\d_]+")
_HANZI: Final = re.compile(r"[\u3400-\u9fff]+")


@lru_cache(1 << 16)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in alphabetical order; 王芳, "Wang Fang" and "fang, wang" are equal.

    Each Chinese character is a word of its own, in pinyin without tones: how a name is said outside
    Chinese systems. A name that has two readings has the usual one here.
    """
    return tuple(sorted(_words(name)))


@lru_cache(1 << 16)
def spellings(name: str) -> tuple[str, ...]:
    """Return a name without spaces, family name first and last: how 张伟洋, "Weiyang Zhang" are equal."""
    words = _words(name)
    turned = (words, words[1:] + words[:1], words[-1:] + words[:-1])
    return tuple(sorted({"".join(one) for one in turned if one}))


def _words(name: str) -> list[str]:
    """Return the words of a name in its own order, hanzi as pinyin, accents and case set aside."""
    spelled = _HANZI.sub(lambda found: f" {' '.join(lazy_pinyin(found[0]))} ", name)
    plain = unicodedata.normalize("NFKD", spelled).casefold()
    without_marks = "".join(c for c in plain if not unicodedata.combining(c))
    return _WORD.findall(without_marks)


@lru_cache(1 << 16)
def company_words(name: str, legal_forms: Collection[str]) -> tuple[str, ...]:
    """Return the words of a company's name without its legal form, or all if nothing else is left."""
    bare = name
    for form in sorted(legal_forms, key=len, reverse=True):
        if _HANZI.fullmatch(form):
            bare = bare.replace(form, " ")
    words = tuple(word for word in words_of(bare) if word not in legal_forms)
    return words or words_of(name)


def local_part(mail: str) -> str:
    """Return the letters of what stands before the @ of a mail address, in lower case."""
    return "".join(_WORD.findall(mail.partition("@")[0].casefold()))
