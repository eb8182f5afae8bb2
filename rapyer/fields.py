"""Annotations that say something about a field besides its type: ``Key``, ``Index``, ``SafeLoad``.

All of them are ``Annotated`` with a marker: ``Key[str]``, ``Annotated[str, Key()]``, ``Annotated[str, Key]`` and
``Annotated[str, KeyMark()]`` are the same, and so is ``Key(str)``. They stand around a field's type or an arm of its union, and are
refused anywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from rapyer.errors import ModelDefinitionError

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

        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            if source is not cls:  # in an ``Annotated``, where it only says something
                return handler(source)
            word = cls.__name__
            raise ModelDefinitionError(f"{word} alone is no type; write {word}[…] with the field's")

        def __new__(cls, *annotation: Any) -> Any:
            return Annotated[annotation[0], cls.mark] if annotation else cls.mark

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

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """A field of this type holds a key as text."""
        from pydantic_core import core_schema

        written = core_schema.plain_serializer_function_ser_schema(
            str, return_schema=core_schema.str_schema()
        )
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=written
        )


def has_mark(field: Any, mark: type) -> bool:
    """Whether a Pydantic ``FieldInfo`` carries a marker of this type, itself or on an arm of its union."""
    entries = (*field.metadata, *_entries(field.annotation))
    return any(is_mark(entry, mark) for entry in entries)


def is_mark(entry: Any, mark: type) -> bool:
    """Whether something that stands in an ``Annotated`` is a marker of this type, or what makes one."""
    if get_origin(entry) is Annotated:
        return any(is_mark(one, mark) for one in entry.__metadata__)
    return isinstance(entry, mark) or (
        isinstance(entry, type) and isinstance(entry.__dict__.get("mark"), mark)
    )


def refuse_misplaced_marks(cls: Any) -> None:
    """Raise :class:`~rapyer.errors.ModelDefinitionError` where a marker stands inside a field and means nothing.

    A marker is about a field: it stands around its type (``Index[list[str]]``) or around an arm of a union
    (``SafeLoad[int] | None``), not around the items of a list.
    """
    for name, field in cls.__pydantic_fields__.items():
        for mark, word in _WORDS.items():
            if is_mark(field.default, mark):
                raise ModelDefinitionError(
                    f"{cls.__name__}.{name}: {word}() stands for a default here, but is a part of the type; "
                    f"write {name}: {word}[…]"
                )
        entry = next(_misplaced(field.annotation), None)
        if entry is not None:
            word = _WORDS[next(mark for mark in _WORDS if is_mark(entry, mark))]
            raise ModelDefinitionError(
                f"{cls.__name__}.{name}: {word} marks fields, not what is inside of one; "
                f"write {word}[…] around the whole type"
            )


def _entries(annotation: Any) -> Iterator[Any]:
    """What is said of the whole of ``annotation`` or of an arm of its union."""
    annotation = getattr(annotation, "__value__", annotation)  # what a ``type`` statement names
    if get_origin(annotation) is Annotated:
        yield from annotation.__metadata__
        yield from _entries(annotation.__origin__)
    elif get_origin(annotation) in (Union, UnionType):
        for arm in get_args(annotation):
            yield from _entries(arm)


def _misplaced(annotation: Any, inside: bool = False) -> Iterator[Any]:
    """The markers that stand further inside of ``annotation``."""
    annotation = getattr(annotation, "__value__", annotation)
    if get_origin(annotation) is Annotated:
        if inside:
            marks = tuple(_WORDS)
            yield from (
                entry
                for entry in annotation.__metadata__
                if any(is_mark(entry, mark) for mark in marks)
            )
        yield from _misplaced(annotation.__origin__, inside)
        return
    inside = inside or get_origin(annotation) not in (Union, UnionType)
    for argument in get_args(annotation):
        for one in argument if isinstance(argument, list) else (argument,):
            yield from _misplaced(one, inside)


_WORDS = {KeyMark: "Key", IndexMark: "Index", SafeLoadMark: "SafeLoad"}
