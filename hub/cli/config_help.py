"""A plugin's settings as a person reads them: name, type, default, what it is for."""

from __future__ import annotations

import datetime as dt
import inspect
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from hub.redaction import is_secret_name

__all__ = ["Setting", "settings_of", "type_name"]

_NAMES: Mapping[Any, str] = {
    str: "text",
    SecretStr: "text",
    SecretBytes: "text",
    Path: "path",
    bool: "true or false",
    int: "integer",
    float: "number",
    Decimal: "number",
    dt.date: "date",
    dt.time: "time",
    dt.datetime: "time with zone",
    dt.timedelta: "length of time",
    Any: "anything",
}
_ATTRIBUTE = re.compile(r"^(\w+): (.*)$")


@dataclass(frozen=True)
class Setting:
    """One setting of a plugin.

    Attributes:
        name: its key; dotted within a table (``write.format``).
        type: in words of TOML.
        required: whether it must be given.
        default: what it is when it is not given, as TOML text; empty when there is none.
        secret: whether its value is kept out of every message.
        description: what it is for.
    """

    name: str
    type: str
    required: bool
    default: str
    secret: bool
    description: str


def settings_of(model: type[BaseModel], prefix: str = "") -> list[Setting]:
    """Return the settings of a pydantic model, those of its tables included.

    A description is the field's own, or what the model's docstring says about it under ``Attributes:``.
    """
    documented = dict(_documented(model))
    found: list[Setting] = []
    for name, field in model.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        found.append(
            Setting(
                name=key,
                type=type_name(field.annotation),
                required=field.is_required(),
                default=_default(field),
                secret=_is_secret(field.annotation) or is_secret_name(name),
                description=_sentence(field.description or documented.get(name, "")),
            )
        )
        table = _table_of(field.annotation)
        if table is not None:
            found += settings_of(table, f"{key}.")
    return found


def _sentence(text: str) -> str:
    """Take a docstring's markup off and begin with a capital."""
    plain = text.replace("``", "`")
    return plain[:1].upper() + plain[1:]


def _documented(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Read the ``Attributes:`` of a docstring; a further line is indented deeper than the names are."""
    _, _, text = inspect.cleandoc(model.__doc__ or "").partition("Attributes:\n")
    name, words = "", ""
    for line in text.splitlines():
        if not line.startswith("    "):
            break
        begins = _ATTRIBUTE.match(line[4:])
        if begins:
            if name:
                yield name, words
            name, words = begins[1], begins[2]
        else:
            words = f"{words} {line.strip()}"
    if name:
        yield name, words


def type_name(kind: Any) -> str:
    """Return a type as a person writes it: ``text``, ``one of csv, excel``, ``list of integer``, ``table``."""
    kind = _bare(kind)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(str(option) for option in get_args(kind))}"
    if get_origin(kind) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(option) for option in get_args(kind)))
    if get_origin(kind) in (list, tuple, set, frozenset):
        items = [argument for argument in get_args(kind) if argument is not Ellipsis]
        return f"list of {type_name(items[0])}" if items else "list"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"one of {', '.join(str(option.value) for option in kind)}"
    return "table" if _is_table(kind) else _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _bare(kind: Any) -> Any:
    """Take ``Annotated`` and ``| None`` off a type."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, types.UnionType) and type(None) in get_args(kind):
            kind = Union[tuple(option for option in get_args(kind) if option is not type(None))]  # noqa: UP007
        else:
            return kind


def _is_table(kind: Any) -> bool:
    return get_origin(kind) in (dict, Mapping) or (isinstance(kind, type) and issubclass(kind, BaseModel | dict))


def _table_of(kind: Any) -> type[BaseModel] | None:
    kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _is_secret(kind: Any) -> bool:
    kind = _bare(kind)
    if isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes):
        return True
    return any(_is_secret(argument) for argument in get_args(kind))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ""
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr | SecretBytes) or _table_of(field.annotation) is not None:
        return ""
    return _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, Enum):
        return _toml(value.value)
    if value is None or value == "" or isinstance(value, Mapping):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else str(value)
