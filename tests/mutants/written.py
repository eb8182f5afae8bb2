"""Lines broken by hand: what once survived every test, and what it did to a user."""

from __future__ import annotations

WRITTEN: list[tuple[str, str, str, str, str]] = []
"""(room, file, text that the file has once, what it becomes, what a user meets)"""
