"""Training: from labelled dialogues to a linear model, calibrated on dialogues that its weights had not seen.

Needs scikit-learn and scipy (`pip install "dealgraph[train]"`); what it makes needs neither.

Per question the weights are those of a logistic regression (several classes per text: one per class, together
with one on features scaled by their log-count ratio, after Wang and Manning 2012). Classes weigh
alike where F1 is asked for, and as they are for accuracy. The strength of the weights is chosen by
cross-validation over whole dialogues, and the scores of the held-out dialogues fit slope and shift of the
probabilities (temperature scaling, Guo et al. 2017, with a shift per class) and the lean of the decision.
"""

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from msgspec import Struct, structs

from dealgraph.graph.model import Side
from dealgraph.stream.tagging.features import (
    Block,
    BlockKind,
    Features,
    Floats,
    features,
    needs_context,
    scales,
)
from dealgraph.stream.tagging.grams import Places
from dealgraph.stream.tagging.labelled import Labelled, Question, folds
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger, Reading, tags_of
from dealgraph.stream.tagging.linear_model import (
    CHUNK,
    Doubles,
    Head,
    LinearModel,
    decide,
    probabilities,
)
from dealgraph.stream.tagging.measures import Measure, Truth, lean_for, measure_of
from dealgraph.stream.tagging.model_file import ModelError
from dealgraph.stream.tagging.vectors import Vectors

MIN_TEXTS: Final = 20
"""A class that fewer texts have is left out; texts of it count as of no class."""

_STEPS: Final = 100
"""Steps of the solver at most."""

_RARE: Final = 2
"""A feature must stand in this many texts to be used."""


class Plan(Struct, frozen=True):
    """How to train: features, size of the table (2^bits rows), what to be good at, strengths to try.

    `vectors` are what a block of vectors knows of words.
    """

    blocks: tuple[Block, ...]
    measure: Measure
    bits: int = 18
    strengths: tuple[float, ...] = (0.5, 1.0, 2.0)
    folds: int = 5
    vectors: Vectors | None = None


class Corpus(Struct, frozen=True):
    """Texts with what the lexicon found in them."""

    labelled: Sequence[Labelled]
    readings: Sequence[Reading]

    def part(self, numbers: Sequence[int]) -> "Corpus":
        """Return the texts with these numbers."""
        return Corpus([self.labelled[n] for n in numbers], [self.readings[n] for n in numbers])


def read_corpus(labelled: Sequence[Labelled], lexicon: LexiconTagger) -> Corpus:
    """Return the labelled texts with the readings of `lexicon`."""
    return Corpus(labelled, [lexicon.read(one.said.text) for one in labelled])


def train(corpus: Corpus, asked: Sequence[Question], plan: Plan, title: str) -> LinearModel:
    """Return a model with a head per question. `title` says what it was trained on, for its card.

    Raises ModelError when a question has too few labelled texts or classes.
    """
    design = design_of(corpus, plan)
    heads: list[Head] = []
    columns: list[Floats] = []
    for question in asked:
        head, weights = _train_head(corpus, design.matrix, question, plan)
        heads.append(head)
        columns.append(np.asarray(design.spread @ weights, np.float32) * design.rarity[:, None])
    table = np.concatenate(columns, axis=1)
    model = LinearModel(tuple(heads), plan.blocks, plan.bits, design.used, design.rarity, table, "")
    return structs.replace(model, card=_card(model, plan, title))


def labels_of(corpus: Corpus, head: Head) -> tuple[list[int], Truth]:
    """Return the numbers of the texts that the head's question was answered for, and their classes."""
    numbers = [at for at, one in enumerate(corpus.labelled) if head.name in one.labels]
    truth = np.zeros((len(numbers), len(head.classes)), bool)
    column = {name: at for at, name in enumerate(head.classes)}
    for row, number in enumerate(numbers):
        for name in corpus.labelled[number].labels[head.name]:
            if name in column:
                truth[row, column[name]] = True
    return numbers, truth


def lexicon_key(reading: Reading) -> str:
    """Return what the lexicon alone says about a text, in one word, to compare with."""
    tags = tags_of(reading, Side.CUSTOMER, with_emotion=True)
    valence = tags.emotion.valence if tags.emotion else 0.0
    return f"{tags.kind.name.lower()}/{'+' if valence > 0.2 else '-' if valence < -0.2 else '0'}"


class Design(Struct, frozen=True):
    """What weights are fitted on: `matrix` of (texts, inputs), the `used` rows and their rarity.

    `spread` of (used rows, inputs) carries weights of inputs over to rows: an input is a row, or one
    dimension of the vectors, of which each row of a word holds its own share. So a word that no text of the
    training holds has the weights of words that are used alike, and a vector costs no more than a word.
    """

    matrix: Any
    used: Places
    rarity: Floats
    spread: Any


