"""The command line and the REPL of rapyer. Nothing is imported here: ``rapyer --version`` stays instant."""
