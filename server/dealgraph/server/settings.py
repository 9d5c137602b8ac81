"""All settings as one frozen tree, read from a TOML file and the environment.

The environment wins over the file, the file over the defaults, which stand here and nowhere else;
deploy/dealgraph.example.toml shows them all. `DEALGRAPH_SERVER__LISTEN` is the setting
`server.listen`; a list or table is written as TOML (`DEALGRAPH_TAGGING__COMPETITORS='["Acme"]'`).
Unknown names are refused. This is the only module that reads the environment.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, cast, get_origin

import msgspec
from msgspec import Meta, Struct

PREFIX: Final = "DEALGRAPH_"
"""What names of environment variables that hold settings begin with."""

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Purpose = Literal["capture", "analyse", "emotion"]

_ALL: Final[tuple[Purpose, ...]] = ("capture", "analyse", "emotion")


class SettingsError(Exception):
    """A setting is unknown or has a wrong value; the message names it and what would be right."""


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the server listens and how long it waits; times in seconds, sizes in bytes."""

    listen: str = "127.0.0.1:7440"
    metrics: str = "127.0.0.1:7441"
    reflection: bool = True
    max_message_bytes: Positive = 64 * 1024 * 1024
    keepalive_seconds: Seconds = 60.0
    keepalive_timeout_seconds: Seconds = 20.0
    min_ping_interval_seconds: Seconds = 10.0
    deadline_seconds: Seconds = 5.0
    drain_seconds: Seconds = 10.0
    readers: Positive = 2
    waiting_reads: Positive = 256
    switch_interval_seconds: Seconds = 0.0005


class IngestSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of ingest."""

    max_items: Annotated[int, Meta(ge=1, le=10_000)] = 10_000
    waiting_requests: Positive = 1024
    requests_per_commit: Positive = 64
    max_clock_skew_seconds: Annotated[int, Meta(ge=0)] = 300


class ConsentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The purposes for which, per channel, consent holds until somebody withdraws it."""

    voice: tuple[Purpose, ...] = ()
    chat: tuple[Purpose, ...] = _ALL
    mail: tuple[Purpose, ...] = _ALL
    crm: tuple[Purpose, ...] = _ALL


class TaggingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of this seller: names of competitors and products, words of the trade, models.

    `lexicons` are YAML files laid over the shipped words. `tagger` "lexicon" leaves the models out,
    "sales" takes models that find topics, too; an empty `english_model` or `chinese_model` means the
    shipped one.
    """

    competitors: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    lexicons: tuple[str, ...] = ()
    tagger: Literal["learnt", "sales", "lexicon"] = "learnt"
    english_model: str = ""
    chinese_model: str = ""
    suggestion_language: Literal["en", "zh"] = "en"


class AlertSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How many alerts are kept, how many of them in memory, and when a reader is too slow."""

    keep: Positive = 1_000_000
    ring: Positive = 4096
    backlog_limit: Positive = 20_000
    heartbeat_seconds: Seconds = 15.0
    hint_wait_seconds: Seconds = 2.0


class TeamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Reps of a team, by id as alerts carry it or by what follows its first colon, and their thresholds.

    `thresholds` holds by section the single values that differ for them.
    """

    reps: tuple[str, ...] = ()
    thresholds: dict[str, dict[str, Any]] = {}


class HintSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How often a rep is told something during a talk, and teams whose thresholds differ, by name."""

    cool_down_minutes: Annotated[float, Meta(ge=0)] = 5.0
    per_session: Positive = 8
    teams: dict[str, TeamSettings] = {}


class SignalSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Thresholds of decision signals: a file from `dealgraph signals calibrate`, "" for the shipped ones.

    `learning` lets baselines of segments and stages be learnt from the stream, a step per `learning_days` of
    event time. What the file states wins over what is learnt.
    """

    thresholds: str = ""
    learning: bool = True
    learning_days: Positive = 7


class DataflowSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The shape of the dataflow; changing `shards` is safe, state is read anew from the graph.

    `hot_actions` is the number of actions that stay in memory, over all shards.
    """

    shards: Positive = 16
    batch: Positive = 2048
    hot_actions: Positive = 200_000


class ChannelSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What happens with sources that nobody registered, and how often channels are judged."""

    unregistered: Literal["count", "hold"] = "count"
    check_seconds: Seconds = 5.0


class ErasureSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How often erasures and late withdrawals are looked for; all that wait are carried out together."""

    check_seconds: Seconds = 60.0


class WebhookSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where webhooks are received, empty: nowhere, and what their requests are checked with.

    `public_url` is the address that HubSpot calls, as it signs it; `roster` says who is who. Files hold the
    secrets.
    """

    listen: str = ""
    public_url: str = ""
    max_body_bytes: Positive = 1024 * 1024
    answer_seconds: Seconds = 4.0
    roster: str = ""
    hubspot_secret_file: str = ""
    dingtalk_secret_file: str = ""
    token_file: str = ""


class SecretSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Where secrets lie. An empty `token_key_file` means: made once in the data directory."""

    token_key_file: str = ""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings. `tenant` owns the data directory; requests may leave it out."""

    tenant: Annotated[str, Meta(min_length=1, max_length=128)] = "default"
    server: ServerSettings = ServerSettings()
    ingest: IngestSettings = IngestSettings()
    consent: ConsentSettings = ConsentSettings()
    tagging: TaggingSettings = TaggingSettings()
    alerts: AlertSettings = AlertSettings()
    hints: HintSettings = HintSettings()
    signals: SignalSettings = SignalSettings()
    dataflow: DataflowSettings = DataflowSettings()
    channels: ChannelSettings = ChannelSettings()
    erasure: ErasureSettings = ErasureSettings()
    webhook: WebhookSettings = WebhookSettings()
    secrets: SecretSettings = SecretSettings()


def load(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of a TOML file (None: no file) with the environment laid over it.

    Raises SettingsError for a file that cannot be read, an unknown name or a wrong value.
    """
    tree = _read(file) if file is not None else {}
    _refuse_unknown(tree, Settings, "", str(file))
    for name in sorted(environ):
        if name.startswith(PREFIX):
            _lay_over(tree, name, environ[name])
    try:
        return msgspec.convert(tree, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"Wrong setting: {error}.") from error


def names() -> list[str]:
    """Return the dotted names of all settings."""
    return _names(Settings, "")


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}.") from error


def _fields(struct: type[Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(struct)}


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _names(struct: type[Struct], path: str) -> list[str]:
    found: list[str] = []
    for name, kind in _fields(struct).items():
        found += _names(kind, f"{path}{name}.") if _is_section(kind) else [path + name]
    return found


def _refuse_unknown(tree: Mapping[str, Any], struct: type[Struct], path: str, where: str) -> None:
    fields = _fields(struct)
    for key, value in tree.items():
        if key not in fields:
            raise _unknown(path + key, f"{where}: ")
        if _is_section(fields[key]) and isinstance(value, Mapping):
            _refuse_unknown(value, fields[key], f"{path}{key}.", where)


def _unknown(name: str, where: str) -> SettingsError:
    near = difflib.get_close_matches(name, names(), n=1, cutoff=0.0)
    return SettingsError(f"{where}unknown setting {name!r}. Did you mean {near[0]!r}?")


def _lay_over(tree: dict[str, Any], variable: str, text: str) -> None:
    path = variable.removeprefix(PREFIX).lower().split("__")
    struct: type[Struct] = Settings
    for section in path[:-1]:
        kind = _fields(struct).get(section)
        if not _is_section(kind):
            raise _unknown(".".join(path), f"Environment variable {variable}: ")
        struct = cast("type[Struct]", kind)
        tree = tree.setdefault(section, {})
    kind = _fields(struct).get(path[-1])
    if kind is None or _is_section(kind):
        raise _unknown(".".join(path), f"Environment variable {variable}: ")
    tree[path[-1]] = _toml(variable, text) if get_origin(kind) in (tuple, dict) else text


def _toml(variable: str, text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"Environment variable {variable} must be written as in TOML, "
            f'["a", "b"] or {{name = "value"}}: {error}.'
        ) from error
