"""Lines broken by hand: what once survived every test, and what it does to a user.

Lines of the rooms whose code is settled; elsewhere the generated mutants look. One that no longer applies is named by
each run: find the line that does its work now.
"""

from __future__ import annotations

WRITTEN: list[tuple[str, str, str, str, str]] = [
    (
        "paths",
        "rapyer/paths.py",
        '.replace("%2f", "/")',
        "",
        "a target with %2f, as other programs write it, names another document",
    ),
    (
        "paths",
        "rapyer/paths.py",
        '"%25", pk).replace("/", "%2F")',
        '"%25", pk)',
        "a pk with a slash, printed, leads to a place inside another document",
    ),
    (
        "search",
        "rapyer/search/index_query.py",
        """            if matching(rest.read(default)):
                return True""",
        "            pass",
        "documents of an older model that match by a default are not found",
    ),
    (
        "search",
        "rapyer/search/index_query.py",
        """            if info.default_factory not in (list, set, dict, frozenset):
                return True""",
        "            pass",
        "a default made from other fields is an error in a search",
    ),
    (
        "search",
        "rapyer/search/index_answers.py",
        """        if page.get("warning"):
            return None""",
        "        pass",
        "a search that the server cut short goes on in an index that others change",
    ),
    (
        "cli",
        "rapyer_cli/session/plan.py",
        "replace(touch, before=first.before, ttl=first.ttl)",
        "touch",
        "a commit shows, and undo restores, what a place held before its last change only",
    ),
    (
        "cli",
        "rapyer_cli/change/execute.py",
        "        touch.after = touch.look()",
        "        pass",
        "a change shows what it meant to do, not what the server made of it",
    ),
]
"""(room, file, text that the file has once, what it becomes, what a user meets)"""
