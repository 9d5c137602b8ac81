"""Which ids may be one person, customer or opportunity: proposals for a curator, never decisions.

What is sure (the same mail address or number, a link in the customer relationship system, a roster) is merged
by rules as it comes in. Here names are compared, and what surrounds them; `matching.yaml` holds what
each finding weighs. Ids are compared when they share a word of their name, a deal or a customer, so the
work grows with the number of ids and not with its square.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from itertools import combinations
from typing import Final

import msgspec
from msgspec import Struct, field
from rapidfuzz import fuzz

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.graph.schema import PERSONS
from dealgraph.stream.name_keys import company_words, local_part, spellings, words_of

_LAST_DIGITS: Final = 9
_TELLING: Final = 4


class Weights(Struct, frozen=True, forbid_unknown_fields=True):
    """What findings weigh for one kind of node, and the score from which a pair is proposed."""

    propose_at: float
    name_from: float
    name: float
    mail_name: float = 0.0
    same_number: float = 0.0
    same_customer: float = 0.0
    same_deal: float = 0.0
    same_people: float = 0.0
    same_domain: float = 0.0
    short_name: float = 0.0
    same_source: float = 0.0


class Matching(Struct, frozen=True, forbid_unknown_fields=True):
    """All that `matching.yaml` says."""

    people: Weights
    customers: Weights
    opportunities: Weights
    largest_block: int
    public_domains: frozenset[str]
    legal_forms: frozenset[str]

    def weights(self, kind: NodeKind) -> Weights:
        """Return the weights for a kind of node."""
        if kind is NodeKind.CUSTOMER:
            return self.customers
        return self.opportunities if kind is NodeKind.OPPORTUNITY else self.people


class Profile(Struct, frozen=True):
    """What is known of an id: its names, and the customers, deals and people that it is joined to."""

    ref: NodeRef
    names: tuple[str, ...] = ()
    customers: frozenset[str] = field(default_factory=frozenset)
    deals: frozenset[str] = field(default_factory=frozenset)
    people: frozenset[str] = field(default_factory=frozenset)


class Proposal(Struct, frozen=True):
    """Two ids that seem to be one; `reasons` are (name of the finding, what it adds)."""

    one: Profile
    other: Profile
    score: float
    reasons: tuple[tuple[str, float], ...]


class Proposals(Struct, frozen=True):
    """Proposals, the surest first; `truncated` when some words were too common to compare all pairs."""

    items: tuple[Proposal, ...]
    truncated: bool


def load_matching() -> Matching:
    """Return the weights that dealgraph ships."""
    raw = (resources.files("dealgraph.stream") / "matching.yaml").read_bytes()
    return msgspec.yaml.decode(raw, type=Matching)


def propose(
    profiles: Iterable[Profile], matching: Matching, settled: Callable[[NodeRef, NodeRef], bool]
) -> Proposals:
    """Return the pairs that seem to be one, without those that are `settled` one way or the other."""
    blocks: defaultdict[tuple[NodeKind, str], list[Profile]] = defaultdict(list)
    for profile in sorted(profiles, key=lambda profile: profile.ref):
        for key in _block_keys(profile, matching):
            blocks[profile.ref.kind, key].append(profile)
    found: list[Proposal] = []
    seen: set[tuple[NodeRef, NodeRef]] = set()
    truncated = False
    for block in blocks.values():
        if len(block) > matching.largest_block:
            truncated = True
            continue
        for one, other in combinations(block, 2):
            pair = (one.ref, other.ref)
            if pair in seen or settled(*pair):
                continue
            seen.add(pair)
            proposal = compare(one, other, matching)
            if proposal.score >= matching.weights(one.ref.kind).propose_at:
                found.append(proposal)
    found.sort(key=lambda proposal: (-proposal.score, proposal.one.ref, proposal.other.ref))
    return Proposals(tuple(found), truncated)


def compare(one: Profile, other: Profile, matching: Matching) -> Proposal:
    """Return how much speaks for two profiles of one kind being one."""
    weights = matching.weights(one.ref.kind)
    reasons = tuple(
        (name, round(value, 4)) for name, value in _findings(one, other, matching, weights) if value
    )
    score = min(1.0, max(0.0, sum(value for _, value in reasons)))
    return Proposal(one, other, round(score, 4), reasons)


def _findings(
    one: Profile, other: Profile, matching: Matching, weights: Weights
) -> Iterator[tuple[str, float]]:
    alike = _alike(one, other, matching)
    if alike >= weights.name_from:
        yield "name", weights.name * alike
        shortest = min(len(w) for p in (one, other) for w in _all_words(p, matching))
        yield "short_name", weights.short_name if shortest < 2 else 0.0
    if _mail_is_name(one, other) or _mail_is_name(other, one):
        yield "mail_name", weights.mail_name
    if _number(one) and _number(one) == _number(other):
        yield "same_number", weights.same_number
    yield "same_customer", weights.same_customer if one.customers & other.customers else 0.0
    yield "same_deal", weights.same_deal if one.deals & other.deals else 0.0
    yield "same_people", weights.same_people if one.people & other.people else 0.0
    domain = _domain(one)
    if domain and domain == _domain(other) and domain not in matching.public_domains:
        yield "same_domain", weights.same_domain
    source = one.ref.id.partition(":")[0] if ":" in one.ref.id else ""
    if source and source != "mail" and other.ref.id.startswith(f"{source}:"):
        yield "same_source", weights.same_source


def _alike(one: Profile, other: Profile, matching: Matching) -> float:
    """Return how alike the names of two profiles are, 0 to 1."""
    forms = _forms(other, matching)
    return max((fuzz.ratio(a, b) for a in _forms(one, matching) for b in forms), default=0.0) / 100


def _forms(profile: Profile, matching: Matching) -> list[str]:
    """Return the forms in which a profile's names are compared."""
    if profile.ref.kind in PERSONS:
        return [form for name in profile.names for form in spellings(name)]
    return [" ".join(words) for words in _all_words(profile, matching)]


