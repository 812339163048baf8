"""RE2's regular expressions: its syntax, leftmost-first matches, and no exponential time.

A pattern is parsed into a tree of tuples:
``("set", ranges)``  one character of the sorted, disjoint ``(first, last)`` ranges;
``("cat", nodes)``, ``("alt", nodes)``, ``("rep", node, least, most or None, greedy)``;
``("group", node, number)`` captures; ``("at", place)`` is an empty match at a kind of place.

The tree becomes a pattern of Python's `re`, which runs unless it could take long: for nested
repetition, or more repetitions than a long text allows.  Then a simulation of all states at once
runs, whose time is proportional to pattern times text.

Text is UTF-8; a byte that is not becomes a lone surrogate, which no set holds.  Matches start and
end at characters (an empty ``\\B`` of RE2 also falls between the bytes of one).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ..errors import UnsupportedError

Node = tuple[Any, ...]
Ranges = tuple[tuple[int, int], ...]
Spans = list[tuple[int, int]]

_TOP = 0x10FFFF
_MOST_REPEATS = 1000
_MOST_DEPTH = 100
_MOST_STEPS = 1_000_000_000  # of Python's matcher, in the worst case
_MOST_INSTRUCTIONS = 200_000

_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_PERL: dict[str, Ranges] = {"d": ((48, 57),), "s": ((9, 10), (12, 13), (32, 32)), "w": _WORD}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "ascii": ((0, 127),),
    "blank": ((9, 9), (32, 32)),
    "cntrl": ((0, 31), (127, 127)),
    "digit": ((48, 57),),
    "graph": ((33, 126),),
    "lower": ((97, 122),),
    "print": ((32, 126),),
    "punct": ((33, 47), (58, 64), (91, 96), (123, 126)),
    "space": ((9, 13), (32, 32)),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROL = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}
_PLACES = {"A": "start", "z": "end", "b": "edge", "B": "inside"}


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    result: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = result[-1][0], max(last, result[-1][1])
        else:
            result.append((first, last))
    return tuple(result)


def _negated(ranges: Ranges) -> Ranges:
    """Every character that is not in `ranges`; surrogates are no characters."""
    result = []
    start = 0
    for first, last in _merged((*ranges, (0xD800, 0xDFFF))):
        if first > start:
            result.append((start, first - 1))
        start = last + 1
    return (*result, (start, _TOP)) if start <= _TOP else tuple(result)


@lru_cache(1)
def _orbits() -> list[frozenset[int]]:
    """Sets of characters that differ in case alone."""
    found: dict[int, set[int]] = {}
    for code in range(0x1E944):
        char = chr(code)
        for other in {char.lower(), char.upper(), char.title()} - {char}:
            if len(other) == 1:
                both = found.get(code, {code}) | found.get(ord(other), {ord(other)})
                for member in both:
                    found[member] = both
    return list({frozenset(both) for both in found.values()})


def _folded(ranges: Ranges) -> Ranges:
    """`ranges` with the other cases of their characters."""
    bounds = _bounds(ranges)
    more = {
        code
        for orbit in _orbits()
        if any(bisect_right(bounds, code) & 1 for code in orbit)
        for code in orbit
    }
    return _merged((*ranges, *((code, code) for code in more)))


def _bounds(ranges: Ranges) -> list[int]:
    """The numbers between which a code is in or out: in after an odd one."""
    return [bound for first, last in ranges for bound in (first, last + 1)]


@lru_cache(1)
def _categories() -> dict[str, list[tuple[int, int]]]:
    """The ranges of each of Unicode's general categories."""
    from unicodedata import category

    found: dict[str, list[tuple[int, int]]] = {}
    name, start = category("\0"), 0
    for code in range(1, _TOP + 2):
        now = category(chr(code)) if code <= _TOP else ""
        if now != name:
            found.setdefault(name, []).append((start, code - 1))
            name, start = now, code
    found.pop("Cn")
    return found


def _property(name: str, where: str) -> Ranges:
    if name == "Any":
        return ((0, 0xD7FF), (0xE000, _TOP))
    table = _categories()
    found = [r for key, ranges in table.items() if key.startswith(name) for r in ranges]
    if not found or not name:
        if name.isalpha() and len(name) > 2:
            raise UnsupportedError(f"the class {where} of a script is not supported in a pattern")
        raise ValueError(f"invalid character class range: {where}")
    return _merged(found)


