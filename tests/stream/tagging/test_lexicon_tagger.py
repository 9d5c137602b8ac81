import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealgraph.graph.model import ActionKind, Emotion, Side, Topic, topic_set, topics_of
from dealgraph.stream.tagging.lexicon import Cues, Lexicon, Topics, shipped_lexicons
from dealgraph.stream.tagging.lexicon_tagger import MAX_READ, LexiconTagger, load_default_tagger
from dealgraph.stream.tagging.tags import Tags

TAGGER = load_default_tagger(("Salesforce", "Acme-Soft", "用友"))


def tag(text: str, side: Side = Side.CUSTOMER, tagger: LexiconTagger = TAGGER) -> Tags:
    return tagger.tag(text, side, with_emotion=True)


def emotion(text: str) -> Emotion:
    felt = tag(text).emotion
    assert felt is not None
    return felt


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("We are worried about the fees.", ActionKind.OBJECTION),
        ("We are not worried about the fees.", ActionKind.PRICE_TALK),
        ("There is no problem with the deployment.", ActionKind.STATEMENT),
        ("I can't say we agree.", ActionKind.STATEMENT),
        ("我们对交付不担心", ActionKind.STATEMENT),
        ("我们没有顾虑", ActionKind.STATEMENT),
    ],
)
def test_a_negation_turns_off_what_it_negates(text: str, kind: ActionKind) -> None:
    assert tag(text).kind is kind


@pytest.mark.parametrize("text", ["It is not that, but I worry.", "不，我们很担心这一点"])
def test_a_negation_does_not_reach_over_the_end_of_a_clause(text: str) -> None:
    assert tag(text).kind is ActionKind.OBJECTION


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("He always says “the price is too high”.", 0),
        ("她老说「太贵了」", 0),
        ("Fine with me.\n> what does the contract cost?", 0),
        ("Look at https://shop.example/price?contract=1", 0),
        ('"The price is too high"', topic_set(Topic.PRICE)),
    ],
)
def test_quotations_and_addresses_do_not_count_unless_there_is_nothing_else(
    text: str, topics: int
) -> None:
    assert tag(text).topics == topics


def test_a_question_about_delivery_is_a_concern_for_the_customer_and_not_for_the_rep() -> None:
    assert tag("When will it be delivered?").kind is ActionKind.DELIVERY_CONCERN
    assert tag("When will it be delivered?", Side.UNKNOWN).kind is ActionKind.DELIVERY_CONCERN
    assert tag("When should it be delivered?", Side.REP).kind is ActionKind.QUESTION


def test_an_interrogative_asks_only_where_a_sentence_begins() -> None:
    assert tag("Well, how do you store files").kind is ActionKind.QUESTION
    assert tag("Nobody told me how it stores files").kind is ActionKind.STATEMENT


def test_an_english_word_inside_another_word_does_not_match() -> None:
    assert tag("The priceless forestry coastline").topics == 0


def test_english_words_within_chinese_text_match() -> None:
    assert topics_of(tag("我们的SLA怎么定").topics) == (Topic.DELIVERY,)


@pytest.mark.parametrize("text", ["ACME-SOFT called", "we saw acme soft", "用友也报了价"])
def test_names_of_competitors_match_whatever_their_case_and_hyphens(text: str) -> None:
    assert Topic.COMPETITOR in topics_of(tag(text).topics)


@pytest.mark.parametrize("side", [Side.REP, Side.UNKNOWN, Side.SYSTEM])
def test_emotion_is_inferred_for_customers_only(side: Side) -> None:
    assert tag("This is terrible, I am furious!", side).emotion is None


def test_emotion_is_not_inferred_without_being_asked_for() -> None:
    assert TAGGER.tag("I am furious!", Side.CUSTOMER, with_emotion=False).emotion is None


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        ("I am disappointed", "I am pleased"),
        ("not good", "good"),
        ("太失望了", "非常满意"),
        ("这个不合理", "这个合理"),
        ("😡", "👍"),
        ("[发怒]", "[强]"),
    ],
)
def test_valence_puts_bad_below_good(worse: str, better: str) -> None:
    assert emotion(worse).valence < 0.0 < emotion(better).valence


def test_more_exclamation_marks_are_more_arousal() -> None:
    assert emotion("no way").arousal < emotion("no way!").arousal < emotion("no way!!!").arousal


def test_a_neutral_text_is_neutral_with_little_confidence() -> None:
    assert emotion("We have twelve branches.") == Emotion(0.0, 0.2, 0.3)


@pytest.mark.parametrize("text", ["", "   ", "12345", "…", "\ud800"])
def test_a_text_without_words_has_no_language_no_emotion_and_no_confidence(text: str) -> None:
    assert tag(text) == Tags(ActionKind.STATEMENT, 0.0, 0, None, "")


@pytest.mark.parametrize("text", ["Привет, сколько это стоит", "안녕하세요"])
def test_other_languages_are_not_taken_for_english_or_chinese(text: str) -> None:
    assert tag(text).language == ""


