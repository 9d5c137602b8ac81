"""How fast texts are tagged, one at a time and in batches, beside the lexicon alone.

The texts are those of the traffic of the other benchmarks, from 4 to 92 characters, half of them Chinese.
"""

import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from time import perf_counter, process_time
from typing import Any, Final

from dealgraph.server.compose import open_tagger
from dealgraph.server.settings import TaggingSettings
from dealgraph.stream.tagging.tags import Tagger, Utterance
from tests.benchmarks.traffic import interactions

NAME: Final = "tag"
SUMMARY: Final = "texts → tags, one at a time and in batches, beside the lexicon alone"

_BATCH: Final = 2048


def run(quick: bool) -> dict[str, Any]:
    """Measure; `quick` tags 10 k texts, otherwise 100 k."""
    texts = _utterances(10_000 if quick else 100_000)
    learnt = open_tagger(TaggingSettings())
    lexicon = open_tagger(TaggingSettings(tagger="lexicon"))
    return {
        "learnt": _measure(learnt, texts),
        "floor_lexicon_alone": _measure(lexicon, texts),
        "memory": {
            "megabytes": round(_memory("learnt"), 1),
            "megabytes_lexicon_alone": round(_memory("lexicon"), 1),
        },
        "asked": {"one_at_a_time_per_second": 5_000, "p99_ms": 1.0, "megabytes": 200},
    }


def _utterances(count: int) -> list[Utterance]:
    stream = (one for one in interactions(2 * count) if one.text)
    return [Utterance(one.text, one.actor.side, True) for one in islice(stream, count)]


def _measure(tagger: Tagger, texts: Sequence[Utterance]) -> dict[str, float]:
    tagger.tag_all(texts[:_BATCH])
    alone = texts[: len(texts) // 5]
    took: list[float] = []
    began = process_time()
    for one in alone:
        start = perf_counter()
        tagger.tag(one.text, one.side, with_emotion=one.with_emotion)
        took.append(perf_counter() - start)
    one_by_one = process_time() - began
    began = process_time()
    for at in range(0, len(texts), _BATCH):
        tagger.tag_all(texts[at : at + _BATCH])
    batched = process_time() - began
    took.sort()
    return {
        "one_at_a_time_per_second": round(len(alone) / sum(took)),
        "one_at_a_time_cpu_us": round(one_by_one / len(alone) * 1e6, 1),
        "p50_ms": round(took[len(took) // 2] * 1e3, 4),
        "p99_ms": round(took[len(took) * 99 // 100] * 1e3, 4),
        "batch_cpu_us": round(batched / len(texts) * 1e6, 2),
    }


def _memory(tagger: str) -> float:
    """Return the peak resident memory, in megabytes, of a fresh process with nothing but a tagger."""
    code = (
        "import resource\n"
        "from dealgraph.stream.tagging.learnt_tagger import LearntTagger, shipped_models\n"
        "from dealgraph.stream.tagging.lexicon_tagger import load_default_tagger\n"
        "from dealgraph.stream.tagging.tags import Utterance\n"
        "from dealgraph.graph.model import Side\n"
        "found = load_default_tagger()\n"
        f"if {tagger!r} == 'learnt': found = LearntTagger(found, shipped_models())\n"
        "for _ in range(50): found.tag_all([Utterance('so what now 那怎么办', Side.CUSTOMER, True)] * 2048)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024
