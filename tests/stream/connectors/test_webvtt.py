"""WebVTT transcripts, cue style by cue style."""

import gzip
from pathlib import Path

import pytest

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Reason, Rejected
from tests.support.files import ROSTER, STARTED, cue, options, read, reasons, taken, told, vtt

KNOWN = options(ROSTER)


def spoken(tmp_path: Path, payload: str) -> list[tuple[str, str]]:
    """(name, words) of the utterances in one cue."""
    items = taken(read(tmp_path / "call.vtt", "webvtt", vtt(cue(1, payload)), KNOWN))
    return [(item.actor.name, item.text) for item in items]


def test_a_cue_is_an_utterance_with_speaker_time_and_length(tmp_path: Path) -> None:
    content = vtt("intro-1\n" + cue(61))
    (item,) = taken(read(tmp_path / "call.vtt", "webvtt", content, KNOWN))
    assert (item.kind, item.channel) == (InteractionKind.UTTERANCE, Channel.VOICE)
    assert (item.occurred_at, item.duration_ms) == (STARTED + 61_000, 500)
    assert item.actor == Person(
        Side.CUSTOMER, "mail:li@acme.example", "Li Na", Role.ECONOMIC_BUYER, 0.9
    )
    assert (item.session, item.text, item.rep) == ("call", "hello", "wecom:WangFang")
    assert item.attributes == {"cue_id": "intro-1"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("<v Li Na>hello</v>", [("Li Na", "hello")]),
        ("<v Li Na>hello", [("Li Na", "hello")]),
        ("<v.loud Li Na>hello</v>", [("Li Na", "hello")]),
        ("<V Li Na>hello</V>", [("Li Na", "hello")]),
        ("<v Li Na>one</v>\n<v Wang Fang>two</v>", [("Li Na", "one"), ("Wang Fang", "two")]),
        ("before <v Li Na>after</v>", [("", "before"), ("Li Na", "after")]),
        ("<v Li Na></v><v Wang Fang>two</v>", [("Wang Fang", "two")]),
        ("<v>hello</v>", [("", "hello")]),
        ("Li Na: hello", [("Li Na", "hello")]),
        ("Li Na：你好", [("Li Na", "你好")]),
        ("王芳: 你好", [("王芳", "你好")]),
        ("Somebody Else: hello", [("Somebody Else", "hello")]),
        ("(Li Na) hello", [("Li Na", "hello")]),
        ("（王芳）你好", [("王芳", "你好")]),
        ("hello", [("", "hello")]),
        ("the price: too high", [("", "the price: too high")]),
        ("at 10:30 we start", [("", "at 10:30 we start")]),
        ("(laughs) well", [("", "(laughs) well")]),
        ("<c.yellow>so</c> <i>it</i> <00:00:01.200>is &amp; &lt;was&gt;", [("", "so it is & <was>")]),
        ("two\nlines", [("", "two lines")]),
        ("   ", []),
    ],
)  # fmt: skip
def test_speaker_and_words_are_found_in_every_style(
    tmp_path: Path, payload: str, expected: list[tuple[str, str]]
) -> None:
    assert spoken(tmp_path, payload) == expected


def test_a_speaker_who_is_not_in_the_roster_stays_unknown(tmp_path: Path) -> None:
    (item,) = taken(read(tmp_path / "c.vtt", "webvtt", vtt(cue(1, "<v Speaker 9>hm</v>")), KNOWN))
    assert item.actor == Person(name="Speaker 9")


