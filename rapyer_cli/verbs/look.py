"""``get ls tree``: looking at models, documents and places."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from rapyer_cli.failures import UsageError
from rapyer_cli.language.addresses import Address, escape_key
from rapyer_cli.language.grammar import Invocation, Kind, Option, Verb
from rapyer_cli.render.shapes import Column, Node, Shape, Shown, Table, Tree
from rapyer_cli.session.resolve import address_at
from rapyer_cli.verbs.arguments import ANY_TARGET, LIMIT, LOOK_EXITS

if TYPE_CHECKING:
    from rapyer.schema.spec import ValueSpec
    from rapyer_cli.reading.drift import Problems
    from rapyer_cli.session.session import Session

_LISTED = 100
# How long a person waits for a listing of a large server before it is cut short.
_WAIT_SECONDS = 0.5


async def get(session: Session, invocation: Invocation) -> Shape:
    """Show a document or a place inside one; a key of another Redis type as it is."""
    return await _or_another_type(_get, session, invocation)


async def _or_another_type(
    look: Callable[[Session, Invocation], Awaitable[Shape]],
    session: Session,
    invocation: Invocation,
) -> Shape:
    try:
        return await look(session, invocation)
    except Exception as error:
        from rapyer_cli.verbs.other_types import shown_instead

        whole = goes_to_a_pipe(session, invocation) or invocation.flag("all")
        return await shown_instead(session, invocation, error, whole=whole)


async def _get(session: Session, invocation: Invocation) -> Shape:
    from rapyer_cli.knowledge.describing import shown_value

    as_stored = await _place_as_stored(session, invocation)
    if as_stored is not None:
        return as_stored
    address = await address_at(session, invocation.text("target"))
    data, spec = await read_at(session, address)
    return shown_value(address, data, spec, _problems(session, invocation, address, data, spec))


def _problems(
    session: Session, invocation: Invocation, address: Address, data: Any, spec: ValueSpec
) -> Problems:
    """What does not fit in what is to be shown to a person."""
    from rapyer_cli.reading.drift import problems_in

    if goes_to_a_pipe(session, invocation):
        return {}
    if not address.pointer and address.key is not None:
        return session.drifted.get(address.key, {})
    return problems_in(spec, data)


async def _place_as_stored(session: Session, invocation: Invocation) -> Shown | None:
    """A place inside a document as a program gets it, without importing models: they have no say in that.

    None where the models, or where one is, decide what is meant, and where nothing is stored.
    """
    from rapyer.errors import UnaddressableKeyError
    from rapyer_cli.reading.peek import path_of, read_path

    if session.transaction is not None or not goes_to_a_pipe(session, invocation):
        return None
    address = session.certain_address(invocation.text("target"))
    if address is None or address.key is None or not address.pointer:
        return None
    client = await session.client()
    try:
        path = await path_of(client, address.key, address.pointer)
    except UnaddressableKeyError:
        return None
    found = await read_path(client, address.key, path)
    return Shown(str(address), found[0]) if found else None


async def read_at(session: Session, address: Address) -> tuple[Any, ValueSpec]:
    """The JSON at ``address`` and what is known of it.

    A place inside a document is read alone where that is possible, so that a field of a huge document is
    there at once. Otherwise (it is not there, or not under this name) the document is read and tells why.
    """
    from rapyer.schema.of_models import model_spec
    from rapyer.schema.spec import any_spec
    from rapyer_cli.reading.peek import peek, read_path
    from rapyer_cli.session.resolve import document_at, place_in

    if address.pointer and address.key is not None and session.transaction is None:
        client = await session.client()
        model = session.models.of_key(address.key)
        spec = model_spec(model) if model is not None else any_spec()
        path = path_by(spec, address.pointer)
        if path is None:
            found = await peek(client, address)
            path = found.path if found is not None else None
        values = await read_path(client, address.key, path) if path is not None else []
        if path is not None and values:
            for segment in path:
                spec = spec.child(segment)
            return values[0], spec
    place = place_in(session, await document_at(session, address), address.pointer)
    data = current(session, place)
    return data, place.spec.of(place.value)


async def ls(session: Session, invocation: Invocation) -> Shape:
    """List what is below a target; a key of another Redis type as it is."""
    return await _or_another_type(_ls, session, invocation)


async def _ls(session: Session, invocation: Invocation) -> Shape:
    address = await address_at(session, invocation.text("target"))
    if address.is_root:
        return await _list_models(session, invocation)
    if address.is_model and (
        session.models.named(address.name) or not await _is_key(session, address)
    ):
        return await _others_alone(session, invocation, address) or await _list_documents(
            session, invocation, address
        )
    return await _list_entries(session, invocation, address)


async def _others_alone(session: Session, invocation: Invocation, address: Address) -> Table | None:
    """The keys of other types below a name that no model and no document has; None where it is no such name."""
    from rapyer_cli.reading.many import some_keys_of
    from rapyer_cli.verbs.other_types import keys_below

    if session.models.named(address.name) is not None:
        return None
    keys, more = await some_keys_of(await session.client(), address.name, "", 1)
    return None if keys or more else await keys_below(session, invocation, address)


async def tree(session: Session, invocation: Invocation) -> Shape:
    """Show what is below a target as a tree."""
    address = await address_at(session, invocation.text("target"))
    depth = number_of(invocation, "depth", 0)
    if address.is_root:
        return await _tree_of_models(session, invocation)
    if address.is_model and (
        session.models.named(address.name) or not await _is_key(session, address)
    ):
        return await _tree_of_documents(session, invocation, address)
    from rapyer_cli.knowledge.describing import tree_of

    data, spec = await read_at(session, address)
    problems = _problems(session, invocation, address, data, spec)
    root = tree_of(str(address), spec, data, problems, ())
    if depth:
        _prune(root, depth)
    return Tree(root, data)


def path_by(spec: ValueSpec, pointer: Sequence[str]) -> tuple[str | int, ...] | None:
    """The path that a pointer means by the annotations alone; None when only the document can tell
    whether a segment is a name or an index."""
    path: list[str | int] = []
    for segment in pointer:
        is_number = segment.lstrip("-").isdigit()
        if is_number and spec.python_type not in (list, dict) and not spec.field_names():
            return None
        found = int(segment) if is_number and spec.python_type is list else segment
        path.append(found)
        spec = spec.child(found)
    return tuple(path)


def current(session: Session, place: Any) -> Any:
    """The JSON of a place: as it was read, or as the open transaction would leave it."""
    from rapyer_cli.session.plan import as_read, stored

    if session.transaction is not None:
        return stored(place)
    return as_read(place, session.read.get(str(place.document.key)))


def number_of(invocation: Invocation, option: str, default: int) -> int:
    """The whole number given for an option. Raises :class:`UsageError`."""
    text = invocation.text(option)
    if text is None:
        return default
    if not text.isdigit():
        raise UsageError(f"--{option} expects a whole number, not {text!r}")
    return int(text)


async def _is_key(session: Session, address: Address) -> bool:
    from rapyer.keyspace.spelling import as_sent
    from rapyer_cli.reading.commands import ask

    return bool(await ask(await session.client(), "EXISTS", as_sent(address.name)))


async def _list_models(session: Session, invocation: Invocation) -> Table:
    counts, note = await _counts(session, invocation)
    known = set(session.models.names())
    rows = [
        {"name": name, "documents": count, "model": name in known}
        for name, count in sorted(
            counts.items(), key=lambda entry: (entry[0] not in known, entry[0])
        )
    ]
    return Table(
        (Column("name", "name"), Column("documents", "documents", numeric=True)),
        rows,
        empty="no models are loaded and no documents are stored; 'models' says how to load some",
        raw="name",
        note=note,
    )


async def _counts(session: Session, invocation: Invocation) -> tuple[dict[str, int], str]:
    """Documents by model, and what to say when not all could be counted while a person waits."""
    from rapyer_cli.reading.many import counts_by_prefix

    seconds = (
        0.0 if goes_to_a_pipe(session, invocation) or invocation.flag("all") else _WAIT_SECONDS
    )
    client = await session.client()
    counts, complete = await counts_by_prefix(client, session.models.names(), seconds=seconds)
    counted = sum(counts.values())
    return counts, "" if complete else f"the first {counted:,} documents; --all counts every one"


def goes_to_a_pipe(session: Session, invocation: Invocation) -> bool:
    """Whether the output is data for a program, which gets everything."""
    form = invocation.text("output") or "auto"
    if form == "auto":
        return not session.environment.stdout_is_terminal
    return form in ("json", "jsonl", "raw")


async def _list_documents(session: Session, invocation: Invocation, address: Address) -> Table:
    from rapyer_cli.reading.many import some_keys_of, unique_keys_of
    from rapyer_cli.verbs.listing import documents_table

    client = await session.client()
    limit = number_of(invocation, "limit", 0)
    columns = (Column("key", "document"),)
    if not limit and (goes_to_a_pipe(session, invocation) or invocation.flag("all")):

        async def stream() -> AsyncGenerator[dict[str, Any], None]:
            found = False
            async for key in unique_keys_of(client, address.name):
                found = True
                yield {"key": escape_key(key, address.name)}
            if not found:
                _require_model(session, address.name)

        return Table(columns, stream(), empty=f"no documents of {address.name}", raw="key")
    in_pipe = goes_to_a_pipe(session, invocation)
    seconds = 0 if in_pipe else _WAIT_SECONDS
    keys, more = await some_keys_of(client, address.name, "", limit or _LISTED, seconds=seconds)
    if not keys and not more:
        _require_model(session, address.name)
    note = "… there may be more; --all shows every one" if more and not limit else ""
    if keys and not in_pipe:
        return await documents_table(session, address.name, keys, note)
    rows = [{"key": escape_key(key, address.name)} for key in keys]
    return Table(columns, rows, empty=f"no documents of {address.name}", raw="key", note=note)


def _require_model(session: Session, name: str) -> None:
    """No document begins with ``name``: it is misspelled, unless it is a model without documents."""
    if session.models or session.models.failures:
        session.models.require(name)


async def _list_entries(session: Session, invocation: Invocation, address: Address) -> Table:
    from rapyer_cli.knowledge.describing import rows_of, type_label

    limit = number_of(invocation, "limit", 0)
    whole = goes_to_a_pipe(session, invocation) or invocation.flag("all")
    shown = limit or (None if whole else _LISTED)
    note = ""

    data, spec = await read_at(session, address)
    if not isinstance(data, (dict, list)):
        rows = [{"name": address.pointer[-1], "type": type_label(spec), "value": data}]
    else:
        entries = rows_of(spec, data, _problems(session, invocation, address, data, spec))
        rows = [
            {
                "name": row.name,
                "type": row.type or json_kind(row.value),
                "value": row.value,
                **({"problem": row.problem} if row.problem else {}),
            }
            for row in entries[:shown]
        ]
        if not limit and len(rows) < len(entries):
            note = f"… {len(entries) - len(rows):,} more; --all shows every one"
    columns = (
        Column("name", "name"),
        Column("type", "type"),
        Column("value", "value"),
        Column("problem", "does not fit"),
    )
    return Table(columns, rows, empty="(empty)", raw="name", note=note)


def json_kind(value: Any) -> str:
    """The JSON type of a value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (list, dict)):
        return f"{'list' if isinstance(value, list) else 'dict'} of {len(value)}"
    return type(value).__name__


