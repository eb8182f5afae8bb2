"""The verbs of the REPL only: where one is, what is queued, what was done, help."""

from __future__ import annotations

from rapyer_cli.exits import Exit
from rapyer_cli.failures import CliError, ModelsError, NotFound, UsageError
from rapyer_cli.language.addresses import ROOT, Address
from rapyer_cli.language.grammar import CHANGE_OPTIONS, Argument, Invocation, Kind, Verb
from rapyer_cli.render.shapes import Lines, Shape
from rapyer_cli.session.resolve import address_at
from rapyer_cli.session.session import Leave, Session, where_in_words


async def cd(session: Session, invocation: Invocation) -> Shape | None:
    """Go to a target; without one, to the root."""
    text = invocation.text("target")
    if text is None:
        session.before, session.here = session.here, ROOT
        return None
    text = text.removesuffix(":") or text  # as completion writes a model
    if text == "-" and not (session.here.key and await _exists(session, session.here.child("-"))):
        session.before, session.here = session.here, session.before
        return Lines((str(session.here),))
    address = await address_at(session, text)
    await _require(session, address)
    session.before, session.here = session.here, address
    return None


async def pwd(session: Session, invocation: Invocation) -> Shape:
    """Say where one is."""
    return Lines((str(session.here),))


async def _ask_for_the_queue(session: Session, invocation: Invocation) -> None:
    """Ask before queued changes are dropped, where somebody can be asked."""
    from rapyer_cli.change.asking import ask_before
    from rapyer_cli.render.text import counted

    transaction = session.transaction
    if transaction is not None and transaction.plans and session.ask is not None:
        queued = counted(len(transaction.plans), "queued change")
        await ask_before(session, invocation, f"drop {queued}? ('commit' makes them)")


async def use(session: Session, invocation: Invocation) -> Shape:
    """Go on with another server."""
    name = invocation.text("server") or ""
    choices = session.choices._replace(url=None, profile=None, write=False)
    choices = choices._replace(url=name) if "://" in name else choices._replace(profile=name)
    await _ask_for_the_queue(session, invocation)
    dropped = session.transaction is not None and bool(session.transaction.plans)
    await session.use(choices)
    if dropped:
        session.environment.note("rapyer: what was queued is dropped")
    await session.client()
    return Lines((f"now on {where_in_words(session)}",))


async def begin(session: Session, invocation: Invocation) -> Shape:
    """Queue the following changes instead of making them."""
    from rapyer_cli.change.execute import refuse_if_read_only
    from rapyer_cli.session.plan import Transaction

    refuse_if_read_only(session)
    if session.transaction is not None:
        raise CliError(
            "changes are being queued already: 'commit' sends them, 'discard' drops them"
        )
    session.transaction = Transaction()
    return Lines(("changes are queued now: 'commit' makes all of them at once, 'discard' none",))


async def commit(session: Session, invocation: Invocation) -> Shape | None:
    """Make all queued changes in one atomic step."""
    from rapyer_cli.change.execute import commit_transaction

    return await commit_transaction(session, invocation)


async def discard(session: Session, invocation: Invocation) -> Shape:
    """Drop the queued changes."""
    transaction = session.transaction
    if transaction is None:
        raise CliError("nothing is queued: 'begin' starts")
    transaction.batch.discard()
    session.transaction = None
    return Lines((f"dropped {len(transaction.plans)} queued",))


async def help_(session: Session, invocation: Invocation) -> Shape | None:
    """Show the verbs, or the page of one."""
    from rapyer_cli.language.help import overview, page

    verbs = session.all_verbs()
    width = min(session.environment.width, 100)
    name = invocation.text("verb")
    if name is None:
        text = overview(verbs, width, repl=True)
    else:
        verb = verbs.get(name)
        if verb is None:
            raise UsageError(f"there is no verb {name!r}; 'help' lists them")
        text = page(verb, width, repl=True)
    if session.environment.stdout_is_terminal:
        from rapyer_cli.render.pager import show_in_pager

        show_in_pager(text, session.environment)
        return None
    return Lines(tuple(text.rstrip("\n").split("\n")))


