"""The right size: products that are known in other sizes only than the one a customer clearly prefers.

The catalogue holds no list of sizes, so a product is known in those it was sold in; where none of its lines tells a size, in those that
are words of its name or tags (as tills write whose articles are single sizes: ``衬衫 XL``). A product is of the wrong size if it is known
in sizes of the form of the preferred one (letters, cups, numbers …), that one is not among them, none fits everybody (均码), and some
product of its category is known in the preferred size: trousers in 30 to 36 are none for whoever wears XL, nor for shoes in 38.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hub.scorer import Inputs
from plugins.retail.preferences import is_size, size_of
from plugins.retail.rules import PreferenceRules

__all__ = ["RightSize", "known_sizes", "read_sizes"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_FITS_ALL = frozenset({"均码", "FREE"})
_BETWEEN = r"[\s()（）\[\]【】,，、;；]+"
"""What parts the words of a product's name."""


def known_sizes(rules: PreferenceRules, sold: str) -> str:
    """Return ``code``, ``category`` and ``size`` (capital letters) of every product and size it is known in.

    Args:
        rules: what is a size.
        sold: condition on ``customer_lines`` of what was sold.
    """
    named = f"unnest(string_split_regex(product, '{_BETWEEN}') || coalesce(tags, []))"
    return f"""
        WITH sized AS (
            SELECT choice, upper({size_of("thing")}) AS size FROM (SELECT choice, unnest(options) AS thing FROM choices)
            WHERE {is_size("thing", rules)}
        ), told AS (
            SELECT DISTINCT code, size
            FROM (SELECT DISTINCT article, choice FROM customer_lines SEMI JOIN sized USING (choice) WHERE quantity > 0 AND {sold})
            JOIN sized USING (choice) JOIN articles USING (article) WHERE goods AND code IS NOT NULL
        ), named AS (
            SELECT DISTINCT code, upper(word) AS size
            FROM (SELECT code, {named} AS word FROM articles WHERE goods AND product IS NOT NULL) SEMI JOIN recommend_sold USING (code)
            ANTI JOIN told USING (code) WHERE {is_size("word", rules)}
        )
        SELECT code, category, size FROM (FROM told UNION ALL FROM named)
        JOIN (SELECT code, coalesce(max(category), '') AS category FROM articles WHERE goods GROUP BY code) USING (code)"""


@dataclass(frozen=True)
class RightSize:
    """Which products are of the wrong size for whom.

    Attributes:
        wrong: a row per preferred size, the last one for customers without; a column per product.
        row: the row of every customer.
    """

    wrong: Bools
    row: Ints

    def of(self, begin: int, end: int) -> RightSize:
        """Return the same of some customers."""
        return RightSize(self.wrong, self.row[begin:end])

    def fits(self, customer: Ints, product: Ints) -> Bools:
        """Say whether products (-1 for none) are not of the wrong size for customers."""
        if len(self.wrong) == 1:
            return np.ones(np.broadcast_shapes(customer.shape, product.shape), np.bool_)
        return np.asarray(~self.wrong[self.row[customer], np.maximum(product, 0)])


def read_sizes(inputs: Inputs, codes: pa.Array, buyers: int) -> RightSize:
    """Return which products are of the wrong size for the buyers, in the order of their numbers.

    Args:
        inputs: with the relation ``recommend_sizes`` and the traits ``score_taste``.
        codes: the products by number.
        buyers: how many there are.
    """
    known = inputs.arrow("SELECT code, category, size FROM recommend_sizes ORDER BY ALL")
    product = pc.index_in(known["code"], codes)
    known = known.append_column("product", product).filter(product.is_valid())
    if not len(known):
        return RightSize(np.zeros((1, len(codes)), np.bool_), np.zeros(buyers, np.int64))
    preferred = inputs.arrow("""
        SELECT upper(pref_size) AS size FROM customer_features JOIN people USING (customer)
        LEFT JOIN score_taste USING (customer_id) ORDER BY customer""")["size"]
    sizes = preferred.combine_chunks().drop_null().unique()
    wrong = [_wrong(size, known, len(codes)) for size in sizes.to_pylist()]
    row = pc.fill_null(pc.index_in(preferred, sizes), len(sizes)).to_numpy()
    return RightSize(np.array([*wrong, np.zeros(len(codes), np.bool_)]), np.asarray(row, np.int64))


def _wrong(preferred: str, known: pa.Table, products: int) -> Bools:
    """The products that are known in other sizes only than this one."""
    product, size, category = (known[name].to_pylist() for name in ("product", "size", "category"))
    offered = {where for where, one in zip(category, size, strict=True) if one == preferred}
    wrong = np.zeros(products, np.bool_)
    right = [what for what, one in zip(product, size, strict=True) if one == preferred or one in _FITS_ALL]
    alike = zip(product, size, category, strict=True)
    wrong[[what for what, one, where in alike if _form(one) == _form(preferred) and where in offered]] = True
    wrong[right] = False
    return wrong


@lru_cache(maxsize=1024)
def _form(size: str) -> str:
    """What a size is told by: letters (XL), a number (38), cups (杯), a number with a letter (75B), two numbers (165/88A) …"""
    if re.fullmatch(r"\d?X*[SML]", size):
        return "letters"
    form = re.sub(r"^(超大|特大|大|中|小)", "", re.sub(r"\d+", "9", size))
    return form.rstrip("ABCDEFGH") if "/" in form else re.sub(r"(?<=9)[A-H]$", "A", form)
