import numpy as np
import pytest

from dealgraph.stream.tagging.features import DIALOGUE
from dealgraph.stream.tagging.judging import judge, judge_by_folds
from dealgraph.stream.tagging.labelled import Question
from dealgraph.stream.tagging.linear_model import probabilities
from dealgraph.stream.tagging.measures import Measure
from dealgraph.stream.tagging.model_file import ModelError
from dealgraph.stream.tagging.training import Plan, train
from tests.support.dialogues import FEELING, TRAITS, corpus, trained

SMALL = Plan(DIALOGUE, Measure.MACRO_F1, bits=12, strengths=(2.0,), folds=3)


@pytest.mark.parametrize("question", [FEELING, TRAITS])
def test_a_model_tells_apart_what_it_was_shown_and_beats_majority_and_lexicon(
    question: Question,
) -> None:
    verdicts = judge(trained(question), corpus(20, seed=2))
    found = {one.measure: one for one in verdicts}[Measure.MACRO_F1]
    assert found.model > 0.9
    assert found.model > max(found.majority, found.lexicon)
    assert found.low <= found.model <= found.high
    assert found.calibration_error < 0.1


def test_the_same_dialogues_give_the_same_model() -> None:
    first, second = trained(), trained()
    assert np.array_equal(first.table, second.table)
    assert first.heads == second.heads


def test_cross_validation_judges_every_text_once() -> None:
    verdicts = judge_by_folds(corpus(24), [FEELING], SMALL, 3)
    assert {one.texts for one in verdicts} == {24 * 6}
    assert all(one.model > 0.8 for one in verdicts)


def test_probabilities_of_one_label_sum_to_one() -> None:
    model, given = trained(), corpus(5, seed=3)
    scores = model.scores([one.said for one in given.labelled], given.readings)[0]
    assert np.allclose(probabilities(model.heads[0], scores).sum(axis=1), 1.0)


def test_a_label_with_too_few_texts_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="'mood'"):
        train(corpus(4), [Question("mood", several=False)], SMALL, "")


def test_the_card_names_the_data_and_the_classes() -> None:
    card = trained().card
    assert "made-up dialogues" in card
    assert "joy" in card
    assert "Not for" in card
