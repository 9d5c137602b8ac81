"""What WeCom's zone for data and intelligence gives out: who wrote when, and the analysis, but no words.

In the zone the side of a person is stated by a number, since its ids of employees begin with wo as those of
some customers do elsewhere. Times are in s. An analysis alone names only its message.
"""

from collections.abc import Mapping
from typing import Any, Final

from dealgraph.graph.model import Channel, Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.connectors.json_fields import objects_of, text_of, time_of
from dealgraph.stream.connectors.participants import contact_of, customer_of, rep_of, short_id
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.wecom_bodies import facts
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Interaction, InteractionKind, Person, Provenance, Reason

_NAME: Final = "wecom"
_SIDES: Final = {"1": Side.REP, "2": Side.CUSTOMER, "3": Side.SYSTEM}
_RESULTS: Final = ("sentiment_result", "spam_result")
_ROUTES: Final = frozenset({"msgid", "send_time", "chatid", "errcode", "errmsg", "analyze_time"})


def is_from_zone(message: Mapping[str, Any]) -> bool:
    """Say whether a message, or the analysis of one, comes from the zone."""
    return isinstance(message.get("sender"), dict) or any(name in message for name in _RESULTS)


def zone_interaction(
    message: Mapping[str, Any], origin: Provenance, options: Options
) -> Interaction:
    """Return a message without words, or the analysis of a message. Raises RecordError."""
    native_id = text_of(message, "msgid")
    if not native_id:
        raise RecordError(Reason.MISSING_ID, "msgid is empty")
    if text_of(message, "errcode") not in ("", "0"):
        detail = f"WeCom could not analyse it: {text_of(message, 'errmsg')[:200]}"
        raise RecordError(Reason.UNREADABLE, detail)
    sender = message.get("sender")
    if not isinstance(sender, dict):
        return _analysis(message, native_id, origin, options)
    receivers = objects_of(message, "receiver_list")
    people = tuple(_person(party, options) for party in (sender, *receivers))
    defaults = options.defaults()
    return Interaction(
        source=_NAME,
        native_id=native_id,
        kind=InteractionKind.MESSAGE,
        channel=Channel.CHAT,
        occurred_at=time_of(message, "send_time", 1_000),
        actor=people[0],
        recipients=people[1:],
        session=session_of(text_of(message, "chatid"), people),
        opportunity=defaults.opportunity,
        customer=customer_of(people, options),
        contact=contact_of(people),
        rep=rep_of(people, defaults.rep, _NAME),
        provenance=origin,
        attributes=_facts(message),
    )


def session_of(room: str, people: tuple[Person, ...]) -> str:
    """Return the session of a chat: its room, else the people in it."""
    if room:
        return person_id(_NAME, room)
    names = sorted({person.native_id for person in people if person.native_id})
    return short_id("|".join(names), f"{_NAME}:")


def _analysis(
    message: Mapping[str, Any], native_id: str, origin: Provenance, options: Options
) -> Interaction:
    defaults = options.defaults()
    return Interaction(
        source=_NAME,
        native_id=f"{native_id}/analysis",
        kind=InteractionKind.ACTIVITY,
        channel=Channel.CHAT,
        occurred_at=time_of(message, "analyze_time", 1_000),
        actor=Person(Side.SYSTEM),
        session=defaults.session,
        opportunity=defaults.opportunity,
        customer=defaults.customer,
        provenance=origin,
        attributes={"activity": "analysis", "message": native_id, **_facts(message)},
    )


def _facts(message: Mapping[str, Any]) -> dict[str, str]:
    return facts({name: value for name, value in message.items() if name not in _ROUTES})


def _person(party: Mapping[str, Any], options: Options) -> Person:
    native_id = text_of(party, "id")
    if not native_id:
        return Person()
    stated = options.roster.person(_NAME, native_id)
    side = _SIDES.get(text_of(party, "type"), Side.UNKNOWN)
    return stated or Person(side, person_id(_NAME, native_id), confidence=1.0)
