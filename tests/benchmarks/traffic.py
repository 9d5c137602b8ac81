"""Traffic for benchmarks: conversations of many deals, in two languages, the same for the same seed."""

from collections.abc import Iterator
from random import Random
from typing import Final

from dealgraph.graph.model import Channel, Role, Side
from dealgraph.stream.interaction import (
    Interaction,
    InteractionKind,
    Person,
    StageChange,
)

START: Final = 1_767_225_600_000
"""2026-01-01 00:00 UTC, in milliseconds."""
TURNS: Final = 20
"""Messages in a session."""
SESSIONS: Final = 5
"""Sessions of a deal."""

_STAGES: Final = ("DISCOVERY", "QUALIFICATION", "DEMO", "PROPOSAL", "NEGOTIATION")

_CUSTOMER: Final = (
    "Good morning, thanks for making the time today.",
    "How long does the rollout take once we have signed?",
    "We looked at two other vendors last month, and one of them is quite a bit cheaper.",
    "Our team runs three plants and each has its own system, so we need to see how data moves.",
    "Can you send the security questionnaire back by Thursday?",
    "I am not sure the board will approve this budget before the summer.",
    "The demo went well, people on the floor liked how fast it was.",
    "What happens to our data if we leave after the first year?",
    "Honestly the price per seat is higher than we expected.",
    "Let me check with our legal department about the liability clause.",
    "That sounds good to me.",
    "Could you walk us through the integration with the warehouse again?",
    "你们的系统能不能和我们现有的 ERP 对接？",
    "这个价格比我们的预算高了不少，能不能再优惠一点？",
    "上线大概需要多长时间？我们年底前必须切换。",
    "技术上没有问题，但是采购流程还要走一个月。",
    "好的，谢谢，我们内部再讨论一下。",
    "合同里的违约条款我们法务需要再看看。",
    "我们也在看另外一家的方案，他们的报价更低。",
    "上次说的接口文档什么时候能给我们？",
)
_REP: Final = (
    "Of course, I will send you the plan after this call.",
    "We usually go live within six weeks, and a named engineer stays with you.",
    "The price covers support and all updates for the first year.",
    "Let us meet again on Tuesday with your technical lead.",
    "I understand; may I ask what matters most to your board?",
    "Yes, the connector for the warehouse is part of the package.",
    "可以的，我们有标准接口，下周安排技术同事给您演示。",
    "价格方面我回去申请一下，明天给您答复。",
    "一般六周可以上线，我们会有专人跟进。",
    "好的，资料我今天下午发给您。",
)


def interactions(count: int, seed: int = 1, *, first_deal: int = 0) -> Iterator[Interaction]:
    """Yield `count` interactions of deals that run one beside another, in order of time."""
    random = Random(seed)
    per_deal = TURNS * SESSIONS + 1
    together = 50
    made = 0
    block = first_deal
    while made < count:
        deals = [_deal(random, block + number) for number in range(together)]
        for step in range(per_deal):
            for deal in deals:
                if made == count:
                    return
                yield deal[step]
                made += 1
        block += together


def _deal(random: Random, number: int) -> list[Interaction]:
    """Return the interactions of one deal: a change of stage, then its sessions."""
    opportunity, customer, rep = f"deal-{number}", f"customer-{number // 2}", f"rep-{number % 237}"
    people = [
        Person(Side.CUSTOMER, f"wm{number}-{seat}", f"Contact {seat}", role, 1.0)
        for seat, role in enumerate((Role.TECH_LEAD, Role.ECONOMIC_BUYER, Role.USER))
    ]
    seller = Person(Side.REP, rep, "Rep", Role.UNKNOWN, 1.0)
    at = START + number * 1000
    found = [
        Interaction(
            source="crm",
            native_id=f"{opportunity}/stage",
            kind=InteractionKind.STAGE_CHANGE,
            channel=Channel.CRM,
            occurred_at=at,
            opportunity=opportunity,
            customer=customer,
            rep=rep,
            detail=StageChange(random.choice(_STAGES)),
        )
    ]
    for turn in range(TURNS * SESSIONS):
        session = f"{opportunity}/{turn // TURNS}"
        by_rep = turn % 3 == 2
        at += random.randrange(2_000, 30_000) + (86_400_000 if turn % TURNS == 0 else 0)
        found.append(
            Interaction(
                source="wecom",
                native_id=f"{session}/{turn}",
                kind=InteractionKind.MESSAGE,
                channel=Channel.CHAT,
                occurred_at=at,
                actor=seller if by_rep else random.choice(people),
                session=session,
                opportunity=opportunity,
                customer=customer,
                rep=rep,
                text=random.choice(_REP if by_rep else _CUSTOMER),
            )
        )
    return found
