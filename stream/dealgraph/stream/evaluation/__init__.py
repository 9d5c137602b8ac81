"""How good detectors are: on worlds whose truth is known, and on a tenant's own history."""
