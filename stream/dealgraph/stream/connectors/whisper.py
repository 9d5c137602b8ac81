"""The connector of transcripts by Whisper and its kin, one utterance per segment.

`verbose_json` of Whisper and of OpenAI's API, diarised or not; faster-whisper; WhisperX, whose words may lack
times. Times are seconds from the start of the recording.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.stream.connectors.json_fields import objects_of, text_of
from dealgraph.stream.connectors.json_transcripts import JsonTranscript, clean, span
from dealgraph.stream.connectors.recording import Turn

_SECOND: Final = 1_000
_KEPT: Final = ("avg_logprob", "no_speech_prob", "compression_ratio")


def _turns(segment: Mapping[str, Any], number: int) -> list[Turn]:
    words = objects_of(segment, "words")
    start, end = span(segment, "start", "end", _SECOND, words)
    text = segment.get("text")
    if text is None:
        text = "".join(clean(word.get("word")) + " " for word in words)
    return [
        Turn(
            start=start,
            end=end,
            words=clean(text),
            key=f"#{number}@{start}",
            label=text_of(segment, "speaker") or _majority(words),
            attributes={name: value for name in _KEPT if (value := text_of(segment, name))},
        )
    ]


def _majority(words: list[Mapping[str, Any]]) -> str:
    """Return who says most of the words; the first of several, "" when nobody is named."""
    speakers = [name for word in words if (name := text_of(word, "speaker"))]
    return max(dict.fromkeys(speakers), key=speakers.count, default="")


CONNECTOR: Final = JsonTranscript(
    "whisper",
    "JSON transcripts of Whisper, faster-whisper, WhisperX and OpenAI, speakers by --roster",
    ("segments",),
    _turns,
)
