"""DingTalk's stream mode: every frame is answered as the vendor expects."""

import json
from typing import Any

import pytest

from dealgraph.stream.connectors.dingtalk_frames import acknowledgement
from dealgraph.stream.connectors.registry import connector
from dealgraph.stream.interaction import Interaction
from tests.support.files import options
from tests.support.golden import FOLDER

FRAMES = [
    json.loads(line)
    for line in (FOLDER / "dingtalk" / "frames.jsonl").read_text("utf-8").splitlines()
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: str(frame["headers"]["messageId"]))
def test_an_answer_names_its_frame(frame: dict[str, Any]) -> None:
    answer = acknowledgement(frame)
    assert answer["code"] == 200
    assert answer["headers"] == {
        "contentType": "application/json", "messageId": frame["headers"]["messageId"],
    }  # fmt: skip
    json.loads(answer["data"])


def test_a_ping_gets_its_own_data_back() -> None:
    (ping,) = (frame for frame in FRAMES if frame["type"] == "SYSTEM")
    assert acknowledgement(ping)["data"] == ping["data"]


def test_an_event_that_is_not_durable_is_asked_for_again() -> None:
    (event,) = (frame for frame in FRAMES if frame["type"] == "EVENT")
    answer = acknowledgement(event, taken=False)
    assert (answer["code"], json.loads(answer["data"])["status"]) == (500, "LATER")


def test_a_frame_without_headers_is_answered() -> None:
    assert acknowledgement({"headers": 7})["headers"]["messageId"] == ""


def test_a_request_body_is_read_as_it_comes() -> None:
    body = FRAMES[0]["data"].encode()
    (item,) = connector("dingtalk").parse_record(body, "request-1", options())
    assert isinstance(item, Interaction)
    assert (item.native_id, item.provenance.position) == ("msg1==", "request-1")
