"""Takes webhooks in over HTTP: CloudEvents, HubSpot, DingTalk. It answers only once what came is durable.

    POST /hooks/SOURCE      SOURCE is a connector: its parser reads the body, or the data of a CloudEvent

Vendors give up after a few seconds and send again, so a request that is not durable in time is answered
503, and what comes twice is a duplicate. What cannot be parsed becomes a dead letter, as everywhere.
"""

import asyncio
import hmac
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web
from msgspec import Struct

from dealgraph.graph.storage import StorageError
from dealgraph.server.commit_queue import CommitQueue
from dealgraph.server.errors import CallError
from dealgraph.server.metrics import Metrics
from dealgraph.server.settings import SettingsError, WebhookSettings
from dealgraph.stream.connectors.cloud_events import cloud_events, is_cloud_event
from dealgraph.stream.connectors.connector import Connector, Options
from dealgraph.stream.connectors.raw import RecordError
from dealgraph.stream.connectors.registry import connectors
from dealgraph.stream.connectors.roster import Roster, load_roster
from dealgraph.stream.connectors.signatures import dingtalk_fault, hubspot_fault
from dealgraph.stream.ingest import Gate
from dealgraph.stream.interaction import Interaction, Reason, Rejected
from dealgraph.stream.receipts import Outcome, Receipt

_HUBSPOT: Final = "hubspot"
_DINGTALK: Final = "dingtalk"
_WHOLE_EVENTS: Final = frozenset({"metrics"})
"""Connectors that read a CloudEvent themselves; others get its data."""

_RETRY_SECONDS: Final = "2"

_Item = Interaction | Rejected


class Secrets(Struct, frozen=True):
    """What requests are checked with; empty means: not set."""

    hubspot: str
    dingtalk: str
    token: str


def load_secrets(stated: WebhookSettings) -> Secrets:
    """Return the secrets in the files that the settings name. Raises SettingsError, also without any."""
    secrets = Secrets(
        _secret("hubspot_secret_file", stated.hubspot_secret_file),
        _secret("dingtalk_secret_file", stated.dingtalk_secret_file),
        _secret("token_file", stated.token_file),
    )
    if not (secrets.hubspot or secrets.dingtalk or secrets.token):
        raise SettingsError(
            "webhook.listen is set, but no request could be checked. Name a file with a secret: "
            "webhook.token_file for CloudEvents and all other sources, webhook.hubspot_secret_file, "
            "or webhook.dingtalk_secret_file."
        )
    return secrets


