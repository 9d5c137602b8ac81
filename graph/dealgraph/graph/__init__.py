"""The graph: its nouns, its schema, its stores and the questions it answers."""