class _Parser:
    """Reads one pattern; `flags` are those of ``imsU`` that hold where it reads."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.groups = 0
        self.depth = 0
        self.flags: frozenset[str] = frozenset()

    def whole(self) -> Node:
        node = self.alternatives()
        if self.at < len(self.text):
            raise ValueError("unexpected )")
        return node

    def looking(self, text: str) -> bool:
        """Whether `text` comes next; it is read then."""
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def match(self, pattern: str) -> re.Match[str] | None:
        """What `pattern` matches next, read."""
        found = re.compile(pattern).match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def alternatives(self) -> Node:
        outer = self.flags
        branches = [self.sequence()]
        while self.looking("|"):
            branches.append(self.sequence())
        self.flags = outer
        return branches[0] if len(branches) == 1 else ("alt", branches)

    def sequence(self) -> Node:
        nodes: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            start = self.at
            node = self.atom()
            if node is not None:
                nodes.append(self.repeated(node))
            elif self.match(r"[*+?]|\{\d+(,\d*)?\}"):
                raise ValueError(f"no argument for repetition operator in {self.text[start:]!r}")
        return ("cat", nodes)

    def repeated(self, node: Node) -> Node:
        found = self.match(r"([*+?]|\{\d+(?:,\d*)?\})(\??)")
        if not found:
            return node
        spelled, lazy = found.groups()
        if self.match(r"[*+?]|\{\d+(,\d*)?\}"):
            raise ValueError(f"bad repetition operator: {self.text[found.start() : self.at]}")
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(spelled, (-1, None))
        if least == -1:
            low, comma, high = spelled[1:-1].partition(",")
            least = int(low)
            most = int(high) if high else None if comma else least
            if max(least, most or 0) > _MOST_REPEATS or (most is not None and most < least):
                raise ValueError(f"invalid repetition size: {spelled}")
        return "rep", node, least, most, not lazy if "U" not in self.flags else bool(lazy)

    def atom(self) -> Node | None:
        """The next thing that may be repeated; None where only flags were set."""
        char = self.text[self.at]
        if char in "*+?" or re.compile(r"\{\d+(,\d*)?\}").match(self.text, self.at):
            raise ValueError(f"no argument for repetition operator: {char}")
        self.at += 1
        if char == "(":
            return self.group()
        if char == "[":
            return self.bracket()
        if char == "\\":
            return self.escape()
        if char == ".":
            return "set", _negated(() if "s" in self.flags else ((10, 10),))
        if char in "^$":
            places = ("line", "line end") if "m" in self.flags else ("start", "end")
            return "at", places[char == "$"]
        return self.one(ord(char))

    def one(self, code: int) -> Node:
        return self.several(((code, code),))

    def several(self, ranges: Ranges) -> Node:
        return "set", _folded(ranges) if "i" in self.flags else ranges

    def group(self) -> Node | None:
        flags, number = self.flags, 0
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise ValueError("expression nests too deeply")
        if self.looking("?"):
            found = self.match(r"P<(\w+)>|([imsU]*)(-[imsU]+)?([:)])")
            if not found:
                raise ValueError(f"invalid perl operator: (?{self.text[self.at : self.at + 2]}")
            name, on, off, end = found.groups()
            if name is not None:
                self.groups += 1
                number = self.groups
            else:
                self.flags = (self.flags | set(on)) - set(off or "")
                if end == ")":
                    self.depth -= 1
                    return None
        else:
            self.groups += 1
            number = self.groups
        node = self.alternatives()
        self.flags = flags
        if not self.looking(")"):
            raise ValueError("missing )")
        self.depth -= 1
        return ("group", node, number) if number else node

    def escape(self) -> Node:
        if self.at == len(self.text):
            raise ValueError("trailing \\")
        if self.looking("Q"):
            end = self.text.find("\\E", self.at)
            quoted = self.text[self.at : end if end >= 0 else len(self.text)]
            self.at += len(quoted) + (2 if end >= 0 else 0)
            *first, last = [self.one(ord(c)) for c in quoted] or [("cat", [])]
            return ("cat", [*first, self.repeated(last)]) if first else last
        place = _PLACES.get(self.text[self.at])
        if place:
            self.at += 1
            return "at", place
        if self.looking("C"):
            raise UnsupportedError("a single byte, \\C, is not supported in a pattern")
        found = self.class_escape()
        return self.several(found) if found is not None else self.one(self.code_escape())

    def class_escape(self) -> Ranges | None:
        """The set that an escape of a class stands for, or None where it is none."""
        char = self.text[self.at]
        if char.lower() in _PERL:
            self.at += 1
            ranges = _PERL[char.lower()]
            if "i" in self.flags:
                ranges = _folded(ranges)
            return ranges if char.islower() else _negated(ranges)
        found = self.match(r"[pP](?:\{(\^?)(\w*)\}|(\w))")
        if not found:
            return None
        inverse, long, short = found.groups()
        ranges = _property(long if short is None else short, "\\" + found.group())
        if "i" in self.flags:
            ranges = _folded(ranges)
        return _negated(ranges) if (char == "P") != bool(inverse) else ranges

    def code_escape(self) -> int:
        """The character that an escape stands for."""
        char = self.text[self.at]
        if char in _CONTROL:
            self.at += 1
            return _CONTROL[char]
        found = self.match(r"x([\da-fA-F]{2})|x\{([\da-fA-F]+)\}")
        if found:
            code = int(found.group(1) or found.group(2), 16)
            if code <= _TOP:
                return code
        found = self.match(r"0[0-7]{0,2}|[1-7][0-7]{1,2}")
        if found:
            return int(found.group(), 8)
        if char.isascii() and not char.isalnum():
            self.at += 1
            return ord(char)
        raise ValueError(f"invalid escape sequence: \\{char}")

    def bracket(self) -> Node:
        start = self.at - 1
        inverse = self.looking("^")
        ranges: list[tuple[int, int]] = []
        first = True
        while first or not self.looking("]"):
            if self.at >= len(self.text):
                raise ValueError(f"missing ]: {self.text[start:]}")
            first = False
            posix = self.match(r"\[:(\^?)(\w+):\]")
            if posix:
                if posix.group(2) not in _POSIX:
                    raise ValueError(f"invalid character class range: {posix.group()}")
                named = _POSIX[posix.group(2)]
                ranges += _negated(named) if posix.group(1) else named
                continue
            if self.text[self.at] == "\\":
                self.at += 1
                if self.at == len(self.text):
                    raise ValueError("trailing \\")
                found = self.class_escape()
                if found is not None:
                    ranges += found
                    continue
                self.at -= 1
            low = high = self.code()
            if self.match(r"-(?=[^\]])"):
                high = self.code()
            if high < low:
                raise ValueError(f"invalid character class range: {chr(low)}-{chr(high)}")
            ranges.append((low, high))
        merged = _merged(ranges)
        if "i" in self.flags:
            merged = _folded(merged)
        return "set", _negated(merged) if inverse else merged

    def code(self) -> int:
        """One character of a bracket."""
        if self.looking("\\"):
            if self.at == len(self.text):
                raise ValueError("trailing \\")
            return self.code_escape()
        self.at += 1
        return ord(self.text[self.at - 1])


_AT_PYTHON = {
    "start": r"\A",
    "end": r"\Z",
    "line": "(?m:^)",
    "line end": "(?m:$)",
    "edge": r"(?a:\b)",
    "inside": "(?:(?<![0-9A-Za-z_])(?![0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?=[0-9A-Za-z_]))",
}


def _python(node: Node) -> str:
    """`node` as a pattern of Python's re."""
    kind = node[0]
    if kind == "set":
        spelled = "".join(
            re.escape(chr(a)) + ("" if a == b else "-" + re.escape(chr(b))) for a, b in node[1]
        )
        return f"[{spelled}]" if spelled else "(?!)"
    if kind == "cat":
        return "".join(map(_python, node[1]))
    if kind == "alt":
        return "(?:" + "|".join(map(_python, node[1])) + ")"
    if kind == "group":
        return f"({_python(node[1])})"
    if kind == "at":
        return _AT_PYTHON[node[1]]
    _, body, least, most, greedy = node
    return f"(?:{_python(body)}){{{least},{'' if most is None else most}}}{'' if greedy else '?'}"


