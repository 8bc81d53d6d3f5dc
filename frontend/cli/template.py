"""The part of Go's text/template that ``--format`` is used with.

Fields and paths, variables, pipelines, ``if``, ``range``, ``with``, comparison and docker's functions (json, join,
upper, lower, title, split, println, truncate). Values are what JSON has: dictionaries, lists, strings, numbers,
booleans and None; a callable in a dictionary is a method, such as ``{{.Label "key"}}``. See https://pkg.go.dev/text/template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .errors import CliError

_ACTION = re.compile(r"\{\{(- )?(.*?)( -)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)|(?P<variable>\$\w*)"""
    r"""|(?P<field>\.\w+|\.)|(?P<word>\w+)|(?P<mark>:=|[|(),=]))"""
)


class Token(NamedTuple):
    kind: str
    text: str
    joined: bool  # no space before it: ``$x.Name`` is one operand, ``f .Name`` are two


class Node(NamedTuple):
    """Text, an output, or a block (if, range, with) with a body and an alternative."""

    kind: str
    tokens: tuple[Token, ...] = ()
    text: str = ""
    body: tuple[Node, ...] = ()
    otherwise: tuple[Node, ...] = ()


def render(source: str, value: Any) -> str:
    """Raises CliError for a template that cannot be read or does not fit the value."""
    return Template(source).render(value)


class Template:
    """A template that has been read."""

    def __init__(self, source: str) -> None:
        parts = _split(source)
        self._nodes, end, _ = _parse(parts, 0)
        if end < len(parts):
            raise CliError(f"template parsing error: template: :1: unexpected {{{{{parts[end][1]}}}}}")

    def render(self, value: Any) -> str:
        return _Run(value).nodes(self._nodes, value, {"$": value})


def _split(source: str) -> list[tuple[bool, str]]:
    """Pieces as (is an action, text), with the space that ``{{-`` and ``-}}`` eat gone."""
    parts: list[tuple[bool, str]] = []
    at, trim = 0, False
    for match in _ACTION.finditer(source):
        text = source[at : match.start()]
        text = text.lstrip() if trim else text
        parts.append((False, text.rstrip() if match[1] else text))
        parts.append((True, match[2].strip()))
        at, trim = match.end(), bool(match[3])
    rest = source[at:]
    if "{{" in rest:
        raise CliError("template parsing error: template: :1: unclosed action")
    return [part for part in [*parts, (False, rest.lstrip() if trim else rest)] if part[0] or part[1]]


def _parse(parts: list[tuple[bool, str]], at: int) -> tuple[tuple[Node, ...], int, str]:
    """Nodes up to ``end`` or ``else``; returns them, where it stopped, and at what."""
    nodes: list[Node] = []
    while at < len(parts):
        is_action, text = parts[at]
        word = text.split(None, 1)[0] if is_action and text else ""
        if word in ("end", "else"):
            return tuple(nodes), at, text
        if not is_action:
            nodes.append(Node("text", text=text))
        elif word in ("if", "range", "with"):
            node, at = _block(parts, at, word, text[len(word) :])
            nodes.append(node)
        elif not text.startswith("/*"):
            nodes.append(Node("output", _tokens(text)))
        at += 1
    return tuple(nodes), at, ""


def _block(parts: list[tuple[bool, str]], at: int, kind: str, head: str) -> tuple[Node, int]:
    body, at, stop = _parse(parts, at + 1)
    otherwise: tuple[Node, ...] = ()
    if stop.startswith("else if"):
        node, at = _block(parts, at, "if", stop[len("else if") :])
        return Node(kind, _tokens(head), "", body, (node,)), at
    if stop == "else":
        otherwise, at, stop = _parse(parts, at + 1)
    if stop != "end":
        raise CliError("template parsing error: template: :1: unexpected EOF")
    return Node(kind, _tokens(head), "", body, otherwise), at


def _tokens(text: str) -> tuple[Token, ...]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or match.lastgroup is None:
            raise CliError(f"template parsing error: template: :1: unexpected {text[at:]!r} in command")
        start = match.start(match.lastgroup)
        found.append(Token(match.lastgroup, match[match.lastgroup], start == at and at > 0))
        at = match.end()
    return tuple(found)


