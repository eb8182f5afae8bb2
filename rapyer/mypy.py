"""A plugin for mypy: fields of models have, when they are read, the live types that they are.

``plugins = ["rapyer.mypy"]`` in the configuration of mypy, before or after ``pydantic.mypy``. With ``views: int``
``post.views`` is a ``RedisInt`` then, and ``await post.views.increase()`` is right; what may be assigned and passed
stays what the annotation says. On a class a field is an expression: ``Post.tags.contains("new")``. Only mypy imports
this module.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.nodes import Import, ImportAll, ImportBase, ImportFrom, MypyFile, TypeInfo, Var
from mypy.plugin import AttributeContext, Plugin
from mypy.types import Instance, NoneType, ProperType, Type, UnionType, get_proper_type

_DOCUMENTS = "rapyer.base.AtomicRedisModel"
_WAITING = "rapyer.sync"
"""The module of synchronous documents, and of the live types that their fields have."""
_MODELS = "pydantic.main.BaseModel"
_FIELD = "rapyer.expressions.expression.FieldReference"
_LIVE = {
    "builtins.str": "rapyer.types.scalars.RedisStr",
    "builtins.int": "rapyer.types.scalars.RedisInt",
    "builtins.float": "rapyer.types.scalars.RedisFloat",
    "builtins.bytes": "rapyer.types.scalars.RedisBytes",
    "datetime.datetime": "rapyer.types.scalars.RedisDatetime",
    "builtins.list": "rapyer.types.list.RedisList",
    "builtins.dict": "rapyer.types.dict.RedisDict",
}


class RapyerPlugin(Plugin):
    """Types of attributes of models."""

    def get_additional_deps(self, file: MypyFile) -> list[tuple[int, str, int]]:
        """What reading a field may give, wherever models are used."""
        names = [name for one in file.imports for name in _imported(one)]
        if not any(name.partition(".")[0] == "rapyer" for name in names):
            return []
        modules = dict.fromkeys(name.rpartition(".")[0] for name in (*_LIVE.values(), _FIELD))
        if any(name.startswith(_WAITING) for name in names):
            modules[_WAITING] = None
        return [(10, module, -1) for module in modules if module != file.fullname]

    def get_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Reading a field of an instance."""
        return self._live if self._is_field(fullname) else None

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Naming a field of a class."""
        return self._expression if self._is_field(fullname, of_document=True) else None

    def _is_field(self, fullname: str, *, of_document: bool = False) -> bool:
        owner, _, name = fullname.rpartition(".")
        symbol = self.lookup_fully_qualified(owner)
        info = symbol.node if symbol is not None else None
        if not isinstance(info, TypeInfo) or name.startswith(("_", "model_")):
            return False
        if not info.has_base(_DOCUMENTS) and (of_document or not self._is_part(info)):
            return False
        declared = next((cls.names[name].node for cls in info.mro if name in cls.names), None)
        return isinstance(declared, Var) and not declared.is_classvar and name != "Meta"

    def _is_part(self, info: TypeInfo) -> bool:
        """Whether a model is defined where documents are, and is thus read as a part of one."""
        if not info.has_base(_MODELS):
            return False
        return bool(self._documents_beside(info))

    def _documents_beside(self, info: TypeInfo) -> list[TypeInfo]:
        """The classes of documents that are known where ``info`` is defined."""
        module = self._modules.get(info.module_name) if self._modules is not None else None
        symbols = () if module is None else module.names.values()
        nodes = [symbol.node for symbol in symbols]
        return [node for node in nodes if isinstance(node, TypeInfo) and node.has_base(_DOCUMENTS)]

    def _live(self, context: AttributeContext) -> Type:
        if getattr(context, "is_lvalue", False):
            return context.default_attr_type
        owner = get_proper_type(context.type)
        waits = isinstance(owner, Instance) and self._waits(owner.type)
        return self._made_live(get_proper_type(context.default_attr_type), waits)

    def _waits(self, owner: TypeInfo) -> bool:
        """Whether a model is synchronous, or is only read as a part of those that are."""
        documents = [owner] if owner.has_base(_DOCUMENTS) else self._documents_beside(owner)
        return all(document.has_base(f"{_WAITING}.AtomicRedisModel") for document in documents)

    def _made_live(self, found: ProperType, waits: bool) -> Type:
        if isinstance(found, UnionType):
            items = [self._made_live(get_proper_type(item), waits) for item in found.items]
            return UnionType.make_union(items)
        if not isinstance(found, Instance) or isinstance(found, NoneType):
            return found
        name = _LIVE.get(found.type.fullname)
        if name is not None and waits:
            name = f"{_WAITING}.{name.rpartition('.')[2]}"
        live = self._class(name)
        return found if live is None else Instance(live, list(found.args))

    def _expression(self, context: AttributeContext) -> Type:
        field = self._class(_FIELD)
        return context.default_attr_type if field is None else Instance(field, [])

    def _class(self, fullname: str | None) -> TypeInfo | None:
        """A class of ours, if mypy has come across it."""
        symbol = None if fullname is None else self.lookup_fully_qualified(fullname)
        return symbol.node if symbol is not None and isinstance(symbol.node, TypeInfo) else None


def _imported(statement: ImportBase) -> list[str]:
    if isinstance(statement, Import):
        return [name for name, _ in statement.ids]
    return [statement.id] if isinstance(statement, ImportFrom | ImportAll) else []


def plugin(version: str) -> type[Plugin]:
    """What mypy asks for."""
    return RapyerPlugin
