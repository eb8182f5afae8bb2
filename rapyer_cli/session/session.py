"""One sitting: the surroundings, the server, the models, where one is, what is queued.

A one-shot is a session of one line, the REPL a session of many. Connecting and importing user code happen
when they are first needed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from rapyer_cli.environment import Environment
from rapyer_cli.failures import ConnectionRefused
from rapyer_cli.language.addresses import (
    ROOT,
    Address,
    address_of,
    always,
    certain_address,
    entry_test,
)
from rapyer_cli.language.grammar import Verbs
from rapyer_cli.settings import Server, Settings, password_of

if TYPE_CHECKING:
    from rapyer_cli.modules import Models
    from rapyer_cli.reading.drift import Problems
    from rapyer_cli.session.guard import Guard
    from rapyer_cli.session.journal import Journal, Record
    from rapyer_cli.session.plan import Done, Transaction


class Choices(NamedTuple):
    """What the options of the line say about server, models and safety."""

    url: str | None = None
    profile: str | None = None
    models: tuple[str, ...] = ()
    read_only: bool = False
    write: bool = False


class Last(NamedTuple):
    """What the last line gave: the key of one document, and a value as text; None where it gave none."""

    target: str | None = None
    value: str | None = None


@dataclass(slots=True)
class Session:
    """State shared by the lines of one sitting.

    ``all_verbs`` gives the verbs that lines may use, ``done`` are the changes that ``undo`` can take back,
    ``read`` is the stored text of the documents that the current line has read, ``drifted`` what does not fit in them,
    ``records`` and ``stored`` where the line journals what it stores, and how many documents that are, by verb.
    """

    environment: Environment
    all_verbs: Callable[[], Verbs]
    choices: Choices = field(default_factory=Choices)
    here: Address = ROOT
    before: Address = ROOT
    in_repl: bool = False
    read: dict[str, bytes] = field(default_factory=dict)
    drifted: dict[str, Problems] = field(default_factory=dict)
    transaction: Transaction | None = None
    done: list[Done] = field(default_factory=list)
    records: dict[str, Record | None] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    last: Last = field(default_factory=Last)
    ask: Callable[[str], Awaitable[str]] | None = None
    _settings: Settings | None = None
    _server: Server | None = None
    _models: Models | None = None
    _client: Any = None
    _guard: Guard | None = None
    _journal: Journal | None = None
    _askers: list[Any] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """The user's and the project's files."""
        if self._settings is None:
            self._settings = Settings.read(self.environment)
        return self._settings

    @property
    def server(self) -> Server:
        """The server in force."""
        if self._server is None:
            self._server = self.settings.server(self.choices.url, self.choices.profile)
        return self._server

    @property
    def models(self) -> Models:
        """The models, loaded at the first call."""
        if self._models is None:
            from rapyer_cli.knowledge.cache import store
            from rapyer_cli.modules import load_models

            sources = self.settings.models(self.choices.models)
            self._models = load_models(sources, self.environment)
            store(self.environment, sources, self._models)
        return self._models

    def replace_models(self, models: Models) -> None:
        """Go on with other models."""
        self._models = models

    @property
    def journal(self) -> Journal:
        """The local journal of changes."""
        if self._journal is None:
            from rapyer_cli.session.journal import Journal

            self._journal = Journal(self.environment)
        return self._journal

    @property
    def read_only_reason(self) -> str:
        """Why nothing may be changed here, in words; empty when changes are allowed."""
        profile = self.server.profile
        if self.choices.read_only:
            return "--read-only was given"
        if profile is not None and profile.read_only:
            return f"profile {profile.name} is read-only"
        if profile is not None and profile.is_prod and not self.choices.write:
            remedy = "'writable' allows changes" if self.in_repl else "--write allows changes"
            return f"profile {profile.name} is {profile.environment}; {remedy}"
        return ""

    @property
    def guard(self) -> Guard:
        """The gate below the client; the session must be connected."""
        if self._guard is None:
            raise RuntimeError("the session is not connected")
        return self._guard

    @property
    def sent(self) -> int:
        """How many commands were sent on this connection."""
        return 0 if self._guard is None else self._guard.sent

    def address(self, text: str | None) -> Address:
        """The address that ``text`` means here; where one is, without a text."""
        if text is None:
            return self.here
        return address_of(text, self.models.names(), self.here, self._entries_here())

    def certain_address(self, text: str | None) -> Address | None:
        """The address of ``text`` where no models have to be imported to know it; None where they have a say.

        Models that the line itself names are always imported: that they fail to be is said. So it is of those
        that others may have written.
        """
        if text is None or self.choices.models or not self.here.is_root:
            return None
        if self.settings.models().refused:
            return None
        return certain_address(text)

    def model_address(self, text: str | None) -> Address:
        """As :meth:`address`, where a model is expected: its name means it wherever one is."""
        if text is None or text in ("", ".", ".."):
            return self.address(text)
        is_name = self.here.key is not None and "/" not in text and ":" not in text
        return Address(text) if is_name or text in self.models.names() else self.address(text)

    def _entries_here(self) -> Callable[[str], bool]:
        """Whether a segment can be an entry of where one is, as far as the models say."""
        model = self.models.of_key(self.here.key) if self.here.key is not None else None
        if model is None:
            return always
        from rapyer.schema.of_models import model_spec

        spec = model_spec(model)
        for segment in self.here.pointer:
            index = spec.python_type is list and segment.lstrip("-").isdigit()
            spec = spec.child(int(segment) if index else segment)
        return entry_test(spec.field_names(), spec.python_type.__name__)

    async def client(self) -> Any:
        """The guarded client, made at the first call."""
        if self._client is None:
            await self._connect()
        return self._client

    @asynccontextmanager
    async def bound(self, *, refresh_ttl: bool = False) -> AsyncIterator[None]:
        """Inside the block all models talk to the session's client, whatever they configured themselves.

        Looking leaves every TTL alone; a change may refresh it where the model asks for that.
        """
        from rapyer.config import use_client

        with use_client(await self.client(), refresh_ttl=refresh_ttl):
            yield

    async def _connect(self) -> None:
        from rapyer.connections import client_from_url
        from rapyer_cli.reading.commands import ask
        from rapyer_cli.session.guard import Guard, install

        url = self.server.url
        overrides: dict[str, Any] = {}
        if self.server.profile is not None:
            password = password_of(self.server.profile, self.environment)
            if password is not None:
                overrides["password"] = password
        if self.server.note:
            self.environment.note(f"rapyer: {self.server.note}")
        if self.server.is_default:
            self.environment.note(f"rapyer: {embedded_notice()}")
        client = self._client_from(url, client_from_url, overrides)
        asking: list[Any] = []

        async def flags_of(name: str) -> frozenset[str] | None:
            if not asking:
                asking.append(self._client_from(url, client_from_url, overrides))
            reply = await ask(asking[0], "COMMAND", "INFO", name)
            return command_flags(reply)

        guard = Guard(flags_of, self.read_only_reason)
        install(client, guard)
        self._client, self._guard, self._askers = client, guard, asking

    def _client_from(self, url: str, make: Any, overrides: dict[str, Any]) -> Any:
        try:
            return make(url, **overrides)
        except ValueError as error:
            raise ConnectionRefused(
                f"the URL of {self.server.source} is not understood: {error}"
            ) from None

    def beside(self, server: str) -> Session:
        """A session on another server, named by a profile or a URL, with the same models; close it afterwards."""
        url, profile = (server, None) if "://" in server else (None, server)
        other = Session(
            self.environment, self.all_verbs, self.choices._replace(url=url, profile=profile)
        )
        other.ask, other._settings, other._models = self.ask, self.settings, self.models
        return other

    async def use(self, choices: Choices) -> None:
        """Go on with another server: the client is closed, the queue dropped, the place is the root."""
        self.settings.server(choices.url, choices.profile)  # raises before anything is given up
        await self.close()
        self.choices, self._server = choices, None
        self.transaction, self.here, self.before = None, ROOT, ROOT
        self.done.clear()

    def allow_writing(self) -> None:
        """Allow changes on a profile whose environment is prod."""
        self.choices = self.choices._replace(write=True)
        if self._guard is not None:
            self._guard.reason = self.read_only_reason

    async def close(self) -> None:
        """Close the client; a later line would connect again."""
        client, self._client, self._guard = self._client, None, None
        for one in (client, *self._askers):
            if one is not None:
                await one.aclose()
        self._askers = []


@asynccontextmanager
async def session_for(
    environment: Environment, all_verbs: Callable[[], Verbs], choices: Choices
) -> AsyncIterator[Session]:
    """A session that is closed at the end of the block."""
    session = Session(environment, all_verbs, choices)
    try:
        yield session
    finally:
        await session.close()


class Leave(Exception):  # noqa: N818 - not an error
    """Somebody asked to leave the REPL."""


def where_in_words(session: Session) -> str:
    """The server by its profile or URL, without a password."""
    from rapyer.connections import redact_url

    server = session.server
    return server.profile.name if server.profile is not None else str(redact_url(server.url))


def embedded_notice() -> str:
    """The line that says that nobody named a server."""
    return "no server is configured: using the embedded one (--url names another)"


def command_flags(reply: Any) -> frozenset[str] | None:
    """The flags in a reply to COMMAND INFO; None for a command the server does not know."""
    if not isinstance(reply, (list, tuple)) or not reply or not reply[0]:
        return None
    flags = reply[0][2]
    return frozenset(flag.decode() if isinstance(flag, bytes) else str(flag) for flag in flags)
