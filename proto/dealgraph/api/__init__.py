"""The contract of dealgraph, generated from the .proto files beside it."""
