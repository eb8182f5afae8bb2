"""Carrying out what changes documents: planned, confirmed, journalled, undone."""
