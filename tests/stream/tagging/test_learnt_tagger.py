import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from dealgraph.graph.model import ActionKind, Feeling, Side, Topic, topics_of
from dealgraph.stream.tagging.explaining import explain
from dealgraph.stream.tagging.features import DIALOGUE
from dealgraph.stream.tagging.learnt_tagger import LearntTagger, shipped_models
from dealgraph.stream.tagging.lexicon import Lexicon, Topics, shipped_lexicons
from dealgraph.stream.tagging.lexicon_tagger import LexiconTagger, load_default_tagger
from dealgraph.stream.tagging.model_file import ModelError
from dealgraph.stream.tagging.tags import Utterance
from tests.support.dialogues import FEELING, trained

LEXICON = load_default_tagger()
TAGGER = LearntTagger(LEXICON, shipped_models())
SALES = LearntTagger(LEXICON, shipped_models("sales"))
SMALL = LearntTagger(LEXICON, {"en": trained()})

UTTERANCES = st.builds(
    Utterance,
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["I hate waiting for you", "你烦不烦啊", "hooray splendid", "The price?"]),
    ),
    st.sampled_from(list(Side)),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(UTTERANCES, max_size=6))
def test_a_batch_gives_what_its_texts_give_alone_in_any_order(given_: list[Utterance]) -> None:
    for tagger in (TAGGER, SMALL):
        together = tagger.tag_all(given_)
        alone = [tagger.tag(u.text, u.side, with_emotion=u.with_emotion) for u in given_]
        assert [_rounded(tags) for tags in together] == [_rounded(tags) for tags in alone]
        backwards = tagger.tag_all(given_[::-1])[::-1]
        assert [_rounded(tags) for tags in backwards] == [_rounded(tags) for tags in together]


@settings(max_examples=60)
@given(UTTERANCES)
def test_emotion_is_for_customers_who_may_be_read_and_topics_no_model_knows_are_the_lexicons(
    one: Utterance,
) -> None:
    tags = SMALL.tag(one.text, one.side, with_emotion=one.with_emotion)
    plain = LEXICON.tag(one.text, one.side, with_emotion=one.with_emotion)
    assert tags.topics == plain.topics
    assert (tags.emotion is None) == (plain.emotion is None)
    if one.side is not Side.CUSTOMER or not one.with_emotion:
        assert tags.emotion is None


def test_the_model_speaks_of_moods_that_the_lexicon_does_not_know() -> None:
    text = "the train goes rotten"
    assert LEXICON.tag(text, Side.CUSTOMER, with_emotion=True).emotion is not None
    felt = SMALL.tag(text, Side.CUSTOMER, with_emotion=True).emotion
    assert felt is not None
    assert felt.valence < -0.2


def test_a_word_of_the_lexicon_goes_before_the_model() -> None:
    text = "rotten, but I am delighted"
    told = SMALL.tag(text, Side.CUSTOMER, with_emotion=True).emotion
    known = LEXICON.tag(text, Side.CUSTOMER, with_emotion=True).emotion
    assert told is not None
    assert structs.replace(told, feeling=Feeling.UNKNOWN) == known


def test_a_feeling_has_a_name_that_suits_its_valence() -> None:
    for text, names in {
        "I'm worried that it slips again": {Feeling.FEAR, Feeling.SADNESS, Feeling.ANGER},
        "太好了，谢谢！": {Feeling.JOY, Feeling.CALM},
        "We have twelve branches.": {Feeling.NEUTRAL, Feeling.SURPRISE},
    }.items():
        told = TAGGER.tag(text, Side.CUSTOMER, with_emotion=True).emotion
        assert told is not None
        assert told.feeling in names


def test_a_tenants_words_and_competitors_always_have_their_topic() -> None:
    own = Lexicon(language="en", topics=Topics(budget=("zorkmids",)))
    tagger = LearntTagger(
        LexiconTagger((*shipped_lexicons(), own), ("Gloop",)), shipped_models("sales")
    )
    told = topics_of(tagger.tag("Gloop, and zorkmids", Side.CUSTOMER, with_emotion=False).topics)
    assert {Topic.BUDGET, Topic.COMPETITOR} <= set(told)


def test_the_model_does_not_see_products_and_what_a_tenant_removes() -> None:
    own = Lexicon(language="en", remove=("price*",), hide=("cost of living",))
    lexicon = LexiconTagger((*shipped_lexicons(), own), (), ("Price-Pilot",))
    text = "Prices, the cost of living and Price Pilot"
    assert lexicon.left(text).split() == [",", "the", "and"]
    tagger = LearntTagger(lexicon, shipped_models("sales"))
    told = tagger.tag(text, Side.CUSTOMER, with_emotion=False).topics
    assert Topic.PRICE not in topics_of(told)


def test_only_a_rep_promises_too_much_and_has_no_concern() -> None:
    for text in (
        "guaranteed to double your sales, it never fails",
        "will it be delivered late again?",
    ):
        for side in (Side.REP, Side.CUSTOMER, Side.UNKNOWN):
            tags = SALES.tag(text, side, with_emotion=False)
            assert side is Side.REP or Topic.OVER_PROMISE not in topics_of(tags.topics)
            assert side is not Side.REP or tags.kind is not ActionKind.DELIVERY_CONCERN


def test_a_model_that_looks_at_what_came_before_is_refused() -> None:
    with pytest.raises(ModelError, match="Train it with --alone"):
        LearntTagger(LEXICON, {"en": trained(blocks=DIALOGUE, count=15)})


def test_a_model_with_strange_feelings_is_refused_by_name() -> None:
    model = trained(count=15)
    head = structs.replace(model.heads[0], classes=("joy", "saudade", "neutral"))
    with pytest.raises(ModelError, match="'saudade'"):
        LearntTagger(LEXICON, {"en": structs.replace(model, heads=(head,))})


def test_the_version_tells_models_and_words_apart() -> None:
    versions = {
        TAGGER.version,
        LearntTagger(LEXICON, {"en": shipped_models()["en"]}).version,
        LearntTagger(load_default_tagger(("Acme",)), shipped_models()).version,
    }
    assert len(versions) == 3


@pytest.mark.parametrize("text", ["I really hate this queue!", "怎么还没到啊", "no words", "ok"])
def test_what_features_add_and_the_bias_sum_to_the_score(text: str) -> None:
    for one in explain(TAGGER, text, Side.CUSTOMER).scores:
        assert one.bias + sum(part.adds for part in one.parts) == pytest.approx(one.score, abs=1e-4)


def test_an_explanation_names_words_of_the_text_and_of_the_lexicon() -> None:
    found = explain(SMALL, "a rotten price", Side.CUSTOMER)
    assert [word.text for word in found.words] == ["price"]
    anger = next(one for one in found.scores if one.name == "anger")
    assert anger.parts[0].name == "'rotten'"


def test_feelings_of_employees_are_not_explained_either() -> None:
    assert explain(SMALL, "a rotten price", Side.REP).scores == ()
    assert FEELING.name in {one.head for one in explain(SMALL, "rotten", Side.CUSTOMER).scores}


def _rounded(tags: object) -> str:
    return repr(structs.replace(tags, emotion=None)) + (  # type: ignore[type-var]
        "" if tags.emotion is None else f"{[round(x, 4) for x in structs.astuple(tags.emotion)]}"  # type: ignore[attr-defined]
    )
