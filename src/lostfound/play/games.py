"""A player's game: its rounds, and what was answered in them."""

from __future__ import annotations

from dataclasses import dataclass

from lostfound.play.answers import Answer


@dataclass(frozen=True)
class Game:
    """One game of a player.

    Attributes:
        id: A random name that nobody guesses: who knows it goes on with the game.
        player: The player's pseudonym.
        number: Which of the player's games it is, from 0.
    """

    id: str
    player: str
    number: int


@dataclass(frozen=True)
class Round:
    """One round of a game.

    Attributes:
        number: From 1.
        practice: Whether it doesn't count.
        image_id: The place's first image, under whose id it is answered.
    """

    number: int
    practice: bool
    image_id: str


@dataclass(frozen=True)
class PlayerGuess:
    """What was answered in a round.

    Attributes:
        game: The game's id.
        round: The round's number, from 1.
        player: The player's pseudonym.
        image_id: Of which picture.
        practice: Whether it doesn't count.
        answer: The answer.
        seconds: From when the round was first shown to the answer, by the server's clock.
        answered_at: When, seconds since 1970.
    """

    game: str
    round: int
    player: str
    image_id: str
    practice: bool
    answer: Answer
    seconds: float
    answered_at: float
