"""Version 1 of the contract: messages, services and stubs."""
