"""The WeCom archive, type by type, with the field names of its documentation."""

import json
from pathlib import Path
from typing import Any

import pytest

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import (
    ConsentChange,
    Interaction,
    InteractionKind,
    Person,
    Purpose,
    Reason,
    Recall,
    Rejected,
)
from tests.support.files import (
    ROSTER,
    STARTED,
    json_lines,
    options,
    read,
    reasons,
    taken,
    told,
    wecom_message,
)


def several(tmp_path: Path, message: dict[str, Any], roster: str = "") -> list[Interaction]:
    """What one message becomes."""
    return taken(read(tmp_path / "chat.jsonl", "wecom", json_lines([message]), options(roster)))


def one(tmp_path: Path, message: dict[str, Any], roster: str = "") -> Interaction:
    (item,) = several(tmp_path, message, roster)
    return item


def test_a_text_is_a_message_with_its_people_and_time(tmp_path: Path) -> None:
    item = one(tmp_path, wecom_message(7, text={"content": "报价太高"}))
    assert (item.source, item.native_id, item.kind) == ("wecom", "m7", InteractionKind.MESSAGE)
    assert (item.channel, item.occurred_at, item.text) == (Channel.CHAT, STARTED + 7, "报价太高")
    assert item.actor == Person(Side.CUSTOMER, "wecom:wmLiNa", confidence=1.0)
    assert item.recipients == (Person(Side.REP, "wecom:WangFang", confidence=1.0),)
    assert (item.contact, item.rep) == ("wecom:wmLiNa", "wecom:WangFang")
    assert item.attributes == {}


@pytest.mark.parametrize(
    ("msgtype", "body", "text", "attribute"),
    [
        ("image", {"md5sum": "a", "filesize": 12}, "", ("wecom_filesize", "12")),
        ("card", {"corpname": "Acme", "userid": "wmX"}, "", ("wecom_corpname", "Acme")),
        ("location", {"title": "HQ", "address": "Road 1", "zoom": 15}, "HQ\nRoad 1", ("wecom_zoom", "15")),
        ("emotion", {"type": 1, "width": 20}, "", ("wecom_width", "20")),
        ("file", {"filename": "offer.pdf", "fileext": "pdf"}, "offer.pdf", ("wecom_fileext", "pdf")),
        ("link", {"title": "A", "description": "b", "link_url": "u"}, "A\nb", ("wecom_link_url", "u")),
        ("weapp", {"title": "A", "description": "b", "username": "u"}, "A\nb", ("wecom_username", "u")),
        ("meeting", {"topic": "Price", "remarks": "r", "meetingid": 5}, "Price\nr", ("wecom_meetingid", "5")),
        ("calendar", {"title": "T", "place": "P", "attendeename": ["x"]}, "T\nP", ("wecom_place", "P")),
        ("redpacket", {"wish": "luck", "totalcnt": 2}, "luck", ("wecom_totalcnt", "2")),
        ("external_redpacket", {"wish": "luck"}, "luck", ("msgtype", "external_redpacket")),
        ("sphfeed", {"feed_desc": "d", "sph_name": "n"}, "d", ("wecom_sph_name", "n")),
        ("collect", {"title": "T", "details": [{"id": 1, "ques": "Why?"}]}, "T\nWhy?", ("wecom_title", "T")),
        ("voip_doc_share", {"filename": "plan.pdf"}, "plan.pdf", ("msgtype", "voip_doc_share")),
    ],
)  # fmt: skip
def test_words_and_facts_of_each_type_are_kept(
    tmp_path: Path, msgtype: str, body: dict[str, Any], text: str, attribute: tuple[str, str]
) -> None:
    item = one(tmp_path, wecom_message(1, msgtype, **{msgtype: body}))
    assert (item.kind, item.text) == (InteractionKind.MESSAGE, text)
    assert attribute in item.attributes.items()
    assert item.attributes["msgtype"] == msgtype


@pytest.mark.parametrize(
    ("msgtype", "key", "body", "text"),
    [
        ("docmsg", "doc", {"title": "Plan", "link_url": "u"}, "Plan"),
        ("markdown", "info", {"content": "**now**"}, "**now**"),
        ("news", "info", {"item": [{"title": "A", "description": "b"}, {"title": "C"}]}, "A\nb\nC"),
    ],
)
def test_three_types_have_bodies_of_another_name(
    tmp_path: Path, msgtype: str, key: str, body: dict[str, Any], text: str
) -> None:
    item = one(tmp_path, wecom_message(1, msgtype, **{key: body}))
    assert (item.text, item.attributes["msgtype"]) == (text, msgtype)


@pytest.mark.parametrize("msgtype", ["voice", "video"])
def test_recordings_have_their_length(tmp_path: Path, msgtype: str) -> None:
    item = one(tmp_path, wecom_message(1, msgtype, **{msgtype: {"play_length": 10}}))
    assert (item.duration_ms, item.channel) == (10_000, Channel.CHAT)


