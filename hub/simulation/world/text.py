"""Text for whole columns at once: digits, ids and labels are written as bytes, never one Python string per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hub.simulation.world.arrays import Bools, Ints

__all__ = ["base62", "fixed", "join", "label", "numbers"]

_Bytes = npt.NDArray[np.uint8]
_ALPHABET: Final = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
#: Digits of one 64-bit word that are used; 62**10 < 2**64, so that ten characters are close to even.
_PER_WORD: Final = 10
#: Digits are written four at a time, from a table of all groups of four.
_GROUP: Final = 4
_GROUPS: Final = np.array([list(f"{number:04d}".encode()) for number in range(10**_GROUP)], np.uint8)


def numbers(values: Ints, width: int) -> _Bytes:
    """Write each number with ``width`` decimal digits, zeros in front, as a byte matrix for :func:`fixed`."""
    groups = -(-width // _GROUP)
    matrix = np.empty((len(values), groups, _GROUP), np.uint8)
    rest = values
    for place in range(groups - 1, -1, -1):
        higher = rest // len(_GROUPS)  # numpy divides by one number much faster than divmod does
        matrix[:, place] = _GROUPS.take(rest - higher * len(_GROUPS), axis=0)
        rest = higher
    return matrix.reshape(len(values), groups * _GROUP)[:, groups * _GROUP - width :]


def base62(words: Sequence[npt.NDArray[np.uint64]], width: int) -> _Bytes:
    """Write letters and digits from 64-bit words, ten characters a word, as a byte matrix for :func:`fixed`."""
    matrix = np.empty((len(words[0]), width), np.uint8)
    for place in range(width):
        word = words[place // _PER_WORD]
        matrix[:, place] = _ALPHABET[(word // np.uint64(62 ** (place % _PER_WORD))) % np.uint64(62)]
    return matrix


def fixed(*parts: bytes | _Bytes, valid: Bools | None = None) -> pa.StringArray:
    """Join literals and byte matrices side by side into one text column; rows that are not ``valid`` are null."""
    rows = next(len(part) for part in parts if not isinstance(part, bytes))
    matrix = np.concatenate([_as_matrix(part, rows) for part in parts], axis=1)
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(matrix.shape[1])
    column = pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix)))
    return column if valid is None else blank(column, valid)


def _as_matrix(part: bytes | _Bytes, rows: int) -> _Bytes:
    if isinstance(part, bytes):
        return np.broadcast_to(np.frombuffer(part, np.uint8), (rows, len(part)))
    return part


def blank(column: Any, valid: Bools) -> Any:
    """The column with null where ``valid`` is false."""
    return pc.if_else(pa.array(valid), column, pa.scalar(None, column.type))


def label(labels: Sequence[str] | pa.Array, codes: npt.NDArray[Any], valid: Bools | None = None) -> pa.DictionaryArray:
    """A dictionary column: ``labels[code]`` per row; null where the code is negative or ``valid`` is false.

    Labels must differ: Parquet writes a dictionary with equal entries in a different way each time.
    """
    missing = codes < 0 if valid is None else (codes < 0) | ~valid
    indices = pa.array(np.where(missing, 0, codes).astype(np.int32), mask=missing)
    values = labels if isinstance(labels, pa.Array) else pa.array(labels, pa.string())
    return pa.DictionaryArray.from_arrays(indices, values)


def join(*columns: Any) -> pa.StringArray:
    """Write text columns and literals one after another, row by row; a null in any of them makes the row null."""
    plain = [_plain(column) for column in columns]
    return pc.binary_join_element_wise(*plain, "")


def _plain(column: Any) -> Any:
    if isinstance(column, str):
        return pa.scalar(column)
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
