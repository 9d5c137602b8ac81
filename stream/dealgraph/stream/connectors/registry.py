"""Finds the connectors: every module of this package with a value `CONNECTOR`."""

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from types import MappingProxyType

from dealgraph.stream import connectors as package
from dealgraph.stream.connectors.connector import Connector
from dealgraph.stream.connectors.errors import SourceError


@cache
def connectors() -> Mapping[str, Connector]:
    """Return all connectors by their names, in the order of the names."""
    found: dict[str, Connector] = {}
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        connector: Connector | None = getattr(import_module(module.name), "CONNECTOR", None)
        if connector is not None:
            found[connector.name] = connector
    return MappingProxyType(dict(sorted(found.items())))


def connector(name: str) -> Connector:
    """Return the connector `name`; raises SourceError that lists those that exist."""
    found = connectors().get(name)
    if found is None:
        known = ", ".join(connectors())
        raise SourceError(f"There is no source {name!r}. Known sources: {known}.")
    return found
