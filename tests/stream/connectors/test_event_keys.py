"""One name for an event that several sources saw, and what follows for clocks."""

from pathlib import Path

import pytest

from dealgraph.stream.clocks import EVENT_KEY, Sightings
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.event_keys import event_key, meeting_key
from dealgraph.stream.connectors.mapping import parse_mapping
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.connectors.roster import Roster, RosterDocument
from dealgraph.stream.interaction import Interaction
from tests.support.interactions import DAY, MONDAY


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("https://acme.zoom.us/j/81234567890?pwd=a", "zoom:81234567890@2026-03-02"),
        (
            "join https://teams.microsoft.com/l/meetup-join/19%3ameeting_N2@thread.v2/0?context=x",
            "teams:19:meeting_N2@thread.v2@2026-03-02",
        ),
        ("https://meet.google.com/abc-defg-hij", "meet:abc-defg-hij@2026-03-02"),
        ("会议链接:https://meeting.tencent.com/dm/aB3dE6gH9", "tencent:aB3dE6gH9@2026-03-02"),
        ("<CA+x1@mail.acme.example>", "mail:CA+x1@mail.acme.example"),
        ("040000008200E00074C5", "040000008200E00074C5"),
    ],
)
def test_an_event_has_the_same_name_wherever_it_is_named(text: str, key: str) -> None:
    assert event_key(text, MONDAY) == key


def test_the_meetings_of_a_series_are_told_apart_by_their_day() -> None:
    link = "https://zoom.us/j/123456789"
    assert meeting_key(link, MONDAY) != meeting_key(link, MONDAY + DAY)
    assert meeting_key("no link, just a / and zoom", MONDAY) == ""


def _seen(name: str, path: Path, options: Options) -> list[Interaction]:
    read = [step.item for step in connector(name).parse(path, options)]
    return [item for item in read if isinstance(item, Interaction) and EVENT_KEY in item.attributes]


def test_a_call_that_transcript_and_telephone_system_saw_is_a_pair(tmp_path: Path) -> None:
    link = "https://zoom.us/j/123456789"
    vtt = tmp_path / "call.vtt"
    vtt.write_text("WEBVTT\n\n00:00:05.000 --> 00:00:07.000\n<v Li>Hello</v>\n", encoding="utf-8")
    document = RosterDocument(started_at="2026-03-02T09:30:00Z", event=link)
    log = tmp_path / "calls.csv"
    log.write_text(f"id,time,where\n1,2026-03-02T09:30:02Z,Zoom: {link}\n", encoding="utf-8")
    mapping = parse_mapping(
        "kind: call\nchannel: crm\nnative_id: '{id}'\ntime: {from: '{time}', format: iso}\n"
        "event: '{where}'\n"
    )
    sightings = Sightings()
    roster = Options(roster=Roster(document))
    for item in (
        *_seen("webvtt", vtt, roster),
        *_seen("eventlog", log, Options(roster=Roster(), mapping=mapping)),
    ):
        sightings.add(item.source, item.attributes[EVENT_KEY], item.occurred_at)
    assert [(skew.source, skew.offset_ms) for skew in sightings.skews("webvtt")] == [
        ("eventlog", -3000)
    ]
