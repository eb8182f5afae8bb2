"""Generated mutants that no test can notice, since they change nothing that anybody sees; each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "rapyer/script/lua/batch.lua",
        "error({ reason = reason, detail = detail or '', more = more or '' }, 0)",
        "0 becomes 1",
    ): "the level says where a text came from; this error is a table",
}
"""(file, line, effect) -> why it makes no difference."""
