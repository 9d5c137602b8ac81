"""What a user is told when a source as a whole cannot be read."""


class SourceError(Exception):
    """The source as a whole cannot be read; the message says what to do next."""
