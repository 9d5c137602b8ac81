"""Baselines are learnt from the stream, written into the log, and hold for deals that begin later."""

from pathlib import Path
from random import Random

from msgspec.structs import replace

from dealgraph.graph.hash import graph_hash
from dealgraph.graph.model import DecisionSignal
from dealgraph.graph.store import SignalQuery
from dealgraph.server.compose import Embedded, rebuilding
from dealgraph.server.settings import Settings, SignalSettings
from dealgraph.stream.baselines.record import Baselines, all_baselines
from dealgraph.stream.meter import SilentMeter
from tests.support.dealgraphs import NOW, alerts_of, opened, process
from tests.support.stories import BEGIN, DAY, long_story

STORY = long_story(weeks=5, deals=4, seed=1)
WHEN = {one.opportunity: one.occurred_at for one in reversed(STORY)}
"""The first event of each deal."""


def learnt(dealgraph: Embedded) -> list[Baselines]:
    return [replace(one, learnt_at=0) for one in all_baselines(dealgraph.log)]


def signals(dealgraph: Embedded) -> list[DecisionSignal]:
    return dealgraph.graph.list_signals(SignalQuery(limit=10_000))


def test_each_step_of_event_time_learns_from_the_deals_that_are_over(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        found = learnt(dealgraph)
    assert [one.version for one in found] == list(range(1, len(found) + 1))
    assert len(found) >= 3
    assert sum(one.deals for one in found) <= len(WHEN)
    for one in found:
        assert one.until < one.valid_from
        cells = {(c.segment, c.stage): c for c in one.sums["tech_question_surge"]}
        assert {("", ""), ("large", ""), ("small", "PROPOSAL")} <= cells.keys()
        assert set(one.values["tech_question_surge"]["usual"]) == {"", "large", "small"}  # type: ignore[call-overload]


def test_a_signal_says_by_which_baselines_it_was_judged(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        since = {one.version: one.valid_from for one in learnt(dealgraph)}
        found = signals(dealgraph)
    for signal in found:
        began = WHEN[signal.opportunity]
        assert signal.baselines == max((v for v in since if since[v] <= began), default=0)
    assert {signal.baselines for signal in found} >= {0, 1}
    versions = {(signal.rule, signal.rule_version) for signal in found}
    assert len(versions) == len({rule for rule, _ in versions})


def test_a_graph_made_anew_takes_the_baselines_of_the_log(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY)
        before = graph_hash(dealgraph.graph), alerts_of(dealgraph), learnt(dealgraph)
    with rebuilding(tmp_path, Settings(), lambda: NOW, SilentMeter()) as dealgraph:
        dealgraph.runner.run_to_end()
    with opened(tmp_path) as dealgraph:
        assert (graph_hash(dealgraph.graph), alerts_of(dealgraph), learnt(dealgraph)) == before


def test_the_same_log_teaches_the_same_whatever_is_read_at_a_time(tmp_path: Path) -> None:
    found = []
    for batch in (7, 2048):
        flow = replace(Settings().dataflow, batch=batch)
        with opened(tmp_path / str(batch), Settings(dataflow=flow)) as dealgraph:
            process(dealgraph, STORY)
            found.append((graph_hash(dealgraph.graph), learnt(dealgraph)))
    assert found[0] == found[1]


def test_learning_goes_on_after_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path / "once") as dealgraph:
        process(dealgraph, STORY)
        whole = graph_hash(dealgraph.graph), learnt(dealgraph)
    for at in range(0, len(STORY), 111):
        with opened(tmp_path / "often") as dealgraph:
            process(dealgraph, STORY[at : at + 111])
            often = graph_hash(dealgraph.graph), learnt(dealgraph)
    assert often == whole


def test_what_comes_late_is_judged_by_the_baselines_that_held_when_its_deal_began(
    tmp_path: Path,
) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, [one for one in STORY if one.opportunity != "deal-1-19"])
        late = [one for one in STORY if one.opportunity == "deal-1-19"]
        Random(2).shuffle(late)
        process(dealgraph, late)
        shuffled = [one for one in signals(dealgraph) if one.opportunity == "deal-1-19"]
        versions = {one.baselines for one in shuffled}
    with opened(tmp_path / "ordered") as dealgraph:
        process(dealgraph, STORY)
        (first,) = {one.baselines for one in signals(dealgraph) if one.opportunity == "deal-1-19"}
    assert versions == {first}


def test_where_learning_is_off_nothing_is_learnt_or_used(tmp_path: Path) -> None:
    with opened(tmp_path) as dealgraph:
        process(dealgraph, STORY[:-1])
        assert learnt(dealgraph)
    off = Settings(signals=SignalSettings(learning=False))
    with opened(tmp_path, off) as dealgraph:
        process(dealgraph, STORY[-1:])
        known = learnt(dealgraph)
        assert dealgraph.baselines.in_force_at(BEGIN + 900 * DAY).baselines == 0
    with opened(tmp_path) as dealgraph:
        assert dealgraph.baselines.in_force_at(BEGIN + 900 * DAY).baselines == known[-1].version


def test_what_a_tenant_states_wins_over_what_is_learnt(tmp_path: Path) -> None:
    file = tmp_path / "signals.yaml"
    file.write_text("thresholds: {tech_question_surge: {prior_rate_per_minute: 1.0}}")
    stated = Settings(signals=SignalSettings(thresholds=str(file)))
    with opened(tmp_path / "data", stated) as dealgraph:
        process(dealgraph, STORY)
        book = dealgraph.baselines
        values = book.thresholds_by(book.newest).sections
    assert values["tech_question_surge"]["prior_rate_per_minute"] == 1.0
    assert "usual" not in values["tech_question_surge"]
    assert values["competitor_rate"]["usual_per_10_minutes"] != 0.5
