"""What is talked about: themes by stage, and which roles are near to them."""

from collections.abc import Mapping
from typing import Final

from dealgraph.graph.model import Role

THEMES: Final[Mapping[str, Mapping[str, float]]] = {
    "": {"need": 2, "technical": 1, "process": 2, "timeline": 1, "budget": 1},
    "C": {"need": 5, "process": 2, "technical": 1, "timeline": 1},
    "D": {"need": 5, "process": 2, "technical": 2, "timeline": 1, "budget": 1},
    "Q": {"need": 3, "process": 3, "budget": 3, "timeline": 2, "technical": 1},
    "M": {"need": 3, "technical": 4, "process": 1, "timeline": 1},
    "T": {"technical": 5, "need": 2, "process": 1, "timeline": 1},
    "P": {"budget": 3, "need": 2, "process": 2, "timeline": 2, "technical": 1},
    "N": {"budget": 3, "process": 3, "timeline": 2, "need": 1, "technical": 1},
    "L": {"process": 3, "timeline": 2, "budget": 1, "need": 1},
    "O": {"technical": 2, "need": 2, "process": 3, "timeline": 2},
    "E": {"need": 4, "budget": 3, "process": 2, "timeline": 2},
    "B": {"technical": 4, "need": 3, "process": 2, "timeline": 1},
    "K": {"technical": 3, "need": 3, "process": 3, "budget": 1},
    "G": {"technical": 4, "process": 3, "need": 1},
}
"""What is talked about at a stage, besides what has a rate of its own."""

_NOT_THEIRS: Final = {Role.TECH_LEAD: 0.15, Role.ENGINEER: 0.1, Role.USER: 0.2}

NEARNESS: Final[Mapping[str, Mapping[Role, float]]] = {
    "technical": {
        Role.TECH_LEAD: 4.0,
        Role.ENGINEER: 3.0,
        Role.INFOSEC: 2.0,
        Role.USER: 0.7,
        Role.ECONOMIC_BUYER: 0.2,
        Role.EXECUTIVE: 0.2,
        Role.LEGAL: 0.1,
        Role.PROCUREMENT: 0.3,
    },
    "price": {Role.PROCUREMENT: 3.0, Role.ECONOMIC_BUYER: 2.0, Role.CHAMPION: 1.5} | _NOT_THEIRS,
    "budget": {Role.ECONOMIC_BUYER: 2.0, Role.CHAMPION: 2.0, Role.PROCUREMENT: 1.5} | _NOT_THEIRS,
    "legal": {Role.LEGAL: 6.0, Role.PROCUREMENT: 2.0} | _NOT_THEIRS,
    "delivery": {Role.USER: 2.0, Role.CHAMPION: 1.5},
    "ownership": {Role.CHAMPION: 1.5, Role.USER: 1.5, Role.TECH_LEAD: 1.5},
}
LATE_CODES: Final = frozenset("PNLO")
LATE_SUBJECTS: Final = frozenset({"price.terms"})
"""What nobody talks about before there is a proposal."""

PAPER_SHARE: Final = 0.2
"""Part of the talk that is about the contract once legal takes part, and in legal meetings."""
LEGAL_MEETING_SHARE: Final = 0.55
