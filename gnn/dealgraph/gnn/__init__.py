"""Scoring of deal risk on the graph; empty until the score is built (see gnn/README.md)."""
