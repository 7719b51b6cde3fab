"""A client's way to the farm: whichever gateway answers."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 3.0


class UnansweredError(Exception):
    """Raised when no whole answer came: nobody knows whether the request was heard."""


class Door:
    """Asks the gateways in turn. For one thread.

    Args:
        gateways: Their addresses.
        first: Which of them is asked first.
    """

    def __init__(self, gateways: Sequence[str], first: int = 0) -> None:
        self._turns = itertools.cycle([*gateways[first:], *gateways[:first]])
        self._session = requests.Session()
        # No proxy of the machine's has a way into the farm's network.
        self._session.trust_env = False

    def ask(self, method: str, path: str, *, seconds: float = ANSWER_SECONDS, **options: Any) -> requests.Response:
        """Ask the next gateway.

        Args:
            method: The method.
            path: The address without the gateway.
            seconds: How long to wait for the answer.
            options: As of requests.

        Raises:
            UnansweredError: No whole answer came.
        """
        try:
            return self._session.request(
                method, next(self._turns) + path, timeout=(CONNECT_SECONDS, seconds), **options
            )
        except requests.RequestException as error:
            raise UnansweredError(f"{type(error).__name__}") from error
