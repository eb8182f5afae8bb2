"""What completion knows at one moment: plain data, cheap to keep, cheap to store in a file.

The engine only reads it. Who fills it (the REPL's background tasks, the cache of the shell completion)
is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from rapyer_cli.language.addresses import ROOT, Address, address_of, entry_test


class TypeInfo(NamedTuple):
    """A type as far as completion needs it.

    ``kind`` is ``model list dict str int float bool bytes datetime``, ``other`` for another type, ``object``
    where the type is open; ``model`` names the entry of
    :attr:`Knowledge.types` that has the fields; ``item`` is the type of list items or dict values.
    """

    kind: str
    label: str = ""
    model: str = ""
    item: TypeInfo | None = None
    choices: tuple[str, ...] = ()
    example: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TypeInfo:
        """The inverse of :meth:`to_json`."""
        item = data.get("item")
        return cls(
            kind=data["kind"],
            label=data["label"],
            model=data["model"],
            item=cls.from_json(item) if item else None,
            choices=tuple(data["choices"]),
            example=data["example"],
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON data."""
        item = self.item.to_json() if self.item is not None else None
        return {**self._asdict(), "item": item}


class OperationInfo(NamedTuple):
    """One typed operation: the verb, the kind of field that has it, and its parameters' roles."""

    verb: str
    kind: str
    signature: str
    roles: tuple[str, ...]


Children: TypeAlias = "Sequence[str] | int"
"""The names in a dict, or the length of a list."""


@dataclass(slots=True)
class Knowledge:
    """Everything the engine may look at. Missing entries are reported as :class:`Want`."""

    models: tuple[str, ...] = ()
    types: Mapping[str, Mapping[str, TypeInfo]] = field(default_factory=dict)
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict)
    children: Mapping[Address, Children] = field(default_factory=dict)
    operations: tuple[OperationInfo, ...] = ()
    profiles: tuple[str, ...] = ()
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    here: Address = ROOT

    def address(self, text: str) -> Address:
        """The address that ``text`` means here. Raises :class:`~rapyer_cli.failures.UsageError`."""
        place = self.type_at(self.here)
        fields = self.types.get(place.model, {}) if place is not None and place.model else {}
        can_hold = entry_test(fields, place.kind if place is not None else "")
        return address_of(text, self.models, self.here, can_hold)

    def type_at(self, address: Address) -> TypeInfo | None:
        """The type of what is at ``address``, as far as the models say."""
        if address.key is None or address.name not in self.types:
            return None
        found: TypeInfo | None = TypeInfo("model", address.name, address.name)
        for segment in address.pointer:
            if found is None:
                return None
            found = self.types.get(found.model, {}).get(segment) if found.model else found.item
        return found

    def fitting(self, kind: str) -> Iterator[OperationInfo]:
        """The operations that a field of this kind has."""
        return (operation for operation in self.operations if operation.kind == kind)


class Want(NamedTuple):
    """Something the engine would have liked to know: ``keys`` of a model, ``children`` of an address,
    ``files`` that begin with a text."""

    what: str
    address: Address = ROOT
    text: str = ""