def _repeats(node: Node) -> tuple[int, bool]:
    """How many open repetitions `node` holds, and whether one stands in, or chooses in, another."""
    kind = node[0]
    if kind in ("set", "at"):
        return 0, False
    if kind == "group":
        return _repeats(node[1])
    if kind in ("cat", "alt"):
        inner = [_repeats(n) for n in node[1]]
        return sum(n for n, _ in inner), any(risky for _, risky in inner)
    _, body, least, most, _ = node
    count, risky = _repeats(body)
    open_ = most is None or most - least > 8
    return count + open_, risky or ((most is None or most > 1) and (count > 0 or _chooses(body)))


def _chooses(node: Node) -> bool:
    """Whether `node` may match in several ways: alternatives, or parts that may be left out."""
    kind = node[0]
    if kind in ("set", "at"):
        return False
    if kind == "group":
        return _chooses(node[1])
    if kind == "cat":
        return any(map(_chooses, node[1]))
    return kind == "alt" or node[2] != node[3] or _chooses(node[1])


def _least(node: Node) -> int:
    """How many characters the shortest match has."""
    kind = node[0]
    if kind == "set":
        return 1
    if kind == "cat":
        return sum(map(_least, node[1]))
    if kind == "alt":
        return min(map(_least, node[1]))
    if kind == "rep":
        return _least(node[1]) * int(node[2])
    return _least(node[1]) if kind == "group" else 0


