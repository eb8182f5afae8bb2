"""Completion: what is known (``knowledge``), a pure engine over it, and the shells' scripts."""