def _all_words(profile: Profile, matching: Matching) -> list[tuple[str, ...]]:
    if profile.ref.kind is NodeKind.CUSTOMER:
        found = [company_words(name, matching.legal_forms) for name in profile.names]
    else:
        found = [words_of(name) for name in profile.names]
    return [words for words in found if words]


def _mail_is_name(mail: Profile, named: Profile) -> bool:
    """Say whether a mail address is made of another's name: li.na@, lina@, na.li@."""
    if not mail.ref.id.startswith("mail:"):
        return False
    local = local_part(mail.ref.id[5:])
    for name in named.names:
        words = words_of(name)
        if len(words) > 1 and sorted(local) == sorted("".join(words)):
            return any(local.startswith(word) for word in words)
    return False


def _number(profile: Profile) -> str:
    """Return the last digits of an id that is a telephone number, "" for any other."""
    number = profile.ref.id.partition(":")[2]
    digits = "".join(c for c in number if c.isdigit())
    plain = all(c.isdigit() or c in "+ -()./" for c in number)
    return digits[-_LAST_DIGITS:] if plain and _LAST_DIGITS <= len(digits) <= 15 else ""


def _domain(profile: Profile) -> str:
    mail = profile.ref.id.startswith("mail:")
    return profile.ref.id.rpartition("@")[2] if mail else ""


def _block_keys(profile: Profile, matching: Matching) -> set[str]:
    """Return what ids share that are worth a comparison."""
    keys = {f"d:{deal}" for deal in profile.deals}
    keys |= {f"n:{number}" for number in (_number(profile),) if number}
    keys |= {f"f:{form}" for form in _forms(profile, matching)}
    for words in _all_words(profile, matching):
        # Syllables of Chinese names are too common to say anything by themselves.
        keys |= {f"w:{word}" for word in words if len(word) >= _TELLING}
        keys.add(f"l:{''.join(sorted(''.join(words)))}")
    if profile.ref.id.startswith("mail:"):
        keys.add(f"l:{''.join(sorted(local_part(profile.ref.id[5:])))}")
    return keys
