"""Errors in words: one or two lines that say what to do next."""

import errno
from typing import Final

import grpc

from dealgraph.graph.storage import StorageError
from dealgraph.server.settings import SettingsError
from dealgraph.stream.connectors.errors import SourceError
from dealgraph.stream.signals.thresholds import ThresholdError
from dealgraph.stream.tagging.lexicon import LexiconError
from dealgraph.stream.tagging.model_file import ModelError

_SAID: Final = (
    StorageError,
    SettingsError,
    SourceError,
    LexiconError,
    ModelError,
    ThresholdError,
)
"""Errors whose message is for people."""

_ADVICE: Final = {
    errno.EADDRINUSE: "Another program listens there. Choose another port, or 0 for a free one.",
    errno.EACCES: "Permission is missing. Choose another place, or ask its owner.",
    errno.ENOSPC: "The disk is full. Free some space, then run the command again.",
    errno.EMFILE: "Too many files are open. Raise the limit (ulimit -n), then run it again.",
}


def in_words(error: Exception) -> str:
    """Return what a person is told of an error."""
    cause: BaseException | None = error
    while cause is not None:  # Bytewax wraps what its steps raise
        if isinstance(cause, _SAID):
            return str(cause)
        cause = cause.__cause__
    if isinstance(error, grpc.RpcError):
        return _call_in_words(error)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        advice = _ADVICE.get(error.errno or 0, "")
        return f"{where}{error.strerror or error}. {advice}".strip()
    return (
        f"dealgraph failed ({type(error).__name__}: {error}). "
        "Run it again with --debug for the trace, and report it with that."
    )


def _call_in_words(error: grpc.RpcError) -> str:
    if not isinstance(error, grpc.Call):
        return f"The call failed: {error}"
    code = error.code()
    if code is grpc.StatusCode.UNAVAILABLE:
        return (
            f"No server answers ({error.details()}). "
            "Check --target, or start one: dealgraph serve --data DIR"
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return "The server does not know this call. Check that --target is a dealgraph server."
    return f"The server refused ({code.name}): {error.details()}"