def test_a_mixed_message_joins_the_words_of_its_items(tmp_path: Path) -> None:
    items = [
        {"type": "text", "content": '{"content": "look:"}'},
        {"type": "image", "content": '{"md5sum": "a"}'},
        {"type": "link", "content": '{"title": "offer"}'},
    ]
    assert one(tmp_path, wecom_message(1, "mixed", mixed={"item": items})).text == "look:\noffer"


def test_forwarded_records_are_parts_of_unknown_people_with_times_in_seconds(
    tmp_path: Path,
) -> None:
    items = [
        {"type": "ChatRecordText", "msgtime": 1_772_000_000, "content": '{"content": "too slow"}'},
        {"type": "ChatRecordFile", "msgtime": 1_772_000_060, "content": '{"filename": "a.pdf"}'},
    ]
    body = {"title": "chat of A and B", "item": items}
    whole, first, second = several(tmp_path, wecom_message(1, "chatrecord", chatrecord=body))
    assert (whole.text, whole.part) == ("chat of A and B", 0)
    assert (first.text, first.part, first.occurred_at) == ("too slow", 1, 1_772_000_000_000)
    assert (second.text, second.part, second.occurred_at) == ("a.pdf", 2, 1_772_000_060_000)
    assert first.actor == second.actor == Person()
    assert first.attributes["forwarded"] == "true"


