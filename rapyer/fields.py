"""Annotations that say something about a field besides its type: ``Key``, ``Index``, ``SafeLoad``.

All of them are ``Annotated`` with a marker: ``Key[str]``, ``Annotated[str, Key()]``, ``Annotated[str, Key]`` and
``Annotated[str, KeyMark()]`` are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

T = TypeVar("T")


class KeyMark:
    """Marks the field whose value is the document's pk."""

    __slots__ = ()


class IndexMark:
    """Marks a field that the model's RediSearch index holds."""

    __slots__ = ()


class SafeLoadMark:
    """Marks a field whose stored value loads as None when it fails validation."""

    __slots__ = ()


if TYPE_CHECKING:
    Key = Annotated[T, KeyMark()]
    Index = Annotated[T, IndexMark()]
    SafeLoad = Annotated[T, SafeLoadMark()]
else:

    class _Marked:
        mark: Any

        def __new__(cls) -> Any:
            return cls.mark

        def __class_getitem__(cls, annotation: Any) -> Any:
            return Annotated[annotation, cls.mark]

    class Key(_Marked):
        """``Key[str]``: this field's value is the document's pk."""

        mark = KeyMark()

    class Index(_Marked):
        """``Index[str]``: this field can be searched through RediSearch."""

        mark = IndexMark()

    class SafeLoad(_Marked):
        """``SafeLoad[int]``: a stored value that fails validation loads as None."""

        mark = SafeLoadMark()


class RapyerKey(str):
    """A document's key: text that is known to be a whole key, ``Class:pk``, and not a pk."""

    __slots__ = ()


def has_mark(field: Any, mark: type) -> bool:
    """Whether a Pydantic ``FieldInfo`` carries a marker of this type."""
    return any(is_mark(entry, mark) for entry in field.metadata)


def is_mark(entry: Any, mark: type) -> bool:
    """Whether something that stands in an ``Annotated`` is a marker of this type, or what makes one."""
    return isinstance(entry, mark) or (
        isinstance(entry, type) and isinstance(entry.__dict__.get("mark"), mark)
    )
