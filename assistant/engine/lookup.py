"""Guesses at the next tokens, looked up in what was read and written before: answers copy from their sources.

The method is prompt lookup decoding (Saxena 2023): no second model, a guess costs a look into a table. Guesses are
checked by the model in the step that computes them, so they change when a token comes, never which.
"""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST, _SHORTEST = 3, 2  # tokens that must be the same for what followed them to be a guess


class Lookup:
    """The tokens of one request, and after which of their short runs each position came."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in tokens:
            self.add(token)

    def add(self, token: int) -> None:
        """Appends a token. Where a run stood more than once, the latest place counts."""
        for length in range(_SHORTEST, _LONGEST + 1):
            if len(self._tokens) >= length:
                self._after[tuple(self._tokens[-length:])] = len(self._tokens)
        self._tokens.append(token)

    def guess(self, most: int) -> tuple[int, ...]:
        """What followed the longest known run that the tokens end with: at most `most` tokens, none if it is new."""
        for length in range(_LONGEST, _SHORTEST - 1, -1):
            at = self._after.get(tuple(self._tokens[-length:]))
            if at is not None:
                return tuple(self._tokens[at : at + most])
        return ()
