"""Generated mutants that no test can notice, since they change nothing that anybody sees; each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {}
"""(file, line, effect) -> why it makes no difference."""
