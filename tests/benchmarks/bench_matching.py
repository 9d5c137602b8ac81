"""How well people under two ids are proposed as one, and what it costs: names in hanzi and in pinyin.

Each person has a chat id with a Chinese name and a mail address with that name in pinyin, some misspelt by a
letter; eight people a customer, five a deal. The floor is what it takes to read the names alone.
"""

from random import Random
from time import process_time
from typing import Any, Final

from pypinyin import lazy_pinyin

from dealgraph.graph.model import NodeKind, NodeRef
from dealgraph.stream.matching import Profile, load_matching, propose
from dealgraph.stream.name_keys import words_of

NAME: Final = "matching"
SUMMARY: Final = "proposals of ids that may be one person: precision, recall and CPU time"

_FAMILY: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN: Final = (
    "芳娜伟洋静敏强磊军杰涛明超秀英华慧巧美兰红云莲真环雪荣爱妹霞香月莺媛艳瑞凡佳嘉琼勤珍贞莉"
)
_MISSPELT: Final = 0.2


def run(quick: bool) -> dict[str, Any]:
    """Return the figures; a quick run has fewer people."""
    people = 2_000 if quick else 10_000
    random = Random(1)
    profiles: list[Profile] = []
    truth: set[tuple[NodeRef, NodeRef]] = set()
    for number in range(people):
        chinese = "".join(random.choice(part) for part in (_FAMILY, _GIVEN, _GIVEN))
        address = NodeRef(NodeKind.CONTACT, f"mail:u{number}@c{number // 8}.example")
        chat = NodeRef(NodeKind.CONTACT, f"wecom:wm{number}")
        around = (frozenset({f"c{number // 8}"}), frozenset({f"d{number // 5}"}))
        profiles.append(Profile(chat, (chinese,), *around))
        profiles.append(Profile(address, (_latin(chinese, random),), *around))
        truth.add((address, chat))
    began = process_time()
    for profile in profiles:
        words_of(profile.names[0])
    floor = process_time() - began
    words_of.cache_clear()
    began = process_time()
    found = propose(profiles, load_matching(), lambda one, other: False)
    seconds = process_time() - began
    pairs = {(proposal.one.ref, proposal.other.ref) for proposal in found.items}
    return {
        "ids": len(profiles),
        "misspelt": _MISSPELT,
        "precision": len(pairs & truth) / len(pairs),
        "recall": len(pairs & truth) / len(truth),
        "cpu_us_per_id": seconds / len(profiles) * 1e6,
        "floor_cpu_us_per_id": floor / len(profiles) * 1e6,
    }


def _latin(chinese: str, random: Random) -> str:
    family, *given = lazy_pinyin(chinese)
    name = "".join(given)
    if random.random() < _MISSPELT:
        at = random.randrange(len(name))
        name = name[:at] + random.choice("abcdefghijklmnopqrstuvwxyz") + name[at + 1 :]
    return f"{name.title()} {family.title()}"
