"""The outside of dealgraph: gRPC services, alerts, metrics, settings and the command line."""
