"""The command line: one front door to the local platform, the services and their tools."""