def test_reads_the_first_characters_of_a_long_text_only() -> None:
    filler = "word " * (MAX_READ // 5)
    assert tag(filler + "price?").topics == 0
    assert tag(("price " + filler) * 40) == tag("price " + filler)


@pytest.mark.parametrize("unit", ["“", '"', "「", ">", "no ", "不", "how ", "价格", "x://", "\n"])
def test_hostile_repetition_is_read_to_the_end(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    assert tag(text) == tag(text[:MAX_READ])


def test_the_version_changes_with_rules_words_and_competitors() -> None:
    lexicon = Lexicon(language="en", topics=Topics(price=("price",)))
    wider = Lexicon(language="en", topics=Topics(price=("price", "cost")))
    versions = [
        LexiconTagger(lexicons, names).version
        for lexicons, names in [((lexicon,), ()), ((wider,), ()), ((lexicon,), ("Acme",))]
    ]
    assert len(set(versions)) == 3
    assert (
        LexiconTagger((lexicon,), ("B", "A")).version
        == LexiconTagger((lexicon,), ("A", "B")).version
    )


def test_the_longest_entry_wins_and_takes_over_topics() -> None:
    lexicon = Lexicon(
        language="en",
        topics=Topics(price=("deal",)),
        cues=Cues(objection=("big deal",), commitment=("deal",)),
        hide=("no big deal",),
    )
    tagger = LexiconTagger((lexicon,))
    assert tag("a deal", tagger=tagger).kind is ActionKind.COMMITMENT
    assert tag("a big deal", tagger=tagger).kind is ActionKind.OBJECTION
    assert tag("a big deal", tagger=tagger).topics == topic_set(Topic.PRICE)
    assert tag("no big deal", tagger=tagger).topics == 0


WORDS = st.sampled_from(
    [
        "price",
        "not",
        "?",
        "why",
        "价格",
        "不",
        "担心",
        "吗",
        "“",
        '"',
        "”",
        ">",
        "\n",
        "no,",
        "，",
        "😡",
        "sla",
        "交付",
    ]
)


@settings(max_examples=150)
@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
def test_any_text_has_tags_within_their_ranges_and_always_the_same(text: str) -> None:
    for side in Side:
        tags = tag(text, side)
        assert tags == tag(text, side)
        assert 0.0 <= tags.confidence <= 1.0
        assert tags.language in ("", "en", "zh")
        assert tags.topics == topic_set(*topics_of(tags.topics))
        if tags.emotion is not None:
            assert -1.0 <= tags.emotion.valence <= 1.0
            assert 0.0 <= tags.emotion.arousal <= 1.0
            assert 0.0 < tags.emotion.confidence <= 1.0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Nothing happens there, which is fine.", ActionKind.STATEMENT),
        ("Well, how do you store files", ActionKind.QUESTION),
        ("我们还没想好什么日子。", ActionKind.STATEMENT),
        ("你们怎么存文件", ActionKind.QUESTION),
    ],
)
def test_a_question_word_asks_nothing_in_a_text_that_ends_in_a_full_stop(
    text: str, kind: ActionKind
) -> None:
    assert tag(text).kind is kind


def test_only_a_rep_over_promises_and_not_when_it_is_denied() -> None:
    text = "I can guarantee you it never fails."
    assert Topic.OVER_PROMISE in topics_of(tag(text, Side.REP).topics)
    assert Topic.OVER_PROMISE not in topics_of(tag(text, Side.CUSTOMER).topics)
    assert Topic.OVER_PROMISE not in topics_of(tag("我们不打包票", Side.REP).topics)
    assert tag("我们打包票", Side.REP).kind is ActionKind.COMMITMENT


@pytest.mark.parametrize(
    "text",
    [
        "If you personally need a little something, let's sort that privately.",
        "About the kickback, let's keep that off email.",
        "We could inflate the invoice and pass the difference your way.",
        "返点的事咱们微信外谈",
        "这事别留记录，差额回头给您",
        "你们就是一帮骗子",
    ],
)
def test_what_nobody_should_say_is_sensitive(text: str) -> None:
    for side in (Side.REP, Side.CUSTOMER, Side.UNKNOWN):
        assert Topic.SENSITIVE in topics_of(tag(text, side).topics)


@pytest.mark.parametrize(
    "text",
    [
        "We never pay kickbacks.",
        "我们公司不给回扣",
        '"kickback" is on the list of words that we look for.',
        "合同里写了“回扣”两个字",
        "The gym membership is my own.",
        "我们把合同再看一遍。",
    ],
)
def test_what_is_denied_quoted_or_harmless_is_not_sensitive(text: str) -> None:
    assert Topic.SENSITIVE not in topics_of(tag(text, Side.REP).topics)


def test_a_tenant_has_sensitive_words_of_its_own() -> None:
    own = Lexicon(language="zh", topics=Topics(sensitive=("蓝鲸计划",)), remove=("骗子",))
    tenant = LexiconTagger((*shipped_lexicons(), own))
    assert Topic.SENSITIVE in topics_of(tag("蓝鲸计划先不要提", tagger=tenant).topics)
    assert Topic.SENSITIVE not in topics_of(tag("都说是骗子", tagger=tenant).topics)


def test_a_tenant_adds_words_and_takes_some_away() -> None:
    own = Lexicon(language="en", topics=Topics(price=("zorkmids",)), remove=("ballpark",))
    tenant = LexiconTagger((*shipped_lexicons(), own))
    assert Topic.PRICE in topics_of(tag("a few zorkmids", tagger=tenant).topics)
    assert Topic.PRICE in topics_of(tag("in the ballpark").topics)
    assert Topic.PRICE not in topics_of(tag("in the ballpark", tagger=tenant).topics)


def test_words_inside_the_name_of_a_product_do_not_count() -> None:
    seller = LexiconTagger(shipped_lexicons(), products=("Price Pilot",))
    assert tag("Price Pilot looks good", tagger=seller).topics == 0
    assert Topic.PRICE in topics_of(tag("the price of Price Pilot", tagger=seller).topics)