async def _tree_of_models(session: Session, invocation: Invocation) -> Tree:
    from rapyer.schema.of_models import model_spec
    from rapyer_cli.knowledge.describing import type_label

    counts, note = await _counts(session, invocation)
    root = Node(f"/  ({note})" if note else "/")
    data: dict[str, Any] = {}
    for name in sorted(counts):
        model = session.models.named(name)
        node = Node(name, counts[name], has_value=True)
        data[name] = {"documents": counts[name]}
        if model is not None:
            spec = model_spec(model)
            fields = {field: type_label(spec.child(field)) for field in spec.field_names()}
            node.children = [Node(field, type=label) for field, label in fields.items()]
            data[name]["fields"] = fields
        root.children.append(node)
    return Tree(root, data)


async def _tree_of_documents(session: Session, invocation: Invocation, address: Address) -> Tree:
    from rapyer_cli.reading.many import some_keys_of

    limit = 10**9 if invocation.flag("all") else _LISTED
    keys, more = await some_keys_of(await session.client(), address.name, "", limit)
    names = [escape_key(key, address.name) for key in keys]
    root = Node(address.name, children=[Node(name) for name in names], omitted=1 if more else 0)
    return Tree(root, names)


def _prune(node: Node, depth: int) -> None:
    if depth == 0:
        node.omitted, node.children = len(node.children), []
        return
    for child in node.children:
        _prune(child, depth - 1)


VERBS = (
    Verb(
        "get",
        "show a document or a place inside one",
        "look",
        get,
        arguments=(ANY_TARGET,),
        examples=("get BlogPost:42", "get BlogPost:42/tags/-1", "get BlogPost:42/title -o raw"),
        exits=LOOK_EXITS,
    ),
    Verb(
        "ls",
        "list models, documents of a model, or entries of a place",
        "look",
        ls,
        arguments=(ANY_TARGET,),
        options=(LIMIT,),
        examples=("ls", "ls BlogPost --limit 20", "ls BlogPost:42/settings"),
        exits=LOOK_EXITS,
    ),
    Verb(
        "tree",
        "show models, documents or a place as a tree",
        "look",
        tree,
        arguments=(ANY_TARGET,),
        options=(Option("depth", ("--depth",), "go so many levels down", Kind.NUMBER),),
        examples=("tree", "tree BlogPost:42", "tree BlogPost:42 --depth 1"),
        exits=LOOK_EXITS,
    ),
)
