"""Generated mutants that no test can notice, since they change nothing that anybody sees; each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "rapyer/script/lua/batch.lua",
        "error({ reason = reason, detail = detail or '', more = more or '' }, 0)",
        "0 becomes 1",
    ): "the level says where a text came from; this error is a table",
    (
        "rapyer/models/locks.py",
        "self.token = secrets.token_hex(16)",
        "16 becomes 17",
    ): "a longer token is as good",
    (
        "rapyer/types/inplace.py",
        "if type(amount) is int is kind and INT64_MIN <= amount <= INT64_MAX:",
        "<= becomes <",
    ): "what is left to the lines below comes to the same there",
}
"""(file, line, effect) -> why it makes no difference."""