def test_a_call_is_voice_with_length_and_id(tmp_path: Path) -> None:
    call = {"endtime": STARTED // 1000 + 60, "sdkfileid": "f", "sharescreendata": [{"share": "x"}]}
    message = wecom_message(0, "meeting_voice_call", voiceid="v1", meeting_voice_call=call)
    item = one(tmp_path, message)
    assert (item.kind, item.channel) == (InteractionKind.CALL, Channel.VOICE)
    assert item.duration_ms == 60_000
    assert item.attributes["voice_id"] == "v1"


def test_a_revoke_takes_the_earlier_message_back(tmp_path: Path) -> None:
    message = wecom_message(2, "revoke", action="recall", revoke={"pre_msgid": "m1"})
    item = one(tmp_path, message)
    assert (item.kind, item.detail) == (InteractionKind.RECALL, Recall("m1"))


@pytest.mark.parametrize("granted", [True, False])
def test_agree_and_disagree_are_consent_for_every_purpose(tmp_path: Path, granted: bool) -> None:
    name = "agree" if granted else "disagree"
    body = {"userid": "wmLiNa", f"{name}_time": STARTED - 5}
    items = several(tmp_path, wecom_message(1, name, **{name: body}))
    assert [item.detail for item in items] == [
        ConsentChange("wecom:wmLiNa", Channel.CHAT, purpose, granted) for purpose in Purpose
    ]
    assert {item.kind for item in items} == {InteractionKind.CONSENT}
    assert {item.occurred_at for item in items} == {STARTED - 5}
    assert [item.part for item in items] == [0, 1, 2]


@pytest.mark.parametrize("msgtype", ["todo", "vote", "voiptext", "qydiskfile", "brand_new"])
def test_a_type_that_is_not_known_is_kept_as_it_came(tmp_path: Path, msgtype: str) -> None:
    message = wecom_message(1, msgtype, **{msgtype: {"title": "x", "deep": [1, {"a": 2}]}})
    item = one(tmp_path, message)
    assert (item.kind, item.text) == (InteractionKind.MESSAGE, "")
    assert item.attributes["unknown_type"] == "true"
    assert json.loads(item.attributes["raw"]) == message


def test_a_switch_of_the_enterprise_is_an_activity(tmp_path: Path) -> None:
    item = one(tmp_path, {"msgid": "s", "action": "switch", "time": STARTED, "user": "WangFang"})
    assert (item.kind, item.occurred_at) == (InteractionKind.ACTIVITY, STARTED)
    assert item.actor.native_id == "wecom:WangFang"


@pytest.mark.parametrize("to", ['["WangFang","wmBo"]', "WangFang,wmBo", "WangFang;wmBo"])
def test_relays_write_times_and_recipients_as_strings(tmp_path: Path, to: str) -> None:
    item = one(tmp_path, wecom_message(1, msgtime=str(STARTED), tolist=to))
    assert item.occurred_at == STARTED
    assert [person.native_id for person in item.recipients] == ["wecom:WangFang", "wecom:wmBo"]


def test_a_room_is_a_session_and_so_are_the_people_of_a_chat(tmp_path: Path) -> None:
    room = one(tmp_path, wecom_message(1, roomid="wrABC"))
    there = one(tmp_path, wecom_message(2))
    back = one(tmp_path, wecom_message(3, tolist=["wmLiNa"], **{"from": "WangFang"}))
    assert room.session == "wecom:wrABC"
    assert there.session == back.session


def test_the_roster_names_people_and_fills_what_is_open(tmp_path: Path) -> None:
    roster = ROSTER.replace(
        'speakers: ["Li Na', "ids: ['wecom:wmLiNa']\n    since: 2026-01-15\n    speakers: [\"Li Na"
    )
    item = one(tmp_path, wecom_message(1), roster)
    assert (item.actor.name, item.actor.role) == ("Li Na", Role.ECONOMIC_BUYER)
    assert (item.customer, item.opportunity) == ("acme", "deal-1")


def test_fields_that_are_not_known_change_nothing(tmp_path: Path) -> None:
    plain, more = one(tmp_path, wecom_message(1)), one(tmp_path, wecom_message(1, seq=5, new=[{}]))
    assert (plain.text, plain.attributes) == (more.text, more.attributes)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_messages_is_read_like_lines(tmp_path: Path, indent: int | None) -> None:
    content = json.dumps([wecom_message(n) for n in range(3)], indent=indent)
    items = taken(read(tmp_path / "chat.json", "wecom", content, options()))
    assert [item.native_id for item in items] == ["m0", "m1", "m2"]


def test_an_answer_to_a_pull_holds_messages_of_which_a_bad_one_is_left_out(tmp_path: Path) -> None:
    pulled = {"errcode": 0, "chatdata": [wecom_message(1), {"seq": 2, "encrypt_chat_msg": "x"}, 3]}
    found = reasons(read(tmp_path / "chat.jsonl", "wecom", json_lines([pulled]), options()))
    assert found == [None, Reason.UNREADABLE, Reason.WRONG_TYPE]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (wecom_message(1, msgid=""), Reason.MISSING_ID),
        (wecom_message(1, msgid=None), Reason.MISSING_ID),
        (wecom_message(1, msgid=["x"]), Reason.WRONG_TYPE),
        (wecom_message(1, msgtime=None), Reason.BAD_TIMESTAMP),
        (wecom_message(1, msgtime="noon"), Reason.BAD_TIMESTAMP),
        (wecom_message(1, msgtime=10**30), Reason.BAD_TIMESTAMP),
        (wecom_message(1, msgtime=True), Reason.WRONG_TYPE),
        (wecom_message(1, msgtime={}), Reason.WRONG_TYPE),
        (wecom_message(1, tolist={"a": 1}), Reason.WRONG_TYPE),
        (wecom_message(1, tolist=[["a"]]), Reason.WRONG_TYPE),
        (wecom_message(1, tolist="[1"), Reason.TRUNCATED),
        (wecom_message(1, text=None), Reason.MISSING_FIELD),
        (wecom_message(1, text="hello"), Reason.WRONG_TYPE),
        (wecom_message(1, text={"content": {}}), Reason.WRONG_TYPE),
        (wecom_message(1, ""), Reason.MISSING_FIELD),
        (wecom_message(1, "mixed", mixed={"item": 3}), Reason.WRONG_TYPE),
        (wecom_message(1, "mixed", mixed={"item": [{"content": '{"a'}]}), Reason.TRUNCATED),
        (wecom_message(1, "mixed", mixed={"item": [{"content": '{"a":' * 2_000}]}), Reason.TOO_DEEP),
        (wecom_message(1, "news", info={"item": ["x"]}), Reason.WRONG_TYPE),
        (wecom_message(1, "chatrecord", chatrecord={"item": [{}]}), Reason.BAD_TIMESTAMP),
        (wecom_message(1, "revoke", action="recall", revoke={}), Reason.MISSING_ID),
        (wecom_message(1, "revoke", action="recall"), Reason.MISSING_FIELD),
        (wecom_message(1, "agree", agree={}, **{"from": ""}), Reason.MISSING_ID),
        (wecom_message(1, text={"content": "\ud800"}), Reason.BAD_ENCODING),
        (wecom_message(1, encrypt_chat_msg="x"), Reason.UNREADABLE),
    ],
)  # fmt: skip
def test_a_bad_message_is_refused_alone_and_can_be_tried_again(
    tmp_path: Path, message: dict[str, Any], reason: Reason
) -> None:
    content = json_lines([wecom_message(8), message, wecom_message(9)])
    items = told(read(tmp_path / "chat.jsonl", "wecom", content, options()))
    before, refused, after = items
    assert isinstance(before, Interaction)
    assert isinstance(after, Interaction)
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.position) == (reason, "chat.jsonl:2")
    (again,) = connector("wecom").parse_record(refused.payload, refused.position, options())
    assert again == refused


def test_json_of_any_depth_is_kept_or_refused_but_never_raises(tmp_path: Path) -> None:
    plain = json.dumps(wecom_message(1, "todo", todo=0))
    lines = [
        plain.replace('"todo": 0', f'"todo": {"[" * depth}{"]" * depth}')
        for depth in range(900, 1100)
    ]
    found = reasons(read(tmp_path / "chat.jsonl", "wecom", "\n".join(lines), options()))
    assert set(found) == {None, Reason.TOO_DEEP}
    assert len(found) == 200


def test_a_line_of_ten_megabytes_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    long = wecom_message(2, text={"content": "x" * 10_000_000})
    content = json_lines([wecom_message(1), long, wecom_message(3)])
    found = reasons(read(tmp_path / "chat.jsonl", "wecom", content, options()))
    assert found == [None, Reason.TOO_LARGE, None]