class Webhooks:
    """The receiver. `clock` gives milliseconds since 1970 UTC. To be used within one event loop."""

    def __init__(
        self,
        gate: Gate,
        commits: CommitQueue,
        metrics: Metrics,
        clock: Callable[[], int],
        stated: WebhookSettings,
    ) -> None:
        self._gate = gate
        self._commits = commits
        self._metrics = metrics
        self._clock = clock
        self._stated = stated
        self._secrets = load_secrets(stated)
        roster = load_roster(Path(stated.roster)) if stated.roster else Roster()
        self._options = Options(roster=roster)
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port. Raises OSError when it cannot be bound."""
        await self._commits.submit(partial(self._gate.publish, [*self._options.roster.events()]))
        application = web.Application(client_max_size=self._stated.max_body_bytes)
        application.router.add_post("/hooks/{source}", self._take)
        application.router.add_options("/hooks/{source}", _allow)
        # What comes in the last moments of a server is answered or refused, never left without an answer.
        self._runner = web.AppRunner(
            application, access_log=None, shutdown_timeout=self._stated.answer_seconds
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Answer what is under way, and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        source = request.match_info["source"]
        connector = connectors().get(source)
        if connector is None:
            return self._answer("other", 404, {"error": "there is no such source"})
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            most = self._stated.max_body_bytes
            return self._answer(source, 413, {"error": f"a request has {most} bytes at most"})
        headers = _readable(request.headers)
        refused = self._refusal(source, request, headers, body)
        if refused is not None:
            status, why = refused
            return self._answer(source, status, {"error": why})
        items = await asyncio.to_thread(_items, connector, headers, body, self._options)
        return await self._store(source, items)

    def _refusal(
        self, source: str, request: web.Request, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str] | None:
        """Return the status and reason with which a request is refused, None when it is taken."""
        now = self._clock()
        if source == _HUBSPOT and self._secrets.hubspot:
            uri = self._stated.public_url.rstrip("/") + request.path_qs
            fault = hubspot_fault(
                request.method,
                uri if self._stated.public_url else str(request.url),
                body,
                headers.get("x-hubspot-request-timestamp", ""),
                headers.get("x-hubspot-signature-v3", ""),
                self._secrets.hubspot,
                now,
            )
        elif source == _DINGTALK and self._secrets.dingtalk:
            signed = (headers.get("timestamp", ""), headers.get("sign", ""))
            fault = dingtalk_fault(*signed, self._secrets.dingtalk, now)
        elif source in (_HUBSPOT, _DINGTALK) or not self._secrets.token:
            # Whoever reaches the port could write into the graph, so nothing is taken unsigned.
            setting = f"{source}_secret_file" if source in (_HUBSPOT, _DINGTALK) else "token_file"
            return 404, f"this source is not enabled: webhook.{setting} is not set"
        else:
            given = headers.get("authorization", "").removeprefix("Bearer ")
            token = self._secrets.token
            right = hmac.compare_digest(given.encode(), token.encode())
            fault = None if right else "the token does not fit"
        return None if fault is None else (401, "the request is not signed as it must be")

    async def _store(self, source: str, items: Sequence[_Item]) -> web.Response:
        """Answer once the items are durable, or that they are not within the time."""
        write = asyncio.ensure_future(self._commits.submit(partial(self._gate.publish, items)))
        try:
            # The write goes on when time is up: what is sent again is then a duplicate.
            receipts = await asyncio.wait_for(asyncio.shield(write), self._stated.answer_seconds)
        except (TimeoutError, StorageError, CallError):
            write.add_done_callback(_look)
            answer = self._answer(source, 503, {"error": "not stored yet: send it again"})
            answer.headers["Retry-After"] = _RETRY_SECONDS
            return answer
        outcomes = Counter(receipt.outcome for receipt in receipts)
        told = {outcome.value: outcomes[outcome] for outcome in Outcome}
        return self._answer(source, 400 if _is_unreadable(receipts) else 200, told)

    def _answer(self, source: str, status: int, told: Mapping[str, Any]) -> web.Response:
        self._metrics.webhook_requests.labels(self._metrics.source(source), str(status)).inc()
        return web.Response(
            status=status, body=msgspec.json.encode(told), content_type="application/json"
        )


def _items(
    connector: Connector, headers: Mapping[str, str], body: bytes, options: Options
) -> list[_Item]:
    if not is_cloud_event(headers):
        return list(connector.parse_record(body, "webhook", options))
    try:
        events = cloud_events(headers, body)
    except RecordError as error:
        name = connector.name
        return [Rejected(name, "webhook", error.reason, error.detail, body)]
    items: list[_Item] = []
    for number, event in enumerate(events, 1):
        whole = connector.name in _WHOLE_EVENTS or not isinstance(event, dict)
        value = event if whole else event.get("data", {})
        named = event.get("id", number) if isinstance(event, dict) else number
        raw = msgspec.json.encode(value)
        items += connector.parse_record(raw, f"webhook:{named}"[:200], options)
    return items


def _readable(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers by their names in lower case; bytes that are no text are replaced."""
    return {
        name.lower(): value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        for name, value in headers.items()
    }


def _is_unreadable(receipts: Sequence[Receipt]) -> bool:
    """Say whether nothing of a request could be read: its sender made a mistake."""
    unreadable = (Reason.UNREADABLE, Reason.TOO_DEEP, Reason.BAD_ENCODING, Reason.TRUNCATED)
    return bool(receipts) and all(receipt.reason in unreadable for receipt in receipts)


async def _allow(request: web.Request) -> web.Response:
    """Agree to get events, as the HTTP webhook of CloudEvents asks before it sends any."""
    origin = request.headers.get("WebHook-Request-Origin", "")
    headers = {"WebHook-Allowed-Origin": origin} if origin else {}
    return web.Response(status=200, headers={"Allow": "POST", **headers})


def _look(write: "asyncio.Future[Any]") -> None:
    """Take note of how a write ended that nobody waits for: its sender was told to send again."""
    if not write.cancelled():
        write.exception()


def _secret(name: str, file: str) -> str:
    if not file:
        return ""
    try:
        secret = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"webhook.{name}: {file} cannot be read ({error}).") from error
    if not secret:
        raise SettingsError(f"webhook.{name}: {file} is empty.")
    return secret
