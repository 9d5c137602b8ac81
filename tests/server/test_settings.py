"""Settings: one tree, the environment over the file, nothing unknown."""

from pathlib import Path

import pytest

from dealgraph.server.settings import Settings, SettingsError, load, names

EXAMPLE = Path(__file__).parents[2] / "deploy" / "dealgraph.example.toml"


def written(folder: Path, text: str) -> Path:
    file = folder / "dealgraph.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_file_holds_the_defaults_and_names_every_setting() -> None:
    assert load(EXAMPLE, {}) == Settings()
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [name for name in names() if f"\n{name.rpartition('.')[2]} = " not in text] == []


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nlisten = "127.0.0.1:1"\ndrain_seconds = 3\n')
    settings = load(file, {"DEALGRAPH_SERVER__LISTEN": "127.0.0.1:2", "PATH": "/bin"})
    assert settings.server.listen == "127.0.0.1:2"
    assert settings.server.drain_seconds == 3


def test_lists_and_numbers_and_truths_can_stand_in_the_environment() -> None:
    settings = load(
        None,
        {
            "DEALGRAPH_TAGGING__COMPETITORS": '["Acme", "全球"]',
            "DEALGRAPH_ALERTS__RING": "7",
            "DEALGRAPH_SERVER__REFLECTION": "false",
            "DEALGRAPH_TENANT": "123",
        },
    )
    assert settings.tagging.competitors == ("Acme", "全球")
    assert settings.alerts.ring == 7
    assert not settings.server.reflection
    assert settings.tenant == "123"


def test_teams_stand_in_the_file_or_as_a_table_in_the_environment(tmp_path: Path) -> None:
    text = """
[hints.teams.enterprise]
reps = ["wang"]
thresholds.competitor_rate = { limit_per_10_minutes = 4 }
"""
    in_file = load(written(tmp_path, text), {}).hints.teams
    value = '{enterprise={reps=["wang"],thresholds.competitor_rate={limit_per_10_minutes=4}}}'
    assert load(None, {"DEALGRAPH_HINTS__TEAMS": value}).hints.teams == in_file
    assert in_file["enterprise"].reps == ("wang",)
    assert in_file["enterprise"].thresholds == {"competitor_rate": {"limit_per_10_minutes": 4}}


def test_a_misspelt_name_within_a_team_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"rep.*teams"):
        load(written(tmp_path, "[hints.teams.enterprise]\nrep = ['wang']\n"), {})


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("[server]\nlistn = 'x'\n", "'server.listn'", "'server.listen'"),
        ("[alert]\nring = 3\n", "'alert'", "'"),
        ("tenat = 'a'\n", "'tenat'", "'tenant'"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused_with_the_nearest_one(
    tmp_path: Path, text: str, unknown: str, nearest: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        load(written(tmp_path, text), {})
    assert f"unknown setting {unknown}" in str(refused.value)
    assert f"Did you mean {nearest}" in str(refused.value)


@pytest.mark.parametrize(
    "variable",
    ["DEALGRAPH_SERVER__LISTN", "DEALGRAPH_SERVR__LISTEN", "DEALGRAPH_SERVER", "DEALGRAPH_A__B__C"],
)
def test_an_unknown_variable_is_refused_by_its_name(variable: str) -> None:
    with pytest.raises(SettingsError, match=rf"{variable}: unknown setting .* Did you mean"):
        load(None, {variable: "x"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEALGRAPH_ALERTS__RING", "0"),
        ("DEALGRAPH_ALERTS__RING", "many"),
        ("DEALGRAPH_SERVER__DRAIN_SECONDS", "-1"),
        ("DEALGRAPH_CONSENT__VOICE", '["everything"]'),
        ("DEALGRAPH_CONSENT__VOICE", "capture"),
        ("DEALGRAPH_TENANT", ""),
        ("DEALGRAPH_INGEST__MAX_ITEMS", "10001"),
    ],
)
def test_a_wrong_value_is_refused_and_says_where(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(None, {variable: value})
    section = variable.removeprefix("DEALGRAPH_").lower().split("__")
    assert section[-1] in str(refused.value).lower()


def test_a_file_that_is_no_toml_or_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not TOML"):
        load(written(tmp_path, "= ="), {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "missing.toml", {})
