"""The connector of DingTalk cloud records: the paragraphs of `cloudRecords/getTexts`, one or more pages.

The API names its fields `startTime`, the SDKs of Alibaba Cloud `StartTime`; both are read. Each sentence is
an utterance. Times are ms since 1970.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.stream.connectors.json_fields import objects_of, text_of
from dealgraph.stream.connectors.json_transcripts import JsonTranscript, clean, joined, span
from dealgraph.stream.connectors.recording import Turn

_MS: Final = 1


def _turns(item: Mapping[str, Any], number: int) -> list[Turn]:
    paragraph = _in_camel_case(item)
    sentences = [_in_camel_case(one) for one in objects_of(paragraph, "sentenceList")]
    if not sentences:
        sentences = [{**paragraph, "sentence": paragraph.get("paragraph")}]
    return [_turn(paragraph, part, sentence) for part, sentence in enumerate(sentences)]


def _turn(paragraph: Mapping[str, Any], part: int, sentence: Mapping[str, Any]) -> Turn:
    words = [_in_camel_case(word) for word in objects_of(sentence, "wordList")]
    start, end = span(sentence, "startTime", "endTime", _MS, words)
    spoken = sentence.get("sentence")
    speaker = text_of(sentence, "unionId") or text_of(sentence, "userId") or _speaker(paragraph)
    return Turn(
        start=start,
        end=end,
        words=clean(spoken) if spoken else joined([clean(word.get("word")) for word in words]),
        key=f"@{text_of(paragraph, 'startTime') or start}/{_speaker(paragraph)}",
        part=part,
        label=text_of(paragraph, "nickName"),
        native_id=speaker,
    )


def _speaker(paragraph: Mapping[str, Any]) -> str:
    return text_of(paragraph, "unionId") or text_of(paragraph, "userId")


def _session(item: Mapping[str, Any]) -> str:
    record = text_of(_in_camel_case(item), "recordId")
    return f"dingtalk-record:{record}" if record else ""


def _in_camel_case(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in values.items()}


CONNECTOR: Final = JsonTranscript(
    "dingtalk-record",
    "cloud records of DingTalk in JSON (cloudRecords/getTexts), speakers by --roster",
    ("paragraphList", "ParagraphList"),
    _turns,
    _session,
)
