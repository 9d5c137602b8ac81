"""What a model's scores say of topics and kinds, within what can be."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from dealgraph.graph.model import ActionKind, Side, Topic, topic_set
from dealgraph.stream.tagging.grams import Places
from dealgraph.stream.tagging.linear_model import Doubles, Head, decide, probabilities

OTHER: Final = "other"
"""The class of a head of kinds that leaves the kind to the rules."""

_OVER_PROMISE: Final = topic_set(Topic.OVER_PROMISE)
_NEEDS: Final = {
    ActionKind.DELIVERY_CONCERN: Topic.DELIVERY,
    ActionKind.NEXT_STEP: Topic.NEXT_STEP,
    ActionKind.PRICE_TALK: Topic.PRICE,
    ActionKind.COMPETITOR_MENTION: Topic.COMPETITOR,
    ActionKind.LEGAL_TOPIC: Topic.LEGAL,
}
"""Kinds that are about a topic."""
_SURE: Final = 0.7
"""How likely a kind must be to be told beside the rules."""


class TopicTeller:
    """Tells the topics of texts by a head of topics."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.bits = np.array([topic_set(Topic[name]) for name in head.classes], np.int64)
        self.known = int(self.bits.sum())

    def tell(self, scores: Doubles, by_words: Places, stated: Places, sides: Places) -> Places:
        """Return the sets of topics: the model's, those it does not know, and those that are stated."""
        told = decide(self.head, probabilities(self.head, scores)) @ self.bits
        topics = told | by_words & ~self.known | stated
        return np.where(sides == Side.REP, topics, topics & ~_OVER_PROMISE)


class KindTeller:
    """Tells the kinds of texts by a head of kinds."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.kinds = [None if name == OTHER else ActionKind[name] for name in head.classes]
        self.needs = np.array(
            [topic_set(_NEEDS[kind]) if kind in _NEEDS else 0 for kind in self.kinds], np.int64
        )
        self.concern = np.array([kind is ActionKind.DELIVERY_CONCERN for kind in self.kinds])

    def tell(
        self,
        scores: Doubles,
        topics: Places,
        sides: Places,
        by_rules: Sequence[tuple[ActionKind, float]],
    ) -> list[tuple[ActionKind, float]]:
        """Return the likeliest kind that can be, and how likely it is."""
        likely = probabilities(self.head, scores)
        out = (topics[:, None] & self.needs) != self.needs
        out |= self.concern & (sides == Side.REP)[:, None]
        likely = np.where(out, 0.0, likely)
        best = likely.argmax(axis=1)
        sure = likely[np.arange(len(best)), best]
        return [
            rules if (kind := self.kinds[at]) is None else (kind, share)
            for at, share, rules in zip(best.tolist(), sure.tolist(), by_rules, strict=True)
        ]

    def add(
        self, scores: Doubles, by_rules: Sequence[tuple[ActionKind, float]], plain: Sequence[bool]
    ) -> list[tuple[ActionKind, float]]:
        """Return the kind by rules, but the likeliest one where they found nothing and it is sure enough."""
        likely = probabilities(self.head, scores)
        best = likely.argmax(axis=1)
        sure = likely[np.arange(len(best)), best]
        return [
            (kind, share)
            if open_ and share >= _SURE and (kind := self.kinds[at]) is not None
            else rules
            for at, share, rules, open_ in zip(
                best.tolist(), sure.tolist(), by_rules, plain, strict=True
            )
        ]
