"""Detectors: each file defines one signal or hint; the registry finds it."""