def design_of(corpus: Corpus, plan: Plan) -> Design:
    """Return the design of a corpus."""
    from scipy.sparse import csr_matrix, hstack, identity  # type: ignore[import-untyped,unused-ignore]

    said = [one.said for one in corpus.labelled]
    batches = [
        features(said[at : at + CHUNK], corpus.readings[at : at + CHUNK], plan.blocks, plan.bits)
        for at in range(0, len(said), CHUNK)
    ]
    vector = next((n for n, b in enumerate(plan.blocks) if b.kind is BlockKind.VECTORS), -1)
    rarity = _rarity(batches, plan, len(said), vector)
    known, coordinates = np.zeros(0, np.int64), np.zeros((0, 0), np.float32)
    if plan.vectors is not None and vector >= 0:
        known, shares, coordinates = plan.vectors.rows(vector, plan.bits)
        free = rarity[known] == 0  # a row that a text uses already stays that text's
        known, coordinates = known[free], coordinates[free]
        rarity[known] = shares[free]
    rarity = rarity.astype(np.float16).astype(np.float32)  # as the file will hold it
    used = np.flatnonzero(rarity)
    place = np.full(1 << plan.bits, -1, np.int64)
    place[used] = np.arange(len(used))
    values = np.concatenate(
        [rarity[given.rows] * scales(given, plan.blocks, rarity) for given in batches]
    )
    rows = np.concatenate([given.rows for given in batches])
    texts = np.concatenate([given.texts + at * CHUNK for at, given in enumerate(batches)])
    kept = rarity[rows] > 0
    whole = csr_matrix(
        (values[kept], (texts[kept], place[rows[kept]])), shape=(len(said), len(used))
    )
    plain = np.setdiff1d(np.arange(len(used)), place[known])
    wide = coordinates.shape[1]
    line, column = np.repeat(place[known], wide), np.tile(np.arange(wide), len(known))
    vectors = csr_matrix((coordinates.ravel(), (line, column)), shape=(len(used), wide))
    spread = hstack([identity(len(used), format="csc", dtype=np.float32)[:, plain], vectors])
    return Design((whole @ spread).tocsr(), used, rarity[used], spread.tocsr())


def _rarity(batches: Sequence[Features], plan: Plan, texts: int, without: int) -> Floats:
    """Return the rarity of every row, 0 where fewer than `_RARE` texts use it; block `without` counts not."""
    seen = np.zeros(1 << plan.bits, np.int64)
    for given in batches:
        kept = given.blocks != without
        pairs = np.unique(given.texts[kept] * (1 << plan.bits) + given.rows[kept])
        seen += np.bincount(pairs % (1 << plan.bits), minlength=1 << plan.bits)
    return np.where(seen >= _RARE, np.log((1 + texts) / (1 + seen)) + 1, 0).astype(np.float32)


def _train_head(corpus: Corpus, matrix: Any, question: Question, plan: Plan) -> tuple[Head, Floats]:
    measure = question.measure or plan.measure
    head = _empty_head(corpus, question)
    numbers, truth = labels_of(corpus, head)
    if not question.several:
        kept = np.flatnonzero(truth.any(1)).tolist()
        numbers, truth = [numbers[at] for at in kept], truth[kept]
    given = matrix[numbers]
    parts = folds([corpus.labelled[n] for n in numbers], plan.folds)
    best: tuple[float, float, Head] | None = None
    for strength in plan.strengths:
        scores = np.zeros(truth.shape)
        for part in parts:
            rest = np.setdiff1d(np.arange(len(numbers)), part)
            weights, bias = _fit(given[rest], truth[rest], head, measure, strength)
            scores[part] = given[part] @ weights + bias
        calibrated = _calibrate(head, scores, truth, measure)
        likely = probabilities(calibrated, scores)
        reached = measure_of(measure, truth, decide(calibrated, likely))
        if best is None or reached > best[0]:
            best = reached, strength, calibrated
    if best is None:
        raise ModelError("Give at least one strength to try.")
    weights, bias = _fit(given, truth, head, measure, best[1])
    return structs.replace(best[2], bias=tuple(map(float, bias))), weights.astype(np.float32)


def _empty_head(corpus: Corpus, question: Question) -> Head:
    counts: Counter[str] = Counter()
    by_key: dict[str, Counter[tuple[str, ...]]] = {}
    for one, reading in zip(corpus.labelled, corpus.readings, strict=True):
        found = one.labels.get(question.name)
        if found is not None:
            counts.update(set(found))
            by_key.setdefault(lexicon_key(reading), Counter())[found] += 1
    classes = tuple(name for name, count in counts.most_common() if count >= MIN_TEXTS)
    if len(classes) < 2:
        raise ModelError(
            f"Label {question.name!r}: fewer than two classes have {MIN_TEXTS} texts. Give more "
            "files, or check the mapping."
        )
    total = sum(sum(found.values()) for found in by_key.values())
    zeros = (0.0,) * len(classes)
    return Head(
        question.name, classes, question.several, zeros, (1.0,) * len(classes), zeros, zeros,
        tuple(counts[name] / total for name in classes),
        {key: found.most_common(1)[0][0] for key, found in sorted(by_key.items())},
    )  # fmt: skip


