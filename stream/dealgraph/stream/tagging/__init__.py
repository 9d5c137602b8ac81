"""Tagging: what was done, about what, and how the customer felt."""
