"""Completion while typing: the pure engine at once, then again with what it wanted to know.

What is wanted is read in the background with bounded commands, and kept for a few seconds. A slow or
lost server only means fewer candidates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from rapyer_cli.completion.engine import Completion as Found
from rapyer_cli.completion.engine import complete_line
from rapyer_cli.knowledge.gathering import children_at, files_like, keys_for
from rapyer_cli.knowledge.knowledge import Knowledge, Want
from rapyer_cli.language.addresses import Address
from rapyer_cli.language.grammar import Verbs
from rapyer_cli.session.session import Session

_KEPT_SECONDS = 5.0
_PATIENCE_SECONDS = 2.0


class ReplCompleter(Completer):
    """Completes lines of the REPL from ``knowledge``, which it extends as it is asked."""

    def __init__(self, session: Session, verbs: Verbs, knowledge: Knowledge) -> None:
        self.session = session
        self.verbs = verbs
        self.knowledge = knowledge
        self._learned: dict[Want, float] = {}
        self._keys: dict[str, set[str]] = {}
        self._children: dict[Address, Any] = {}
        self._files: dict[str, list[str]] = {}
        knowledge.keys, knowledge.children, knowledge.files = {}, self._children, self._files

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What is known now."""
        yield from _as_completions(self._find(document), document)

    async def get_completions_async(
        self, document: Document, complete_event: CompleteEvent
    ) -> AsyncGenerator[Completion, None]:
        """What is known now, or, when something is wanted, what is known after asking for it."""
        found = self._find(document)
        wanted = [want for want in found.wants if not self._is_fresh(want)]
        if wanted:
            await self._learn(wanted)
            found = self._find(document)
        for completion in _as_completions(found, document):
            yield completion

    def forget(self) -> None:
        """Drop what was read: something was changed, or the server is another one."""
        for kept in (self._learned, self._keys, self._children, self._files):
            kept.clear()
        self.knowledge.keys = {}

    def _find(self, document: Document) -> Found:
        self.knowledge.here = self.session.here
        return complete_line(document.text, document.cursor_position, self.verbs, self.knowledge)

    def _is_fresh(self, want: Want) -> bool:
        learned = self._learned.get(want)
        return learned is not None and time.monotonic() - learned < _KEPT_SECONDS

    async def _learn(self, wants: list[Want]) -> None:
        for want in wants:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._read(want)
            except Exception:
                continue
            self._learned[want] = time.monotonic()

    async def _read(self, want: Want) -> None:
        if want.what == "files":
            self._files[want.text] = files_like(want.text, self.session.environment.cwd)
            return
        client = await self.session.client()
        if want.what == "keys":
            name = want.address.name
            known = self._keys.setdefault(name, set())
            known.update(await keys_for(client, name, want.text))
            self.knowledge.keys = {model: sorted(keys) for model, keys in self._keys.items()}
        elif want.what == "children":
            children = await children_at(client, want.address)
            self._children[want.address] = () if children is None else children


def _as_completions(found: Found, document: Document) -> Iterable[Completion]:
    start = found.start - document.cursor_position
    for candidate in found.candidates:
        shown = candidate.display or candidate.text
        yield Completion(candidate.text, start, display=shown, display_meta=candidate.meta)
