"""Judging a model beside the majority and the lexicon alone, on dialogues it has not seen."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from dealgraph.stream.tagging.labelled import Question, folds
from dealgraph.stream.tagging.linear_model import (
    Doubles,
    Head,
    LinearModel,
    decide,
    probabilities,
)
from dealgraph.stream.tagging.measures import (
    Measure,
    Truth,
    calibration_error,
    interval,
    measure_of,
)
from dealgraph.stream.tagging.training import Corpus, Plan, labels_of, lexicon_key, train


class Verdict(Struct, frozen=True):
    """How good a head is by one measure. `texts` were judged, of which `unknown` have no class it knows."""

    label: str
    measure: str
    texts: int
    unknown: int
    model: float
    low: float
    high: float
    majority: float
    lexicon: float
    calibration_error: float


class _Guesses(Struct, frozen=True):
    """Truth and guesses of one head, with the dialogue of each text by number."""

    truth: Truth
    likely: Doubles
    guess: Truth
    majority: Truth
    lexicon: Truth
    dialogues: tuple[str, ...]


def judge(model: LinearModel, corpus: Corpus, wanted: Sequence[str] = ()) -> list[Verdict]:
    """Return a verdict per head and measure, for the heads whose label the corpus states."""
    found: list[Verdict] = []
    for at, head in enumerate(model.heads):
        if not wanted or head.name in wanted:
            guesses = _guess(model, at, corpus)
            if len(guesses.truth):
                found += _verdicts(head, guesses)
    return found


def judge_by_folds(
    corpus: Corpus, asked: Sequence[Question], plan: Plan, count: int
) -> list[Verdict]:
    """Return verdicts on models trained anew without the fold they are judged on, taken together."""
    found: list[Verdict] = []
    for question in asked:
        numbers = [n for n, one in enumerate(corpus.labelled) if one.labels.get(question.name)]
        whole = corpus.part(numbers)
        parts: list[_Guesses] = []
        classes: tuple[str, ...] = ()
        for fold in folds(whole.labelled, count):
            rest = np.setdiff1d(np.arange(len(numbers)), fold).tolist()
            model = train(whole.part(rest), [question], plan, "")
            classes = classes or model.heads[0].classes
            parts.append(_reorder(_guess(model, 0, whole.part(fold)), model.heads[0], classes))
        head = _named(question, classes)
        found += _verdicts(head, _together(parts))
    return found


def _guess(model: LinearModel, at: int, corpus: Corpus) -> _Guesses:
    head = model.heads[at]
    numbers, truth = labels_of(corpus, head)
    part = corpus.part(numbers)
    scores = model.scores([one.said for one in part.labelled], part.readings)[at]
    likely = probabilities(head, scores)
    majority = np.zeros_like(truth)
    majority[:, 0] = True
    lexicon = np.zeros_like(truth)
    for row, reading in enumerate(part.readings):
        for name in head.by_lexicon.get(lexicon_key(reading), head.classes[:1]):
            if name in head.classes:
                lexicon[row, head.classes.index(name)] = True
    dialogues = tuple(f"{one.dialogue}#{one.said.position // 500}" for one in part.labelled)
    return _Guesses(truth, likely, decide(head, likely), majority, lexicon, dialogues)


def _reorder(given: _Guesses, head: Head, classes: tuple[str, ...]) -> _Guesses:
    """Return the guesses with columns in the order of `classes`; a class the fold lacks is never guessed."""
    order = [head.classes.index(name) if name in head.classes else -1 for name in classes]

    def sorted_(part: np.ndarray) -> np.ndarray:
        wide = np.concatenate([part, np.zeros((len(part), 1), part.dtype)], axis=1)
        return np.asarray(wide[:, order])

    return _Guesses(
        sorted_(given.truth), sorted_(given.likely), sorted_(given.guess),
        sorted_(given.majority), sorted_(given.lexicon), given.dialogues,
    )  # fmt: skip


def _together(parts: Sequence[_Guesses]) -> _Guesses:
    return _Guesses(
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.likely for part in parts]),
        np.concatenate([part.guess for part in parts]),
        np.concatenate([part.majority for part in parts]),
        np.concatenate([part.lexicon for part in parts]),
        tuple(name for part in parts for name in part.dialogues),
    )


def _named(question: Question, classes: tuple[str, ...]) -> Head:
    nil = (0.0,) * len(classes)
    return Head(question.name, classes, question.several, nil, nil, nil, nil, nil, {})


def _verdicts(head: Head, given: _Guesses) -> list[Verdict]:
    names = {name: at for at, name in enumerate(dict.fromkeys(given.dialogues))}
    dialogues = np.array([names[name] for name in given.dialogues])
    measures = [Measure.MACRO_F1] if head.several else list(Measure)
    error = calibration_error(given.truth, given.guess, given.likely, several=head.several)
    found = []
    for measure in measures:
        low, high = interval(measure, given.truth, given.guess, dialogues)
        found.append(
            Verdict(
                head.name, measure.value, len(given.truth), int((~given.truth.any(1)).sum()),
                measure_of(measure, given.truth, given.guess), low, high,
                measure_of(measure, given.truth, given.majority),
                measure_of(measure, given.truth, given.lexicon), error,
            )
        )  # fmt: skip
    return found
