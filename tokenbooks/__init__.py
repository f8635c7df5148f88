"""The front door: command line, settings, service."""
