"""Guesses from what was read and written before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.lookup import Lookup


def test_what_followed_the_same_tokens_before_is_guessed() -> None:
    assert Lookup([1, 2, 3, 4, 5, 9, 1, 2]).guess(3) == (3, 4, 5)


def test_a_longer_run_goes_before_a_later_one() -> None:
    assert Lookup([1, 2, 3, 7, 8, 2, 3, 5, 1, 2, 3]).guess(1) == (7,)


def test_nothing_is_guessed_where_all_is_new() -> None:
    assert Lookup([1, 2, 3, 4]).guess(3) == ()
    assert Lookup([1]).guess(3) == ()
    assert Lookup([]).guess(3) == ()


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 6))
def test_a_guess_stands_in_the_tokens_behind_the_run_they_end_with(tokens: list[int], most: int) -> None:
    guess = Lookup(tokens).guess(most)
    assert len(guess) <= most
    if guess:
        run = [*tokens[-2:], *guess]
        assert any(tokens[at : at + len(run)] == run for at in range(len(tokens)))
