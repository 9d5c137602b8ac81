"""Around every call of dealgraph's services: it is counted, timed, and its errors become statuses."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from dealgraph.server import logs
from dealgraph.server.errors import (
    DETAILS_KEY,
    CallError,
    as_call_error,
    internal,
    malformed,
    too_large,
    unimplemented,
)
from dealgraph.server.metrics import Metrics

_OURS: Final = "/dealgraph."


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of dealgraph's own services; health and reflection pass as they are.

    A message of more than `max_message_bytes` is refused. gRPC itself would do so without a reason, so its
    own limit must be higher.
    """

    def __init__(self, metrics: Metrics, max_message_bytes: int) -> None:
        self._metrics = metrics
        self._max_message_bytes = max_message_bytes

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Return the handler of a method, wrapped."""
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if not method.startswith(_OURS):
            return handler
        if handler is None:
            # Named by the client: a label with it could hold anything.
            answer = self._streaming(_unknown_method, ("bidi_stream", "unknown", "unknown"))
            return grpc.stream_stream_rpc_method_handler(answer)
        return self._wrapped(handler, method)

    def _wrapped(self, handler: Any, path: str) -> Any:
        _, service, method = path.split("/")
        if handler.response_streaming:
            make = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            kind = "bidi_stream" if handler.request_streaming else "server_stream"
            inner = handler.stream_stream if handler.request_streaming else handler.unary_stream
            behaviour: Any = self._streaming(inner, (kind, service, method))
        else:
            make = (
                grpc.stream_unary_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_unary_rpc_method_handler
            )
            kind = "client_stream" if handler.request_streaming else "unary"
            inner = handler.stream_unary if handler.request_streaming else handler.unary_unary
            behaviour = self._single(inner, (kind, service, method))
        read = _reading(handler.request_deserializer, self._max_message_bytes)
        return make(behaviour, read, handler.response_serializer)

    def _single(self, inner: Any, call: tuple[str, str, str]) -> Any:
        async def answer(request: Any, context: Any) -> Any:
            async with self._observed(call, context):
                return await inner(_sound(request), context)

        return answer

    def _streaming(self, inner: Any, call: tuple[str, str, str]) -> Any:
        if not inspect.isasyncgenfunction(inner):
            raise TypeError(f"{call[2]} must be an async generator")

        async def answer(request: Any, context: Any) -> AsyncIterator[Any]:
            async with self._observed(call, context):
                async for response in inner(_sound(request), context):
                    yield response

        return answer

    @asynccontextmanager
    async def _observed(self, call: tuple[str, str, str], context: Any) -> AsyncIterator[None]:
        self._metrics.call_started(call)
        begun = time.perf_counter()

        def ended(code: grpc.StatusCode) -> None:
            self._metrics.call_handled(call, code, time.perf_counter() - begun)

        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            ended(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # Whatever it is, the client gets a status with details.
            known = as_call_error(error)
            if known is None:
                logs.fault("call_failed", error, method=call[2])
                known = internal()
            ended(known.code)
            details = known.status().SerializeToString()
            await context.abort(known.code, known.message, ((DETAILS_KEY, details),))
        else:
            ended(grpc.StatusCode.OK)


async def _unknown_method(_requests: Any, _context: Any) -> AsyncIterator[Any]:
    raise unimplemented()
    yield  # makes it a stream


class _Refused:
    """Stands for bytes that cannot be taken, until the call can be answered with the error."""

    def __init__(self, error: CallError) -> None:
        self.error = error


def _reading(deserializer: Callable[[bytes], Any], most: int) -> Callable[[bytes], Any]:
    """Return a deserializer that never raises: gRPC would answer UNKNOWN and tell nobody why."""

    def read(raw: bytes) -> Any:
        if len(raw) > most:
            return _Refused(too_large(most))
        try:
            return deserializer(raw)
        except DecodeError:
            return _Refused(malformed())

    return read


def _sound(request: Any) -> Any:
    """Return a request, or the stream of them; raise CallError where one cannot be taken."""
    if isinstance(request, _Refused):
        raise request.error
    return _each_sound(request) if isinstance(request, AsyncIterable) else request


async def _each_sound(requests: AsyncIterable[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _sound(request)


def seconds_left(context: Any, default: float) -> float:
    """Return how long a call may take: until its deadline, or `default` when it has none."""
    remaining: float | None = context.time_remaining()
    return default if remaining is None else max(0.0, remaining)