class _Run:
    """One evaluation. ``scope`` holds variables; ``dot`` is the value of ``.``."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def nodes(self, nodes: Iterable[Node], dot: Any, scope: dict[str, Any]) -> str:
        return "".join(self._node(node, dot, scope) for node in nodes)

    def _node(self, node: Node, dot: Any, scope: dict[str, Any]) -> str:
        if node.kind == "text":
            return node.text
        names, tokens = _assignment(node.tokens)
        value = self._pipeline(tokens, dot, scope)
        if node.kind == "output":
            if names:
                scope[names[0]] = value
                return ""
            return show(value)
        if node.kind == "range":
            return self._range(node, names, value, dot, scope)
        inner = scope | ({names[0]: value} if names else {})
        if not _truth(value):
            return self.nodes(node.otherwise, dot, dict(scope))
        return self.nodes(node.body, value if node.kind == "with" else dot, inner)

    def _range(self, node: Node, names: list[str], value: Any, dot: Any, scope: dict[str, Any]) -> str:
        pairs = sorted(value.items()) if isinstance(value, dict) else list(enumerate(value or ()))
        if not pairs:
            return self.nodes(node.otherwise, dot, dict(scope))
        output = ""
        for key, item in pairs:
            bound = {names[0]: item} if len(names) == 1 else dict(zip(names, (key, item), strict=False))
            output += self.nodes(node.body, item, scope | bound)
        return output

    def _pipeline(self, tokens: tuple[Token, ...], dot: Any, scope: dict[str, Any]) -> Any:
        commands = _split_at(tokens, "|")
        value: Any = None
        carried: list[Any] = []
        for command in commands:
            value = self._command(command, dot, scope, carried)
            carried = [value]
        return value

    def _command(self, tokens: list[Token], dot: Any, scope: dict[str, Any], carried: list[Any]) -> Any:
        if not tokens:
            raise CliError("template parsing error: template: :1: missing value for command")
        if tokens[0].kind == "word" and tokens[0].text in FUNCTIONS:
            arguments = self._operands(tokens[1:], dot, scope) + carried
            return _call(tokens[0].text, FUNCTIONS[tokens[0].text], arguments)
        values = self._operands(tokens, dot, scope)
        first, arguments = values[0], values[1:] + carried
        if callable(first):
            return _call(tokens[0].text, first, arguments)
        if arguments:
            raise CliError(f"template: :1: can't give argument to non-function {tokens[0].text}")
        return first

    def _operands(self, tokens: list[Token], dot: Any, scope: dict[str, Any]) -> list[Any]:
        values: list[Any] = []
        at = 0
        while at < len(tokens):
            token = tokens[at]
            if token.kind == "mark" and token.text == "(":
                end = _closing(tokens, at)
                values.append(self._pipeline(tuple(tokens[at + 1 : end]), dot, scope))
                at = end + 1
                continue
            if token.kind == "field" and token.joined and values:
                values[-1] = _field(values[-1], token.text[1:])
            else:
                values.append(_operand(token, dot, scope))
            at += 1
        return values


def _operand(token: Token, dot: Any, scope: dict[str, Any]) -> Any:
    if token.kind == "string":
        return _literal(token.text)
    if token.kind == "number":
        return float(token.text) if "." in token.text else int(token.text)
    if token.kind == "variable":
        if token.text not in scope:
            raise CliError(f'template parsing error: template: :1: undefined variable "{token.text}"')
        return scope[token.text]
    if token.kind == "field":
        return dot if token.text == "." else _field(dot, token.text[1:])
    if token.text in ("true", "false", "nil"):
        return {"true": True, "false": False, "nil": None}[token.text]
    raise CliError(f'template parsing error: template: :1: function "{token.text}" not defined')


def _literal(text: str) -> str:
    try:
        return text[1:-1] if text[0] == "`" else str(json.loads(text))
    except ValueError as error:
        raise CliError(f"template parsing error: template: :1: unable to unquote {text}") from error


def _assignment(tokens: tuple[Token, ...]) -> tuple[list[str], tuple[Token, ...]]:
    """``$k, $v := pipeline`` → names and the pipeline."""
    for index, token in enumerate(tokens):
        if token.text in (":=", "=") and token.kind == "mark":
            return [each.text for each in tokens[:index] if each.kind == "variable"], tokens[index + 1 :]
    return [], tokens


def _split_at(tokens: Iterable[Token], mark: str) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "mark":
            depth += (token.text == "(") - (token.text == ")")
        if token.kind == "mark" and token.text == mark and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _closing(tokens: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(tokens)):
        if tokens[index].kind == "mark":
            depth += (tokens[index].text == "(") - (tokens[index].text == ")")
        if depth == 0:
            return index
    raise CliError("template parsing error: template: :1: unclosed left paren")


def _field(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        if name in value:
            return value[name]
        raise CliError(f'template: :1: executing "" at <.{name}>: map has no entry for key "{name}"')
    kind = "nil" if value is None else type(value).__name__
    raise CliError(f'template: :1: executing "" at <.{name}>: can\'t evaluate field {name} in type {kind}')


def _call(name: str, function: Callable[..., Any], arguments: list[Any]) -> Any:
    try:
        return function(*arguments)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise CliError(f'template: :1: executing "" at <{name}>: error calling {name}: {error}') from error


def _truth(value: Any) -> bool:
    return bool(value)


def show(value: Any) -> str:
    """As fmt.Print shows it."""
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{show(item)}' for key, item in sorted(_fields(value)))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(show, value))}]"
    if callable(value):
        raise CliError("template: :1: a method without its arguments has no value")
    return str(value)


def _fields(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """What a dictionary holds besides its methods."""
    return ((key, item) for key, item in value.items() if not callable(item))


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key, "") if isinstance(value, dict) else value[key]
    return value


def _json(value: Any) -> str:
    shown = dict(_fields(value)) if isinstance(value, dict) else value
    return json.dumps(shown, separators=(",", ":"), ensure_ascii=False)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": _json,
    "join": lambda values, separator: separator.join(map(show, values or ())),
    "split": lambda text, separator: text.split(separator),
    "upper": lambda text: text.upper(),
    "lower": lambda text: text.lower(),
    "title": lambda text: text.title(),
    "truncate": lambda text, length: text[:length],
    "println": lambda *values: " ".join(map(show, values)) + "\n",
    "print": lambda *values: "".join(map(show, values)),
    "len": lambda value: 0 if value is None else len(value),
    "index": _index,
    "not": lambda value: not _truth(value),
    "and": lambda *values: next((value for value in values if not _truth(value)), values[-1]),
    "or": lambda *values: next((value for value in values if _truth(value)), values[-1]),
    "eq": lambda value, *others: value in others,
    "ne": lambda left, right: left != right,
    "lt": lambda left, right: left < right,
    "le": lambda left, right: left <= right,
    "gt": lambda left, right: left > right,
    "ge": lambda left, right: left >= right,
}
