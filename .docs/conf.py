"""How the site is built: ``python -m sphinx -W -b html .docs .docs/_build``.

The pages of the verbs and the exit codes are written from what the program itself declares, before each build.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import rapyer  # noqa: E402
from rapyer_cli.exits import Exit  # noqa: E402
from rapyer_cli.language.help import page  # noqa: E402
from rapyer_cli.verbs import all_verbs  # noqa: E402

project = "rapyer"
author = "the rapyer developers"
release = version = rapyer.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
add_module_names = False
copybutton_prompt_text = "$ "
# What docstrings name without being documented here: other packages, and rooms below the public ones.
nitpicky = False
suppress_warnings = ["ref.python", "myst.xref_missing"]

html_theme = "furo"
html_title = "rapyer"
html_static_path = ["_static"]
html_css_files = ["site.css"]

_GROUPS = {
    "look": "Look",
    "change": "Change",
    "operation": "Typed operations",
    "many": "Many documents",
    "session": "Session",
    "repl": "In the REPL only",
}


def _verbs() -> str:
    lines = ["# Verbs", "", "What `rapyer VERB --help` prints of each.", ""]
    for group, title in _GROUPS.items():
        verbs = [verb for verb in all_verbs() if verb.group == group]
        if not verbs:
            continue
        lines += [f"## {title}", ""]
        for verb in verbs:
            lines += [f"### {verb.name}", "", "```text", page(verb, 100).strip(), "```", ""]
    return "\n".join(lines)


def _exits() -> str:
    lines = ["# Exit codes", "", "Documented and stable.", "", "| code | meaning |", "|---|---|"]
    lines += [f"| {int(code)} | {code.meaning} |" for code in Exit]
    return "\n".join(lines) + "\n"


def _write_generated(app: object) -> None:
    del app
    for name, text in {"shell/verbs.md": _verbs(), "shell/exit-codes.md": _exits()}.items():
        path = HERE / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: object) -> None:
    app.connect("builder-inited", _write_generated)  # type: ignore[attr-defined]