def _size(node: Node) -> int:
    """About how many instructions `node` becomes."""
    kind = node[0]
    if kind in ("set", "at"):
        return 1
    if kind == "group":
        return 2 + _size(node[1])
    if kind in ("cat", "alt"):
        return len(node[1]) + sum(map(_size, node[1]))
    return (_size(node[1]) + 1) * max(node[2] + 1 if node[3] is None else node[3], 1)


def _emit(node: Node, code: list[Any]) -> None:
    """Appends the instructions of `node`: ("set", bounds), ("at", place), ("save", slot),
    ("split", first, second)."""
    kind = node[0]
    if kind == "set":
        code.append(("set", _bounds(node[1])))
    elif kind == "at":
        code.append(node)
    elif kind == "cat":
        for part in node[1]:
            _emit(part, code)
    elif kind == "group":
        code.append(("save", 2 * node[2]))
        _emit(node[1], code)
        code.append(("save", 2 * node[2] + 1))
    elif kind == "alt":
        ends = []
        for part in node[1][:-1]:
            split = len(code)
            code.append(None)
            _emit(part, code)
            ends.append(len(code))
            code.append(None)
            code[split] = ("split", split + 1, len(code))
        _emit(node[1][-1], code)
        for end in ends:
            code[end] = ("split", len(code), len(code))
    else:
        _emit_repeat(node, code)


def _emit_repeat(node: Node, code: list[Any]) -> None:
    _, body, least, most, greedy = node
    start = len(code)
    for _ in range(least):
        start = len(code)
        _emit(body, code)
    splits = []
    for _ in range(most - least if most is not None else least == 0):
        splits.append(len(code))
        code.append(None)
        _emit(body, code)
    if most is None:
        again = splits[0] + 1 if splits else start
        split = len(code)
        code.append(("split", again, split + 1) if greedy else ("split", split + 1, again))
    for split in splits:
        order = (split + 1, len(code))
        code[split] = ("split", *(order if greedy else order[::-1]))


def _is_word(text: str, at: int) -> bool:
    return 0 <= at < len(text) and (text[at] == "_" or (text[at].isascii() and text[at].isalnum()))


def _holds(place: str, text: str, at: int) -> bool:
    if place in ("start", "line"):
        return at == 0 or (place == "line" and text[at - 1] == "\n")
    if place in ("end", "line end"):
        return at == len(text) or (place == "line end" and text[at] == "\n")
    return (_is_word(text, at - 1) != _is_word(text, at)) == (place == "edge")


