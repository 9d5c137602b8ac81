"""Runs the command line as `python -m dealgraph.server.cli`."""

from dealgraph.server.cli import main

main()
