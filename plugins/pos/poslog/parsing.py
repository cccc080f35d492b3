"""Transactions out of a stream of XML, one at a time, whatever the file's size.

A file with a document type is refused before its first element is read: POSLog has none, and entities that grow or reach for other
files need one. What follows is parsed without entities, without network, and within the parser's limits of depth and text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Final

from lxml import etree

__all__ = ["BrokenFileError", "all_named", "flag", "local", "named", "text_of", "transactions"]

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
    return str(element.tag).rpartition("}")[2]


def all_named(element: etree._Element | None, *path: str) -> list[etree._Element]:
    """Return the descendants at a path of local names."""
    found = [] if element is None else [element]
    for name in path:
        found = [child for each in found for child in each if local(child) == name]
    return found


def named(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first descendant at a path of local names."""
    found = all_named(element, *path)
    return found[0] if found else None


def text_of(element: etree._Element | None, *path: str) -> str | None:
    """Return the text of the first descendant at a path; None if there is none or it is empty."""
    found = named(element, *path)
    return (found.text or "").strip() or None if found is not None else None


def flag(element: etree._Element, name: str) -> bool:
    """Tell whether an attribute says yes."""
    return str(element.get(name) or "").strip().lower() in {"true", "1"}
