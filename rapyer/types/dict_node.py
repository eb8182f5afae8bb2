"""A live dict as a node: what its keys are called in the document, and how it is made equal to the server's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rapyer.errors import DetachedError, InvalidValueError
from rapyer.schema.spec import ValueSpec
from rapyer.state.node import adopted, link, parent_of, state_of
from rapyer.state.wrapping import live, native
from rapyer.types.container import ContainerKind, is_same
from rapyer.types.scalars import Scalar

ABSENT: Any = object()


class DictKind(ContainerKind):
    """Values stand at keys, which are Python values; a segment is a key's text in the stored object."""

    __slots__ = ()

    def place_of(self, node: Any, child: Any) -> Any:
        place = child.__rapyer_state__.place
        held = dict.get(node, place, ABSENT)
        if held is child or (isinstance(child, Scalar) and held is not ABSENT):
            return place
        raise DetachedError("the value is not in its dict any more")

    def segment(self, node: Any, child: Any) -> str:
        return self.key_text(node, self.place_of(node, child))

    def holds(self, node: Any, place: Any, child: Any) -> bool:
        return dict.get(node, place, ABSENT) is child

    def child_spec(self, node: Any, place: Any) -> ValueSpec:
        spec = self.spec_of(node)
        return spec.child(place) if spec.core["type"] == "typed-dict" else spec.value

    def raw(self, node: Any, place: Any) -> Any:
        return dict.__getitem__(node, place)

    def raws(self, node: Any) -> Iterable[tuple[Any, Any]]:
        return dict.items(node)

    def hold(self, node: Any, place: Any, value: Any) -> None:
        dict.__setitem__(node, place, value)

    def put(self, node: Any, place: Any, value: Any) -> Any:
        made: Any = value
        if not isinstance(value, Scalar):
            made = live(value, node, place)
        elif state_of(value) is None:
            link(value, node, place)
        elif parent_of(value) is not node or state_of(value).place != place:
            made = live(native(value), node, place)
        dict.__setitem__(node, place, made)
        return made

    def assign(self, node: Any, place: Any, value: Any) -> None:
        node[place] = value

    def become(self, node: Any, content: Any) -> None:
        node.__rapyer_replace__(content)

    def snapshot(self, node: Any) -> dict[Any, Any]:
        return dict.copy(node)

    def restore(self, node: Any, content: Mapping[Any, Any]) -> None:
        content = dict(content)
        dict.clear(node)
        dict.update(node, content)

    def fits(self, node: Any, fresh: Any) -> bool:
        return isinstance(fresh, dict)

    def adopt(self, node: Any, fresh: Mapping[Any, Any]) -> None:
        # in the local order: the server's changes with every removal
        kept = {
            key: self._succeeded(held, fresh[key]) for key, held in dict.items(node) if key in fresh
        }
        kept.update((key, new) for key, new in fresh.items() if key not in kept)
        self.restore(node, kept)

    @staticmethod
    def _succeeded(held: Any, fresh: Any) -> Any:
        return held if is_same(held, fresh) else adopted(held, fresh)

    def live_at(self, node: Any, place: Any) -> Any:
        held = dict.__getitem__(node, place)
        made = live(held, node, place)
        if made is not held:
            dict.__setitem__(node, place, made)
        return made

    # -- keys ------------------------------------------------------------------------------------

    def key_text(self, node: Any, key: Any) -> str:
        """The text of ``key`` in the stored object."""
        if type(key) is str:
            _refuse_surrogates(key)
            return key
        written = json.loads(self.spec_of(node).key.to_json(key))
        return written if isinstance(written, str) else json.dumps(written)

    def valid_key(self, node: Any, key: Any) -> Any:
        """``key`` as this dict holds it; raises :class:`pydantic.ValidationError`."""
        spec = self.spec_of(node)
        if type(key) is str and spec.key.takes_any_text:
            return key
        return spec.key.validate_python(key)


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"the key {text!r} is not valid Unicode text: {error.reason}"
        ) from error


DICT = DictKind()
