"""A plugin that cannot be imported."""

raise RuntimeError("the vendor's library is too old")
