"""Connectors: each file reads one kind of source; the registry finds it by its name."""
