"""Transactions out of a stream of XML, one at a time, whatever the file's size.

A file with a document type is refused before its first element is read: POSLog has none, and entities that grow or reach for other
files need one. What follows is parsed without entities, without network, and within the parser's limits of depth and text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import IO, Any, Final, NamedTuple

from lxml import etree

__all__ = ["BrokenFileError", "Node", "all_named", "flag", "indexed", "named", "text_of", "transactions"]

_LIMITS: Final[dict[str, Any]] = {
    "resolve_entities": False, "no_network": True, "load_dtd": False, "dtd_validation": False, "huge_tree": False,
    "remove_comments": True, "remove_pis": True,
}  # fmt: skip


_HEAD: Final = 4096


class BrokenFileError(Exception):
    """The file cannot be read on; ``code`` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


def transactions(stream: IO[bytes]) -> Iterator[etree._Element]:
    """Yield every ``Transaction`` of a POSLog; each is gone when the next one is asked for.

    Args:
        stream: the file.

    Raises:
        BrokenFileError: it declares a document type (``doctype_refused``), or it ends or breaks in the middle (``xml_broken``).
    """
    try:
        _refuse_doctype(stream)
        # Only the ends of transactions come back from the parser: an event per element would cost more than the parsing.
        for _, element in etree.iterparse(stream, events=("end",), tag="{*}Transaction", **_LIMITS):
            if not _inside_another(element):
                yield element
                _forget(element)
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        raise BrokenFileError(f"The XML ends or breaks at line {line}: {error.msg}.", "xml_broken") from None


def _refuse_doctype(stream: IO[bytes]) -> None:
    """Read up to the root element, look whether a document type stands before it, and go back to the beginning."""
    parser = etree.XMLPullParser(events=("start",), **_LIMITS)
    while block := stream.read(_HEAD):
        parser.feed(block)
        root = next((element for _, element in parser.read_events()), None)
        if root is not None:
            if root.getroottree().docinfo.internalDTD is not None:
                raise BrokenFileError("The file declares a document type, which a POSLog has not.", "doctype_refused")
            break
    stream.seek(0)


def _inside_another(element: etree._Element) -> bool:
    return any(local(parent) == "Transaction" for parent in element.iterancestors())


def _forget(element: etree._Element) -> None:
    """Free the element and what came before it, else the tree of the whole file stays in memory."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while element.getprevious() is not None:
            del parent[0]


def local(element: etree._Element) -> str:
    """Return an element's name without its namespace: producers drop, prefix and misspell it."""
    return _local(str(element.tag))


@cache
def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


class Node(NamedTuple):
    """An element with what mapping asks for, found once: asking the parser's tree again and again costs more than parsing.

    Attributes:
        name: without its namespace.
        text: that stands before the first child, without blanks around it; None if there is none.
        attributes: by name.
        children: by name, each in the order of the file.
    """

    name: str
    text: str | None
    attributes: Mapping[str, str]
    children: Mapping[str, list[Node]]


_NOTHING: Final[dict[str, Any]] = {}
_new = tuple.__new__


def indexed(element: etree._Element) -> Node:
    """Return an element and everything below it as nodes; the parser bounds the depth."""
    children: dict[str, list[Node]] = {}
    for child in element:
        node = indexed(child)
        if node[0] in children:
            children[node[0]].append(node)
        else:
            children[node[0]] = [node]
    text, items = element.text, element.items()
    # The constructor of a named tuple takes three times as long, and this is done for every element of the file.
    return _new(
        Node,
        (_local(element.tag), (text.strip() or None) if text else None, dict(items) if items else _NOTHING, children),
    )


def all_named(node: Node | None, *path: str) -> list[Node]:
    """Return the descendants at a path of local names."""
    if node is None or path[0] not in node.children:
        return []
    found = node.children[path[0]]
    for name in path[1:]:
        found = [child for each in found for child in each.children.get(name, ())]
    return found


def named(node: Node | None, *path: str) -> Node | None:
    """Return the first descendant at a path of local names."""
    found = all_named(node, *path)
    return found[0] if found else None


def text_of(node: Node | None, *path: str) -> str | None:
    """Return the text of the first descendant at a path; None if there is none or it is empty."""
    # Most of what is asked for is not there: that has to be cheap.
    if node is None or path[0] not in node.children:
        return None
    found = node.children[path[0]] if len(path) == 1 else all_named(node, *path)
    return found[0].text if found else None


def flag(node: Node, name: str) -> bool:
    """Tell whether an attribute says yes."""
    return name in node.attributes and node.attributes[name].strip().lower() in {"true", "1"}
