"""Titles that a person sees, in both languages of the product."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Title"]


@dataclass(frozen=True, slots=True)
class Title:
    """A name for people: Simplified Chinese and English."""

    zh: str
    en: str

    def __str__(self) -> str:
        return f"{self.zh} {self.en}" if self.zh != self.en else self.zh
