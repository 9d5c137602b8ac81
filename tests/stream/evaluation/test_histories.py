"""What detectors are shown of a world: what may be analysed, once, in order, under the right person."""

from msgspec.structs import replace

from dealgraph.graph.model import ActionKind, Stage
from dealgraph.server.compose import consent_policy, open_tagger
from dealgraph.server.settings import Settings
from dealgraph.stream.evaluation.histories import Histories, histories
from dealgraph.stream.world.scenario import Disorder, Scenario, shipped_scenario

SETTINGS = Settings()
TAGGER = open_tagger(SETTINGS.tagging)
SMALL = replace(shipped_scenario("example"), days=40, reps=6, deals_per_rep=1.0)


def seen(scenario: Scenario) -> Histories:
    return histories(scenario, 3, TAGGER, consent_policy(SETTINGS))


def test_a_history_is_in_order_and_holds_each_action_once() -> None:
    disorder = Disorder(duplicates=0.2, late_mails=0.5, recalled_messages=0.1)
    for actions in seen(replace(SMALL, disorder=disorder)).observed.values():
        places = [(action.at, action.id) for action in actions]
        assert places == sorted(set(places))


def test_disorder_changes_nothing_of_what_is_seen_in_the_end() -> None:
    tidy, untidy = Disorder(recalled_messages=0.0), Disorder(duplicates=0.3, recalled_messages=0.0)
    assert (
        seen(replace(SMALL, disorder=tidy)).observed
        == seen(replace(SMALL, disorder=untidy)).observed
    )


def test_each_action_has_the_stage_of_its_time() -> None:
    for actions in seen(SMALL).observed.values():
        stage = Stage.UNKNOWN
        for action in actions:
            stage = action.stage if action.kind is ActionKind.STAGE_CHANGE else stage
            assert action.stage is stage


def test_the_deals_of_the_others_are_the_same_with_and_without_the_consent_of_some() -> None:
    some = seen(replace(SMALL, disorder=Disorder(opt_out_reps=0.34)))
    everybody = seen(SMALL)
    staying = [name for name, deal in some.deals.items() if not deal.opted_out]
    leaving = [name for name, deal in some.deals.items() if deal.opted_out]
    assert leaving and staying
    assert all(some.observed[name] == everybody.observed[name] for name in staying)
    assert all(
        action.kind is ActionKind.STAGE_CHANGE or not action.session
        for name in leaving
        for action in some.observed[name]
    )
