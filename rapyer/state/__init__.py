"""The tree of live values: where each one stands, what the server last said of it."""
