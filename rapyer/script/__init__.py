"""One batch as one call of the server-side script: its primitives, their wire form, their Python twin."""
