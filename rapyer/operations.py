"""The registry of typed operations: what can be done to a field, named and described once.

:func:`operation` marks a method of a Redis type; the type registers its marked methods when its class
is made. The CLI's subcommands, the REPL's verbs, completion, help and the safety rules are derived from
:data:`REGISTRY`. How an operation is carried out is the method's own business.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

Effect: TypeAlias = Literal["read", "write", "destructive"]
"""``destructive`` operations lose stored values: they ask before they run where a person is watching."""

Role: TypeAlias = Literal["item", "items", "key", "value", "entries", "index", "amount"]
"""How a parameter's text is typed:

``item``/``items``  one or several items of the list, by the item annotation
``key``/``value``   a key or a value of the dict, by its annotations
``entries``         ``key=value`` pairs of the dict
``index``           a list index, negative from the end
``amount``          a number of the field's own type
"""

_F = TypeVar("_F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of an operation. ``variadic`` takes all remaining arguments."""

    name: str
    role: Role
    required: bool
    default: Any
    variadic: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One typed operation.

    ``name`` is the verb (``append``), ``method`` the Python method that carries it out on a field value
    (``aappend``, a coroutine function), ``aliases`` the other accepted spellings, ``python_type`` the
    builtin type of the fields that have it (``list``).
    """

    name: str
    method: str
    aliases: tuple[str, ...]
    python_type: type
    parameters: tuple[Parameter, ...]
    effect: Effect
    help: str
    example: str


class Registry:
    """Operations by verb. Several field types may have the same verb (``pop`` of list and of dict)."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[type, Operation]] = {}
        self._canonical: dict[str, str] = {}

    def add(self, entry: Operation) -> None:
        """Register ``entry``; a verb is registered once per field type."""
        self._by_name.setdefault(entry.name, {})[entry.python_type] = entry
        for spelling in (entry.name, entry.method, *entry.aliases):
            self._canonical[spelling] = entry.name

    def __iter__(self) -> Iterator[Operation]:
        for entries in self._by_name.values():
            yield from entries.values()

    def names(self) -> tuple[str, ...]:
        """The verbs, in order of registration."""
        return tuple(self._by_name)

    def spellings(self) -> tuple[str, ...]:
        """Every accepted spelling: verbs, Python method names and aliases."""
        return tuple(self._canonical)

    def named(self, spelling: str) -> tuple[Operation, ...]:
        """The operations with this verb or alias, one per field type; empty when there is none."""
        name = self._canonical.get(spelling)
        return tuple(self._by_name[name].values()) if name is not None else ()

    def find(self, spelling: str, python_type: type) -> Operation | None:
        """The operation with this verb or alias for fields of ``python_type``."""
        name = self._canonical.get(spelling)
        return self._by_name[name].get(python_type) if name is not None else None

    def for_type(self, python_type: type) -> tuple[Operation, ...]:
        """The operations that fields of ``python_type`` have."""
        return tuple(entry for entry in self if entry.python_type is python_type)


REGISTRY = Registry()

_MARK = "__rapyer_operation__"


def operation(
    name: str,
    *,
    effect: Effect,
    help: str,
    example: str,
    aliases: tuple[str, ...] = (),
    **roles: Role,
) -> Callable[[_F], _F]:
    """Mark an asynchronous method of a Redis type as the operation ``name``.

    ``roles`` gives the :data:`Role` of each parameter, by its name in the method's signature.
    """

    def mark(method: _F) -> _F:
        setattr(method, _MARK, (name, effect, help, example, aliases, roles))
        return method

    return mark


def register_operations(cls: type, python_type: type) -> None:
    """Enter the marked methods of ``cls`` into :data:`REGISTRY` as operations of ``python_type``."""
    for method_name, method in vars(cls).items():
        marked = getattr(method, _MARK, None)
        if marked is None:
            continue
        name, effect, help_text, example, aliases, roles = marked
        parameters = tuple(
            Parameter(
                name=parameter.name,
                role=roles[parameter.name],
                required=parameter.default is inspect.Parameter.empty,
                default=None if parameter.default is inspect.Parameter.empty else parameter.default,
                variadic=roles[parameter.name] in ("items", "entries"),
            )
            for parameter in inspect.signature(method).parameters.values()
            if parameter.name in roles
        )
        REGISTRY.add(
            Operation(
                name=name,
                method=method_name,
                aliases=aliases,
                python_type=python_type,
                parameters=parameters,
                effect=effect,
                help=help_text,
                example=example,
            )
        )