async def writable(session: Session, invocation: Invocation) -> Shape:
    """Allow changes on a profile whose environment is prod."""
    session.allow_writing()
    if session.read_only_reason:
        raise CliError(f"still read-only: {session.read_only_reason}")
    return Lines((f"changes are allowed on {where_in_words(session)}",))


async def reload(session: Session, invocation: Invocation) -> Shape:
    """Import the user's modules again; where one fails, the models stay as they were."""
    from rapyer_cli.modules import reload_models

    sources = session.settings.models(session.choices.models)
    models = reload_models(sources, session.models, session.environment)
    if models is None:
        raise ModelsError("the models are what they were before; 'reload' tries again")
    session.replace_models(models)
    return Lines((f"models: {', '.join(models.names()) or 'none'}",), data=models.names())


async def time_(session: Session, invocation: Invocation) -> Shape:
    """The prompt itself measures; what comes here is no line of a prompt."""
    raise UsageError("'time' stands in front of a line at the prompt of the REPL")


async def leave(session: Session, invocation: Invocation) -> Shape | None:
    """Leave the REPL."""
    await _ask_for_the_queue(session, invocation)
    raise Leave


async def _require(session: Session, address: Address) -> None:
    if address.is_root or (address.is_model and session.models.named(address.name)):
        return
    if address.is_model:
        from rapyer_cli.reading.many import keys_of

        async for _ in keys_of(await session.client(), address.name):
            return
        if await _exists(session, Address(address.name, address.name)):
            return
        raise NotFound(
            f"there is no model {address.name!r}, and no document begins with {address.name}:"
        )
    if session.transaction is not None and address.key in session.transaction.documents:
        from rapyer.models.places import resolve

        resolve(session.transaction.documents[address.key], address.pointer)
        return
    if not await _exists(session, address):
        above = address.parent()
        where = above if above.key is not None and await _exists(session, above) else None
        raise NotFound(f"{address} does not exist" + (f"; {where} does" if where else ""))


async def _exists(session: Session, address: Address) -> bool:
    from rapyer_cli.reading.peek import peek

    return await peek(await session.client(), address) is not None


VERBS = (
    Verb(
        "cd",
        "go to a model, a document or a place inside one",
        "repl",
        cd,
        arguments=(Argument("target", Kind.TARGET, "where to; '..' is up, '-' is back", False),),
        examples=("cd BlogPost:42", "cd settings", "cd ..", "cd -", "cd /"),
    ),
    Verb("pwd", "say where you are", "repl", pwd, examples=("pwd",), connects=False),
    Verb(
        "use",
        "go on with another server",
        "repl",
        use,
        arguments=(Argument("server", Kind.PROFILE, "a profile or a URL"),),
        examples=("use live", "use redis://localhost/1"),
        connects=False,
    ),
    Verb(
        "begin", "queue the following changes", "repl", begin, examples=("begin",), connects=False
    ),
    Verb(
        "commit",
        "make all queued changes in one atomic step",
        "repl",
        commit,
        options=tuple(option for option in CHANGE_OPTIONS if option.name != "json"),
        examples=("commit", "commit --dry-run"),
    ),
    Verb(
        "discard", "drop the queued changes", "repl", discard, examples=("discard",), connects=False
    ),
    Verb(
        "help",
        "show the verbs, or the page of one",
        "repl",
        help_,
        arguments=(Argument("verb", Kind.VERB, "a verb", False),),
        examples=("help", "help increase"),
        connects=False,
    ),
    Verb(
        "writable",
        "allow changes on a profile whose environment is prod",
        "repl",
        writable,
        examples=("writable",),
        connects=False,
    ),
    Verb(
        "reload",
        "import the modules of the models again",
        "repl",
        reload,
        examples=("reload",),
        exits=(Exit.MODELS,),
        connects=False,
    ),
    Verb(
        "time",
        "run a line, and say how long it took",
        "repl",
        time_,
        arguments=(Argument("line", Kind.WORD, "a line", many=True),),
        examples=("time find BlogPost views > 10",),
        connects=False,
    ),
    Verb("exit", "leave", "repl", leave, examples=("exit",), aliases=("quit",), connects=False),
)
