"""From raw records to signals: connectors, ingest, tagging, detectors and the dataflow."""
