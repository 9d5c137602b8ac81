"""Grammars of talk: how a subject is asked about, told, worried about, answered, in many words.

A grammar is YAML. A production is a text with

    [a|b|c]   one of the alternatives, each as likely as the others; they may nest and be empty
    {name}    one of the productions listed under `symbols: name`
    <name>    a slot, filled with what the conversation is about (a product, a competitor, a person)
    ~         at the very beginning: the sentence says it indirectly

`subjects` group what belongs together, so that an answer follows its question: each has `topics` and,
per act, productions, one a line. The grammar is compiled once into nested tuples; drawing a sentence
costs one random number per alternative.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Final

from msgspec import Struct

from dealgraph.graph.model import Topic, topic_set
from dealgraph.stream.connectors.documents import parse_document

_TOKEN: Final = re.compile(r"\[|\]|\||\{(\w+)\}|<(\w+)>")
Node = str | int | tuple[tuple["Node", ...], ...]
"""A text, the number of a slot, or a tuple of alternatives, each a sequence of nodes."""

SLOTS: Final = ("product", "competitor", "other", "rep", "customer", "person", "system")
"""The slots of a conversation, in the order in which they are filled."""


class GrammarError(Exception):
    """A grammar cannot be compiled; the message names the production."""


class SubjectDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A subject as it is written: its topics (names of `graph.model.Topic`) and productions per act.

    Of the customer: `ask`, `say`, `worry` and `agree`; of the rep: `answer`, `tell`, `probe`. Each is a
    text with a production per line.
    """

    topics: tuple[str, ...] = ()
    ask: str = ""
    say: str = ""
    worry: str = ""
    agree: str = ""
    answer: str = ""
    tell: str = ""
    probe: str = ""


class GrammarDocument(Struct, frozen=True, forbid_unknown_fields=True):
    """A grammar as it is written: a production per line; `frames` surround what is said."""

    symbols: dict[str, str] = {}
    subjects: dict[str, SubjectDocument] = {}
    frames: dict[str, str] = {}


class Production(Struct, frozen=True, gc=False):
    """A compiled production and the number it has within its language."""

    number: int
    nodes: tuple[Node, ...]
    indirect: bool


class Subject(Struct, frozen=True):
    """Something that is talked about. `topics` is a set as in `graph.model.Topic`."""

    name: str
    topics: int
    acts: Mapping[str, Sequence[Production]]


ACTS: Final = ("ask", "say", "worry", "agree", "answer", "tell", "probe")
"""The acts of a subject."""


class Grammar:
    """A language: its subjects, and frames (openings, fillers, moods), both by name.

    `groups` are the subjects by the first part of their names, "price" of "price.discount".
    """

    def __init__(self, language: str, documents: Sequence[GrammarDocument]) -> None:
        self.language = language
        symbols: dict[str, Sequence[str]] = {}
        for document in documents:
            symbols.update({name: _lines(text) for name, text in document.symbols.items()})
        self._compiler = _Compiler(symbols)
        self._count = 0
        parts: dict[str, list[SubjectDocument]] = {}
        for document in documents:
            for name, part in document.subjects.items():
                parts.setdefault(name, []).append(part)
        self.subjects = {name: self._subject(name, found) for name, found in parts.items()}
        self.groups: dict[str, tuple[Subject, ...]] = {}
        for name, subject in self.subjects.items():
            group = name.partition(".")[0]
            self.groups[group] = (*self.groups.get(group, ()), subject)
        frames: dict[str, list[str]] = {}
        for document in documents:
            for name, text in document.frames.items():
                frames.setdefault(name, []).append(text)
        self.frames = {name: self._productions("\n".join(texts)) for name, texts in frames.items()}

    def _subject(self, name: str, parts: Sequence[SubjectDocument]) -> Subject:
        """Compile what all files say of a subject."""
        topics = topic_set(*(Topic[topic.upper()] for part in parts for topic in part.topics))
        acts = {
            act: self._productions("\n".join(getattr(part, act) for part in parts)) for act in ACTS
        }
        return Subject(name, topics, {act: found for act, found in acts.items() if found})

    def _productions(self, text: str) -> tuple[Production, ...]:
        return tuple(self._production(line) for line in _lines(text))

    def _production(self, text: str) -> Production:
        self._count += 1
        indirect = text.startswith("~")
        return Production(self._count, self._compiler.sequence(text[indirect:]), indirect)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


