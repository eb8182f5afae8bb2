"""Inserting and deleting many documents."""
