"""Foreign pickles, read as plain data by a machine that can do nothing else.

`load` builds dicts, lists, tuples, sets, text, bytes and numbers itself from the opcodes of protocols 2 to 5; it never
hands a byte to Python's own unpickler, so there is no name to look up, no call to make and no memory to reserve on a
stranger's word. Used by `stash2plex` alone; this program writes no pickles.
Invariant: whatever the bytes are, it returns plain data or raises PickleRefused, in time and memory that they bound.
"""

import pickletools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

MAX_BYTES = 1024 * 1024
"""The longest pickle that is read. A job of Stash2Plex with every field at its limit takes some 100 kB."""

MAX_STEPS = 50_000
"""The most opcodes; some three for each value."""

MAX_DEPTH = 32
"""The deepest nesting; a job of Stash2Plex has three levels."""

_NAME_CHARS = 80
_KEYS = frozenset({str, bytes, int, float, bool, type(None)})
_VALUES: Mapping[str, Callable[[object], object]] = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_DICT": lambda _: {},
    "EMPTY_LIST": lambda _: [],
    "EMPTY_SET": lambda _: set(),
    "EMPTY_TUPLE": lambda _: (),
}
_ATOMS = frozenset(
    {"BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"}
    | {"BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
)
_MEMO_READS = frozenset({"BINGET", "LONG_BINGET"})
_MEMO_WRITES = frozenset({"BINPUT", "LONG_BINPUT", "MEMOIZE"})
_FRAMING = frozenset({"PROTO", "FRAME"})


class PickleRefused(ValueError):  # noqa: N818 - errors name the condition (style.md)
    """These bytes are no plain data. The message is one clause without any of their content but a name."""


def load(raw: bytes) -> object:
    """Return the plain data in a pickle.

    Raises: PickleRefused when it is too long, cut off, nested too deeply, or asks for anything but plain data.
    """
    if len(raw) > MAX_BYTES:
        raise PickleRefused(f"the pickle is {len(raw):,} bytes long, the limit is {MAX_BYTES:,}")
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(raw):
            machine.step(opcode.name, argument)
    except PickleRefused:
        raise
    except ValueError:  # from pickletools: an unknown opcode, a length beyond the end, text that is none
        raise PickleRefused("the pickle is cut off or garbled") from None
    value = machine.result()
    _check_depth(value)
    return value


class _Machine:
    """The stack, the marks and the memo of one pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._steps = 0
        self._moves: Mapping[str, Callable[[], None]] = {
            "MARK": lambda: self._marks.append(len(self._stack)),
            "APPEND": lambda: self._extend([self._pop()]),
            "APPENDS": lambda: self._extend(self._pop_marked()),
            "SETITEM": lambda: self._update([self._pop(), self._pop()][::-1]),
            "SETITEMS": lambda: self._update(self._pop_marked()),
            "ADDITEMS": lambda: self._add(self._pop_marked()),
            "FROZENSET": lambda: self._stack.append(frozenset(map(_key, self._pop_marked()))),
            "TUPLE": lambda: self._stack.append(tuple(self._pop_marked())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "STOP": lambda: None,
        }

    def step(self, name: str, argument: object) -> None:
        """Obey one opcode. Raises: PickleRefused."""
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise PickleRefused(f"the pickle takes more than {MAX_STEPS:,} steps")
        if name in _ATOMS:
            self._stack.append(argument)
        elif name in _VALUES:
            self._stack.append(_VALUES[name](argument))
        elif name in _MEMO_WRITES:
            self._memo[len(self._memo) if name == "MEMOIZE" else _index(argument)] = self._top()
        elif name in _MEMO_READS:
            self._stack.append(self._recalled(_index(argument)))
        elif name in self._moves:
            self._moves[name]()
        elif name not in _FRAMING:
            raise PickleRefused(self._asked(name, argument))

    def result(self) -> object:
        """Return the one value that is left. Raises: PickleRefused."""
        if len(self._stack) != 1 or self._marks:
            raise PickleRefused("the pickle is garbled")
        return self._stack[0]

    def _top(self) -> Any:
        if len(self._stack) <= (self._marks[-1] if self._marks else 0):
            raise PickleRefused("the pickle is garbled")
        return self._stack[-1]

    def _pop(self) -> Any:
        value = self._top()
        self._stack.pop()
        return value

    def _pop_marked(self) -> list[Any]:
        if not self._marks:
            raise PickleRefused("the pickle is garbled")
        start = self._marks.pop()
        values = self._stack[start:]
        del self._stack[start:]
        return values

    def _tuple(self, length: int) -> None:
        self._stack.append(tuple([self._pop() for _ in range(length)][::-1]))

    def _recalled(self, index: int) -> Any:
        if index not in self._memo:
            raise PickleRefused("the pickle is garbled")
        return self._memo[index]

    def _extend(self, values: Iterable[Any]) -> None:
        self._container(list).extend(values)

    def _update(self, pairs: list[Any]) -> None:
        if len(pairs) % 2:
            raise PickleRefused("the pickle is garbled")
        self._container(dict).update(zip(map(_key, pairs[::2]), pairs[1::2], strict=True))

    def _add(self, values: Iterable[Any]) -> None:
        self._container(set).update(map(_key, values))

    def _container(self, kind: type) -> Any:
        container = self._top()
        if type(container) is not kind:
            raise PickleRefused("the pickle is garbled")
        return container

    def _asked(self, name: str, argument: object) -> str:
        """Say what a pickle wanted that is not plain data: the name where there is one."""
        if name in {"GLOBAL", "INST"}:
            return f"the pickle asks for {_name(str(argument).replace(' ', '.', 1))}, which is not plain data"
        if name == "STACK_GLOBAL" and len(self._stack) >= 2:
            return f"the pickle asks for {_name(f'{self._stack[-2]}.{self._stack[-1]}')}, which is not plain data"
        return f"the pickle uses {name}, which plain data does not need"


def _key(value: object) -> object:
    """Return a value that may be a key or a member: an atom, so that hashing it costs nothing."""
    if type(value) not in _KEYS:
        raise PickleRefused("the pickle has a key that is neither text nor a number")
    return value


def _index(argument: object) -> int:
    if type(argument) is not int:
        raise PickleRefused("the pickle is garbled")
    return argument


def _name(text: str) -> str:
    return "".join(character if character.isalnum() or character in "._" else "?" for character in text[:_NAME_CHARS])


def _check_depth(value: object) -> None:
    """Refuse deep nesting and loops, level by level: each container once per level, however often it is shared."""
    level: dict[int, object] = {id(value): value}
    for _ in range(MAX_DEPTH):
        level = {id(part): part for whole in level.values() for part in _parts(whole)}
        if not level:
            return
    raise PickleRefused(f"the pickle is nested more than {MAX_DEPTH} levels deep, or holds itself")


def _parts(whole: object) -> Iterable[object]:
    """Return the containers in a container; keys and members are atoms."""
    match whole:
        case dict():
            values: Iterable[object] = whole.values()
        case list() | tuple():
            values = whole
        case _:
            return ()
    return (part for part in values if isinstance(part, dict | list | tuple))
