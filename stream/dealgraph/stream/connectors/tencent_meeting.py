"""The connector of Tencent Meeting minutes: answers of `records/transcripts/details`, one or more pages.

A paragraph has one speaker; each of its sentences is an utterance. Times are ms from the start of the
recording.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.stream.connectors.json_fields import objects_of, text_of
from dealgraph.stream.connectors.json_transcripts import JsonTranscript, clean, joined, span
from dealgraph.stream.connectors.recording import Turn

_MS: Final = 1


def _turns(paragraph: Mapping[str, Any], number: int) -> list[Turn]:
    speaker = paragraph.get("speaker_info")
    speaker = speaker if isinstance(speaker, dict) else {}
    sentences = objects_of(paragraph, "sentences")
    return [_turn(paragraph, part, sentence, speaker) for part, sentence in enumerate(sentences)]


def _turn(
    paragraph: Mapping[str, Any], part: int, sentence: Mapping[str, Any], speaker: dict[str, Any]
) -> Turn:
    words = objects_of(sentence, "words")
    start, end = span(sentence, "start_time", "end_time", _MS, words)
    return Turn(
        start=start,
        end=end,
        words=joined([clean(word.get("text")) for word in words]),
        key=f"#{text_of(paragraph, 'pid')}/{text_of(sentence, 'sid')}@{start}",
        part=part,
        label=text_of(speaker, "username"),
        native_id=text_of(speaker, "userid"),
    )


CONNECTOR: Final = JsonTranscript(
    "tencent-meeting",
    "minutes of Tencent Meeting in JSON (transcripts/details), speakers by --roster",
    ("paragraphs",),
    _turns,
)
