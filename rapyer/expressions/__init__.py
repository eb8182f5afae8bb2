"""Conditions on documents: built in Python, parsed from text, evaluated on values."""
