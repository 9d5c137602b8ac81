"""What made a dataflow stop: Bytewax answers an error of a step with a panic and a trace on the terminal."""

from collections.abc import Callable
from typing import TypeVar

_Item = TypeVar("_Item")
_Made = TypeVar("_Made")


class Failure:
    """The first error of a step. After it no step does anything, so nothing is written that rests on it."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    def noting(self, step: Callable[[_Item], list[_Made]]) -> Callable[[_Item], list[_Made]]:
        """Return a step that makes nothing, and notes why, where `step` raises."""

        def run(item: _Item) -> list[_Made]:
            if self.error is not None:
                return []
            try:
                return step(item)
            except Exception as error:
                self.error = self.error or error
                return []

        return run
