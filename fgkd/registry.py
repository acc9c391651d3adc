"""A name -> thing table that refuses duplicates and answers misspellings with near names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from fgkd.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Names and what they stand for.

    Example:
        >>> colours: Registry[str] = Registry("colour")
        >>> _ = colours.add("red", "#f00")
        >>> colours.get("red"), colours.names()
        ('#f00', ['red'])
        >>> colours.get("rod")
        Traceback (most recent call last):
        fgkd.errors.UnknownNameError: unknown colour 'rod'; did you mean red?
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._things: dict[str, T] = {}

    def add(self, name: str, thing: T) -> T:
        """Enter `thing` under `name`; a name taken already raises ValueError."""
        if name in self._things:
            raise ValueError(f"{self.what} {name!r} is registered already, as {self._things[name]!r}")
        self._things[name] = thing
        return thing

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator form of `add`."""
        return lambda thing: self.add(name, thing)

    def get(self, name: str) -> T:
        """What `name` stands for; UnknownNameError (a KeyError) with near names otherwise."""
        if name not in self._things:
            raise unknown_name(self.what, name, self._things)
        return self._things[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._things)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._things

    def __len__(self) -> int:
        return len(self._things)