def _fit(
    given: Any, truth: Truth, head: Head, measure: Measure, strength: float
) -> tuple[Doubles, Doubles]:
    """Return weights (rows, classes) and bias (classes)."""
    from sklearn.linear_model import (  # type: ignore[import-untyped,unused-ignore]
        LogisticRegression,
    )

    if head.several:
        columns = [_fit_one(given, column, strength) for column in truth.T]
        return np.stack([w for w, _ in columns], axis=1), np.array([b for _, b in columns])
    number = truth.argmax(1)
    counts = np.bincount(number, minlength=truth.shape[1])
    power = 0.0 if measure is Measure.ACCURACY else 1.0
    weight = {
        at: float((len(number) / (len(counts) * count)) ** power)
        for at, count in enumerate(counts)
        if count
    }
    regression = LogisticRegression(C=strength, class_weight=weight, max_iter=_STEPS, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it stops early: more steps change no decision
        fitted = regression.fit(given, number)
    weights, bias = np.zeros((given.shape[1], len(counts))), np.full(len(counts), -20.0)
    if len(fitted.classes_) == 2:
        weights[:, fitted.classes_[1]], bias[fitted.classes_] = (
            fitted.coef_[0],
            (0, fitted.intercept_[0]),
        )
    else:
        weights[:, fitted.classes_], bias[fitted.classes_] = fitted.coef_.T, fitted.intercept_
    return weights, bias


def _fit_one(given: Any, column: np.ndarray, strength: float) -> tuple[Doubles, float]:
    """Return weights and bias of one class: the mean of two regressions, each on scores of spread 1."""
    from scipy.sparse import diags
    from sklearn.linear_model import LogisticRegression

    if not column.any():
        return np.zeros(given.shape[1]), -20.0
    weight = {True: float(((~column).sum() / column.sum()) ** 0.5), False: 1.0}
    size = abs(given)  # dimensions of vectors may lie below 0
    yes = np.asarray(size[column].sum(0)).ravel() + 0.1
    no = np.asarray(size[~column].sum(0)).ravel() + 0.1
    ratio = np.log((yes / yes.sum()) / (no / no.sum()))
    weights, bias = np.zeros(given.shape[1]), 0.0
    for scale, power in ((np.ones_like(ratio), strength), (ratio, strength / 8)):
        scaled = given @ diags(scale)
        fitted = LogisticRegression(
            C=power, class_weight=weight, solver="liblinear", max_iter=80
        ).fit(scaled, column)
        spread = float(np.std(scaled @ fitted.coef_[0])) or 1.0
        weights += fitted.coef_[0] * scale / spread
        bias += float(fitted.intercept_[0]) / spread
    return weights, bias


def _calibrate(head: Head, scores: Doubles, truth: Truth, measure: Measure) -> Head:
    """Return the head with slope and shift of least log loss on `scores`, and the lean for `measure`.

    Heads of one label have one slope, so that a lean of minus `shift` decides as the scores alone do. From
    there the lean goes half the way to what is best on `scores`: the rest is mostly chance.
    """
    from scipy.optimize import minimize

    classes = truth.shape[1]
    slopes = classes if head.several else 1

    def at(point: Doubles) -> Head:
        slope = np.broadcast_to(point[:slopes], (classes,))
        return structs.replace(
            head, slope=tuple(map(float, slope)), shift=tuple(map(float, point[slopes:]))
        )

    def loss(point: Doubles) -> float:
        likely = np.clip(probabilities(at(point), scores), 1e-9, 1 - 1e-9)
        if head.several:
            return float(-np.where(truth, np.log(likely), np.log(1 - likely)).mean())
        return float(-np.log(likely[truth]).mean() + 1e-3 * np.square(point[slopes:]).mean())

    found = minimize(loss, np.append(np.ones(slopes), np.zeros(classes)), method="L-BFGS-B")
    head = at(found.x)
    likely = probabilities(head, scores)

    def guess(lean: Doubles) -> Truth:
        return decide(structs.replace(head, lean=tuple(map(float, lean))), likely)

    if measure is Measure.ACCURACY and not head.several:
        return head  # the likeliest class is the best decision
    start = np.zeros(classes) if head.several else -np.array(head.shift)
    lean = lean_for(measure, truth, guess, start)
    if not head.several:
        lean = (start + lean) / 2
    return structs.replace(head, lean=tuple(map(float, lean)))


def _card(model: LinearModel, plan: Plan, title: str) -> str:
    lines = [
        "# Model card", "", f"Trained on: {title}", "",
        "Linear models over hashed words and characters; `dealgraph tag evaluate` judges them.",
        f"Uses what came before in the dialogue: {'yes' if needs_context(plan.blocks) else 'no'}.",
        f"Tuned for: {plan.measure}.", "",
        "| head | classes (share in training) |", "|---|---|",
    ]  # fmt: skip
    for head in model.heads:
        shares = zip(head.classes, head.shares, strict=True)
        lines.append(f"| {head.name} | {', '.join(f'{n} ({s:.1%})' for n, s in shares)} |")
    lines += [
        "", "Not for: judging people. It says how a text sounds beside the texts it was trained on; "
        "irony, dialect and other trades are read worse. Emotion of employees must not be inferred with it.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
