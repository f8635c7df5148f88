"""The front door: the command line, the settings, and the service with pages and collector on one
port. It decides nothing about money: it reads options and settings, opens the store, asks the
other packages and prints their answers."""