class _Compiler:
    def __init__(self, symbols: Mapping[str, Sequence[str]]) -> None:
        self._symbols = symbols
        self._done: dict[str, Node] = {}
        self._open: set[str] = set()

    def sequence(self, text: str) -> tuple[Node, ...]:
        """Compile a production into a sequence of nodes; raises GrammarError."""
        whole = text + "]"
        alternatives, end = self._alternatives(whole, 0)
        if end != len(whole) or len(alternatives) != 1:
            raise GrammarError(f"a ] without its [, or a | outside brackets, in {text!r}")
        return alternatives[0]

    def _alternatives(self, text: str, at: int) -> tuple[tuple[tuple[Node, ...], ...], int]:
        """Return the alternatives up to the closing bracket, and the place after it."""
        found: list[tuple[Node, ...]] = []
        nodes: list[Node] = []
        while (token := _TOKEN.search(text, at)) is not None:
            if token.start() > at:
                nodes.append(text[at : token.start()])
            at = token.end()
            if token[0] == "[":
                choice, at = self._alternatives(text, at)
                nodes.append(choice)
            elif token[0] in "|]":
                found.append(tuple(nodes))
                nodes = []
                if token[0] == "]":
                    return tuple(found), at
            elif token[1]:
                nodes.append(self._symbol(token[1], text))
            else:
                nodes.append(_slot(token[2], text))
        raise GrammarError(f"a [ that is not closed in {text[:-1]!r}")

    def _symbol(self, name: str, text: str) -> Node:
        if name not in self._symbols:
            raise GrammarError(f"there is no symbol {{{name}}}, named in {text!r}")
        if name in self._open:
            raise GrammarError(f"the symbol {{{name}}} leads back to itself")
        if name not in self._done:
            self._open.add(name)
            self._done[name] = tuple(self.sequence(one) for one in self._symbols[name])
            self._open.discard(name)
        return self._done[name]


def _slot(name: str, text: str) -> int:
    if name not in SLOTS:
        raise GrammarError(f"there is no slot <{name}>, named in {text!r}; known: {SLOTS}")
    return SLOTS.index(name)


def spoken(nodes: Sequence[Node], unit: Callable[[], float], slots: Sequence[str]) -> str:
    """Draw a sentence of a production; `slots` in the order of `SLOTS`."""
    parts: list[str] = []
    _speak(nodes, unit, slots, parts)
    return "".join(parts)


def _speak(
    nodes: Sequence[Node], unit: Callable[[], float], slots: Sequence[str], parts: list[str]
) -> None:
    for node in nodes:
        if type(node) is str:
            parts.append(node)
        elif type(node) is tuple:
            _speak(node[int(unit() * len(node))], unit, slots, parts)
        else:
            parts.append(slots[node])  # type: ignore[index]  # narrowed by `type`, for speed


def forms(nodes: Sequence[Node]) -> int:
    """Return how many sentences a production can draw, its slots counted once."""
    product = 1
    for node in nodes:
        if isinstance(node, tuple):
            product *= sum(forms(sequence) for sequence in node)
    return product


@cache
def grammar(language: str) -> Grammar:
    """Return the shipped grammar of a language: all files `grammars/LANGUAGE-*.yaml` together."""
    folder = resources.files(__package__).joinpath("grammars")
    files = sorted(
        (file for file in folder.iterdir() if file.name.startswith(f"{language}-")),
        key=lambda file: file.name,
    )
    if not files:
        raise GrammarError(f"there is no grammar of the language {language!r}")
    return Grammar(
        language,
        [parse_document(file.read_bytes(), GrammarDocument, file.name) for file in files],
    )
