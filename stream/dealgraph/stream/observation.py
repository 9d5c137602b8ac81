"""How a tagged interaction, live or loaded from the graph, is seen by detectors and kept as an action."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from dealgraph.graph.model import Action, ActionKind, Emotion, Stage
from dealgraph.stream.interaction import (
    FieldChange,
    Interaction,
    InteractionKind,
    Recall,
    StageChange,
    action_id,
)
from dealgraph.stream.signals.detector import Observed
from dealgraph.stream.stages import stage_of
from dealgraph.stream.steps import Tagged
from dealgraph.stream.tagging.tags import Tags

_MS_PER_CHARACTER: Final = {"zh": 220, "en": 65}
"""Usual pace of speech: about 270 Chinese characters or 160 English words a minute."""

_SEGMENT: Final = "segment"
"""Name of the field that says in which segment a deal is."""

_KIND_OF: Final = {
    InteractionKind.STAGE_CHANGE: ActionKind.STAGE_CHANGE,
    InteractionKind.FIELD_CHANGE: ActionKind.FIELD_CHANGE,
    InteractionKind.RECALL: ActionKind.RECALL,
    InteractionKind.DELETE: ActionKind.RECALL,
    InteractionKind.CALL: ActionKind.ACTIVITY,
    InteractionKind.MEETING: ActionKind.ACTIVITY,
    InteractionKind.METRIC: ActionKind.ACTIVITY,
    InteractionKind.ACTIVITY: ActionKind.ACTIVITY,
}
"""Interactions whose action kind follows from what they are, not from their words."""


def settle_kind(interaction: Interaction, tags: Tags) -> Tags:
    """Return the tags with the action kind that the interaction itself or a mapping states, if any."""
    stated = _KIND_OF.get(interaction.kind) or interaction.action_kind
    if stated is None or stated is tags.kind:
        return tags
    return Tags(stated, 1.0, tags.topics, tags.emotion, tags.language)


def action_of(tagged: Tagged) -> Action:
    """Return the action that the graph keeps."""
    interaction, tags = tagged.interaction, tagged.tags
    actor = interaction.actor
    detail = interaction.detail
    attributes = interaction.attributes
    target = ""
    if detail is not None:
        if isinstance(detail, StageChange):
            attributes = {
                **attributes,
                "stage": detail.stage,
                "previous_stage": detail.previous_stage,
            }
        elif isinstance(detail, FieldChange):
            attributes = {
                **attributes,
                "field": detail.field,
                "value": detail.value,
                "previous_value": detail.previous_value,
            }
        elif isinstance(detail, Recall):
            target = action_id(interaction.source, detail.native_id, detail.part)
    return Action(
        id=tagged.id,
        at=interaction.occurred_at,
        recorded_at=tagged.place.recorded_at,
        kind=tags.kind,
        channel=interaction.channel,
        side=actor.side,
        session=interaction.session,
        opportunity=interaction.opportunity,
        actor=tagged.actor,
        speaker=actor.name,
        rep="" if tagged.rep is None else tagged.rep.id,
        source=interaction.source,
        native_id=interaction.native_id,
        text=interaction.text,
        language=tags.language,
        topics=tags.topics,
        confidence=tags.confidence,
        emotion=tags.emotion,
        duration_ms=interaction.duration_ms,
        role=actor.role,
        tagger=tagged.tagger,
        target=target,
        attributes=attributes,
    )


def observed_of(action: Action) -> Observed:
    """Return an action as detectors see it: the same for a live one and a loaded one."""
    emotion = action.emotion or _NO_EMOTION
    stage = Stage.UNKNOWN
    if action.kind is ActionKind.STAGE_CHANGE:
        stage = stage_of(action.attributes.get("stage", ""))
    segment = ""
    if action.kind is ActionKind.FIELD_CHANGE:
        facts = action.attributes
        segment = facts.get("value", "") if facts.get("field", "").casefold() == _SEGMENT else ""
    exposure = action.duration_ms
    if not exposure and action.text:
        exposure = len(action.text) * _MS_PER_CHARACTER.get(action.language, 65)
    return Observed(
        action.id,
        action.at,
        action.session,
        action.actor.id if action.actor is not None else "",
        action.side,
        action.channel,
        action.kind,
        action.confidence,
        action.topics,
        exposure,
        emotion.valence,
        emotion.arousal,
        emotion.confidence,
        action.role,
        stage,
        action.rep,
        segment,
    )


def as_seen(actions: Iterable[Observed], aliases: Mapping[str, str]) -> Iterator[Observed]:
    """Yield the actions of an opportunity, in order, with the person after merges, stage and segment.

    `aliases` name the first id of a person for the ids that were merged.
    """
    stage, segment = Stage.UNKNOWN, ""
    for action in actions:
        if action.kind is ActionKind.STAGE_CHANGE:
            stage = action.stage
        segment = action.segment or segment
        yield placed(action, stage, segment, aliases)


def placed(action: Observed, stage: Stage, segment: str, aliases: Mapping[str, str]) -> Observed:
    """Return an action as it is seen at a stage and in a segment, with the person after merges."""
    person = aliases.get(action.person, action.person)
    if person == action.person and stage is action.stage and segment == action.segment:
        return action
    return replace(action, person=person, stage=stage, segment=segment)


_NO_EMOTION: Final = Emotion(0.0, 0.0, 0.0)
