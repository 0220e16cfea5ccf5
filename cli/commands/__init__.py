"""The commands, a module per subject; each has `register(app)`."""