def test_voices_of_one_cue_have_parts(tmp_path: Path) -> None:
    content = vtt(cue(1, "<v Li Na>one</v><v Wang Fang>two</v>"))
    first, second = taken(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert (first.part, second.part) == (0, 1)
    assert first.native_id == second.native_id


@pytest.mark.parametrize(
    ("times", "start", "length"),
    [
        ("00:01.000 --> 00:02.500", 1_000, 1_500),
        ("01:00:01.000 --> 01:00:01.001", 3_601_000, 1),
        ("00:00:01.000 --> 00:00:02.000 align:start position:0%", 1_000, 1_000),
        ("00:00:01.000 --> 00:00:01.000", 1_000, 0),
    ],
)
def test_times_with_or_without_hours_and_settings_are_read(
    tmp_path: Path, times: str, start: int, length: int
) -> None:
    (item,) = taken(read(tmp_path / "c.vtt", "webvtt", vtt(f"{times}\n<v Li Na>a"), KNOWN))
    assert (item.occurred_at - STARTED, item.duration_ms) == (start, length)


def test_notes_styles_and_regions_say_nothing(tmp_path: Path) -> None:
    content = vtt("STYLE\n::cue { color: red }", "REGION\nid:a", "NOTE\na --> b", cue(1))
    assert reasons(read(tmp_path / "c.vtt", "webvtt", content, KNOWN)) == [None]


def test_cues_need_no_empty_line_between_them(tmp_path: Path) -> None:
    content = vtt(cue(1) + "\n" + cue(2)).replace("WEBVTT\n", "WEBVTT Kind: captions\nLang: en\n")
    items = taken(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert [item.occurred_at - STARTED for item in items] == [1_000, 2_000]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_end_of_line_is_understood(tmp_path: Path, end: str) -> None:
    content = vtt(cue(1), cue(2)).replace("\n", end)
    assert reasons(read(tmp_path / "c.vtt", "webvtt", content, KNOWN)) == [None, None]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_encodings_in_use_are_recognised(tmp_path: Path, encoding: str) -> None:
    content = vtt(cue(1, "<v 王芳>报价太高</v>")).encode(encoding)
    (item,) = taken(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert (item.actor.name, item.text) == ("王芳", "报价太高")


def test_the_start_on_the_command_line_goes_before_that_in_the_file(tmp_path: Path) -> None:
    stated = options(ROSTER, started_at=STARTED + 5, session="call-7")
    (item,) = taken(read(tmp_path / "c.vtt", "webvtt", vtt(cue(1)), stated))
    assert (item.occurred_at, item.session) == (STARTED + 1_005, "call-7")


def test_a_transcript_that_does_not_say_when_it_started_asks_for_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="pass --started-at"):
        read(tmp_path / "c.vtt", "webvtt", f"WEBVTT\n\n{cue(1)}\n", KNOWN)


@pytest.mark.parametrize(
    "content", [b"", b"hello\n\nthere", b"1\n00:00:01,000 --> 00:00:02,000\na", b"WEBVTTX"]
)
def test_a_file_without_the_header_is_refused_once(tmp_path: Path, content: bytes) -> None:
    found = reasons(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert found == [Reason.UNREADABLE]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"no times at all", Reason.UNREADABLE),
        (b"00:00:01 --> 00:00:02\na", Reason.BAD_TIMESTAMP),
        (b"00:00:05.000 --> 00:00:04.000\na", Reason.BAD_TIMESTAMP),
        (b"xx:00:05.000 --> 00:00:06.000\na", Reason.BAD_TIMESTAMP),
        (b"00:00:05.000 -->\na", Reason.BAD_TIMESTAMP),
        (b"00:00:01.000 --> 00:00:02.000\n\xff\xff\xff", Reason.BAD_ENCODING),
        (b"00:00:01.000 --> 00:00:02.000\n" + b"x" * 10_000_000, Reason.TOO_LARGE),
        (b"00:00:01.000 --> 00:00:02.000\n" + b"word\n" * 1_000_000, Reason.TOO_LARGE),
    ],
    ids=["no times", "no fraction", "ends early", "letters", "no end", "no text", "long", "large"],
)  # fmt: skip
def test_a_bad_block_is_refused_alone(tmp_path: Path, block: bytes, reason: Reason) -> None:
    content = vtt(cue(1)).encode() + b"\n" + block + b"\n\n" + cue(2).encode()
    items = told(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert isinstance(items[0], Interaction)
    assert isinstance(items[-1], Interaction)
    assert [item.reason for item in items[1:-1] if isinstance(item, Rejected)] == [reason]


def test_a_refused_cue_can_be_tried_again_without_its_file(tmp_path: Path) -> None:
    content = vtt(cue(1).replace("01.000", "0l.000"))
    (refused,) = told(read(tmp_path / "c.vtt", "webvtt", content, KNOWN))
    assert isinstance(refused, Rejected)
    fixed = refused.payload.replace(b"0l.000", b"01.000")
    (item,) = connector("webvtt").parse_record(fixed, refused.position, KNOWN)
    assert isinstance(item, Interaction)
    assert item.occurred_at == STARTED + 1_000
    assert item.provenance.position == refused.position


def test_a_transcript_that_breaks_off_keeps_what_came_before(tmp_path: Path) -> None:
    content = gzip.compress(vtt(*(cue(n, f"<v Li Na>{n * n}</v>") for n in range(900))).encode())
    found = reasons(read(tmp_path / "c.vtt", "webvtt", content[:-600], KNOWN))
    assert found[-1] is Reason.TRUNCATED
    assert set(found[:-1]) == {None}
    assert len(found) > 100


@pytest.mark.parametrize("mark", ["<", "<v ", "<v.", "&", "(", "Li Na:", "<v" + " " * 100_000])
def test_marks_that_are_never_closed_are_read_in_linear_time(tmp_path: Path, mark: str) -> None:
    payload = mark * (400_000 // len(mark))  # takes hours where each is looked for to the end
    assert len(spoken(tmp_path, payload)) == 1
