"""What follows from who takes part in a conversation: its rep, its contact, its customer."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from dealgraph.graph.model import Side
from dealgraph.stream.connectors.connector import Options
from dealgraph.stream.identity import person_id
from dealgraph.stream.interaction import Person

_MAX_ID: Final = 200


def rep_of(people: Sequence[Person], stated: str, source: str) -> str:
    """Return who holds the conversation: a rep who speaks (the first), the only rep, else `stated`.

    Where nobody is stated, it is the first rep who is addressed.
    """
    reps = [person.native_id for person in people if person.side is Side.REP]
    if reps and (people[0].side is Side.REP or len(set(reps)) == 1 or not stated):
        return reps[0]
    return person_id(source, stated) if stated else ""


def contact_of(people: Sequence[Person]) -> str:
    """Return the only customer who takes part, "" when there are several or none."""
    customers = {person.native_id for person in people if person.side is Side.CUSTOMER}
    return customers.pop() if len(customers) == 1 else ""


def customer_of(people: Sequence[Person], options: Options) -> str:
    """Return the customer that somebody who takes part works for, else the one stated for all."""
    for person in people:
        customer = options.roster.customer_of(person.native_id)
        if customer:
            return customer
    return options.defaults().customer


def short_id(text: str, prefix: str) -> str:
    """Return an id as it is, or its digest after `prefix` when it is very long."""
    if len(text) <= _MAX_ID:
        return text
    return prefix + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
