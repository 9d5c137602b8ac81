"""What a model says of the mood of customers: good or bad, how stirred, and what it is called."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from dealgraph.graph.model import Emotion, Feeling
from dealgraph.stream.tagging.linear_model import Doubles, Head, decide

GOOD, NEUTRAL, BAD = "good", "neutral", "bad"
"""Classes of a head of moods."""


class Mood(Struct, frozen=True):
    """Where a feeling lies: valence in [-1, 1], arousal in [0, 1]."""

    valence: float
    arousal: float


MOODS: Final = {
    "neutral": Mood(0.0, 0.2),
    "calm": Mood(0.5, 0.2),
    "joy": Mood(0.8, 0.6),
    "surprise": Mood(0.0, 0.7),
    "anger": Mood(-0.8, 0.8),
    "disgust": Mood(-0.6, 0.5),
    "fear": Mood(-0.6, 0.6),
    "sadness": Mood(-0.7, 0.3),
}
"""The feelings that a model may name, about where Russell's circumplex (1980) has them."""


class Feelings:
    """A head of feelings, ready to be read.

    Drama is angrier than business. Probabilities are carried over to the shares assumed for business by
    p(c) share'(c) / share(c), brought to a sum of 1 (Saerens, Latinne and Decaestecker 2002).
    """

    def __init__(self, head: Head) -> None:
        self.valence = np.array([MOODS[name].valence for name in head.classes])
        self.arousal = np.array([MOODS[name].arousal for name in head.classes])
        shares = np.array(head.shares)
        self.factor = np.ones(len(shares))
        for sign, share in _SHARES.items():
            members = np.sign(self.valence) == sign
            self.factor[members] = share / max(float(shares[members].sum()), 1e-6)
        self.good = (self.valence > 0).astype(float)
        self.bad = (self.valence < 0).astype(float)
        self.names = [Feeling[name.upper()] for name in head.classes]

    def carried(self, likely: Doubles) -> Doubles:
        """Return the probabilities with the shares of business."""
        carried = likely * self.factor
        return np.asarray(carried / carried.sum(axis=1, keepdims=True))

    def name(self, carried: Doubles, valences: Sequence[float]) -> list[Feeling]:
        """Return per text the likeliest feeling that has the sign of its valence, or UNKNOWN."""
        fits = np.sign(self.valence) == np.sign(np.array(valences))[:, None]
        best = np.where(fits, carried, -1.0).argmax(axis=1)
        return [
            self.names[at] if fits[row, at] else Feeling.UNKNOWN
            for row, at in enumerate(best.tolist())
        ]

    def moods(self, carried: Doubles) -> list[Emotion | None]:
        """Return the mood per text where it is surely good or bad, else None."""
        good, bad = carried @ self.good, carried @ self.bad
        valence, arousal = carried @ self.valence, carried @ self.arousal
        return [
            Emotion(v, a, max(up, down)) if abs(up - down) >= _SURE_OF_MOOD else None
            for v, a, up, down in zip(
                valence.tolist(), arousal.tolist(), good.tolist(), bad.tolist(), strict=True
            )
        ]


_SHARES: Final = {-1: 0.2, 0: 0.6, 1: 0.2}
"""Shares of bad, neutral and good moods that are assumed of talk in business."""
_SURE_OF_MOOD: Final = 0.25
"""Least |P(good) - P(bad)| at which a mood is told by feelings alone."""


def moods(head: Head, likely: Doubles, known: Sequence[Emotion]) -> list[Emotion]:
    """Return the mood per text by a head of moods; `known` is what the words of the lexicon say.

    The head decides whether it is good, neutral or bad, having seen the words of the lexicon, too. How good
    or bad, the words say where they agree; else it is the surer the stronger.
    """
    chosen = decide(head, likely).argmax(axis=1)
    found = []
    for row, (at, words) in enumerate(zip(chosen.tolist(), known, strict=True)):
        name, sure = head.classes[at], float(likely[row, at])
        sign = (name == GOOD) - (name == BAD)
        if sign == 0:
            found.append(Emotion(0.0, words.arousal, sure))
        elif sign * words.valence >= 0.2:
            found.append(Emotion(words.valence, words.arousal, sure))
        else:
            found.append(Emotion(sign * (0.2 + 0.5 * sure), max(words.arousal, 0.4), sure))
    return found