class Regex:
    """A pattern, ready to match; raises ValueError where RE2 would refuse it."""

    def __init__(self, pattern: str) -> None:
        parser = _Parser(pattern)
        try:
            self._tree = parser.whole()
        except ValueError as error:
            raise ValueError(f"invalid pattern {pattern!r}: {error}") from None
        self.groups = parser.groups
        if _size(self._tree) > _MOST_INSTRUCTIONS:
            raise ValueError(f"pattern {pattern[:40]!r} is too large")
        self._least = _least(self._tree)
        self._open, risky = _repeats(self._tree)
        self._python = None if risky else re.compile(_python(self._tree))
        self._code: list[Any] = []

    def _quick(self, text: str) -> re.Pattern[str] | None:
        """Python's pattern, where its worst case for `text` is short."""
        return self._python if len(text) ** (self._open + 1) <= _MOST_STEPS else None

    def one_of(self) -> bytes | None:
        """The characters of a pattern that matches a single ASCII one, None for other patterns."""
        kind, *rest = self._tree
        if kind != "set" or any(last > 127 for _, last in rest[0]):
            return None
        return bytes(code for first, last in rest[0] for code in range(first, last + 1))

    def every(self, text: str) -> re.Pattern[str] | None:
        """Python's pattern where it finds all matches in `text`, one behind the other."""
        return self._quick(text) if self._least else None

    def full(self, text: str) -> bool:
        """Whether the whole `text` matches."""
        quick = self._quick(text)
        if quick:
            return quick.fullmatch(text) is not None
        return self._run(text, 0, True) is not None

    def search(self, text: str, at: int = 0) -> Spans | None:
        """The first match from `at` on: its span and those of its groups, (-1, -1) for none."""
        quick = self._quick(text)
        if quick:
            found = quick.search(text, at)
            return None if found is None else [found.span(i) for i in range(self.groups + 1)]
        slots = self._run(text, at, False)
        return (
            None if slots is None else [(slots[i], slots[i + 1]) for i in range(0, len(slots), 2)]
        )

    def _run(self, text: str, at: int, full: bool) -> list[int] | None:
        """Steps all states at once over `text`; the slots of the preferred match."""
        if not self._code:
            _emit(self._tree, self._code)
            self._code.append(("match",))
        code = self._code
        best: list[int] | None = None
        threads: list[tuple[int, list[int]]] = []
        blank = [-1] * (2 * self.groups + 2)
        for i in range(at, len(text) + 1):
            if best is None and (i == 0 or not full):
                threads.append((0, [i, *blank[1:]]))
            if not threads:
                break
            ready: list[tuple[int, list[int]]] = []
            seen: set[int] = set()
            for start, slots in threads:
                if self._follow(start, slots, text, i, seen, ready, full):
                    break
            threads = []
            value = ord(text[i]) if i < len(text) else -1
            for pc, slots in ready:
                if code[pc][0] == "match":
                    best = [slots[0], i, *slots[2:]]
                    break
                if value >= 0 and bisect_right(code[pc][1], value) & 1:
                    threads.append((pc + 1, slots))
        return best

    def _follow(
        self,
        start: int,
        slots: list[int],
        text: str,
        at: int,
        seen: set[int],
        ready: list[tuple[int, list[int]]],
        full: bool,
    ) -> bool:
        """Appends what `start` leads to without a character; True where that is a match."""
        stack = [(start, slots)]
        while stack:
            pc, slots = stack.pop()
            if pc in seen:
                continue
            seen.add(pc)
            step = self._code[pc]
            if step[0] == "split":
                stack += [(step[2], slots), (step[1], slots)]
            elif step[0] == "save":
                slots = slots.copy()
                slots[step[1]] = at
                stack.append((pc + 1, slots))
            elif step[0] == "at":
                if _holds(step[1], text, at):
                    stack.append((pc + 1, slots))
            elif step[0] == "set":
                ready.append((pc, slots))
            elif not full or at == len(text):
                ready.append((pc, slots))
                return True
        return False


@lru_cache(256)
def compiled(pattern: str) -> Regex:
    """The `Regex` of `pattern`, remembered."""
    return Regex(pattern)


def _rewritten(rewrite: str, text: str, spans: Spans) -> str:
    """`rewrite` with ``\\0`` to ``\\9`` replaced; it ends at an escape that is none."""
    result = []
    at = 0
    while at < len(rewrite):
        if rewrite[at] != "\\":
            result.append(rewrite[at])
            at += 1
            continue
        char = rewrite[at + 1 : at + 2]
        if char.isdecimal():
            first, last = spans[int(char)]
            result.append(text[first:last] if first >= 0 else "")
        elif char == "\\":
            result.append(char)
        else:
            break
        at += 2
    return "".join(result)


def replace(regex: Regex, text: str, rewrite: str, everywhere: bool) -> str:
    """`text` with matches rewritten; unchanged where `rewrite` names a group that there is not.

    An empty match right behind another match does not count.
    """
    named = re.findall(r"\\(?:(\d)|.)", rewrite, re.S)
    if max((int(d) for d in named if d), default=0) > regex.groups:
        return text
    every = regex.every(text)
    if every and "\\" not in rewrite:
        return every.sub(lambda _: rewrite, text, 0 if everywhere else 1)
    result = []
    at, last = 0, -1
    while at <= len(text):
        spans = regex.search(text, at)
        if spans is None:
            break
        first, end = spans[0]
        result.append(text[at:first])
        if first == end == last:
            result.append(text[at : at + 1])
            at += 1
            continue
        result.append(_rewritten(rewrite, text, spans))
        at = last = end
        if not everywhere:
            break
    return "".join(result) + text[at:]
