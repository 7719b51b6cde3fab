"""Children that stand by: whoever has work rings for one, and a message is sent only where nobody hears the bell.

A message costs its sender, the broker and a worker's parent more than many a document. So a child that has nothing left
to do stays for a while: it signs in the broker's Redis, for each queue that it serves, and waits at a bell of its own.
Whoever has committed a render takes one off the list and rings. Where nobody stands by, a message is sent, unless so
many wait in the queue that each child will come by one anyway: a child that has come works until nothing waits.

Nothing is promised by it. A child signs first and looks for work afterwards, so what was committed before it signed is
seen, and what is committed later finds it signed; a bell that nobody hears any more is a lost message, and the
reconciler finds what waits for it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis

# A child that stands by signs so often, and one that did not for a little longer is taken for dead.
SIGN_SECONDS = 1.0
SIGNED_SECONDS = 3.0
# Messages that wait in one queue: more wake nobody, as each child takes one and then whatever waits.
ENOUGH_MESSAGES = 64
# A bell that was rung for a child that has left is forgotten.
BELL_SECONDS = 60

_LIST = "pressroom:standby:{}"
_BELL = "pressroom:bell:{}"

# KEYS: the queue's list, the queue. ARGV: how many messages are enough, seconds to keep a bell, the bells' prefix, what
# it is rung for.
_RING = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
while true do
  local last = redis.call('ZPOPMAX', KEYS[1])
  if #last == 0 then break end
  if tonumber(last[2]) >= now then
    local bell = ARGV[3] .. last[1]
    redis.call('RPUSH', bell, ARGV[4])
    redis.call('EXPIRE', bell, ARGV[2])
    return 1
  end
end
if redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[1]) then return 2 end
return 0
"""

# KEYS: the queues' lists. ARGV: the child, milliseconds that it counts as signed.
_SIGN = """
local clock = redis.call('TIME')
local till = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[2]
for _, list in ipairs(KEYS) do redis.call('ZADD', list, till, ARGV[1]) end
"""


class Answer(enum.IntEnum):
    """What became of a ring."""

    NOBODY = 0
    CHILD = 1
    ENOUGH = 2


class Rung(enum.StrEnum):
    """What a child is rung for."""

    RENDER = "render"
    # The child is to go where its parent takes messages: it stops, or there is work of another kind.
    MESSAGE = "message"


class Bell:
    """Rings for a child that stands by."""

    def __init__(self, client: redis.Redis) -> None:
        """Take the broker's Redis. Nothing is sent yet."""
        self._ring = client.register_script(_RING)

    def ring(self, queue: str, rung: Rung = Rung.RENDER) -> Answer:
        """Ring for one child that serves a queue; to be called after what it is to find was committed, or sent.

        Args:
            queue: The queue.
            rung: What for.

        Returns:
            Who comes: `Answer.NOBODY` asks for a message; `Answer.ENOUGH`: so many wait that one more wakes nobody.

        Raises:
            RedisError: The broker is away.
        """
        prefix = _BELL.format("")
        arguments: list[str | int] = [ENOUGH_MESSAGES, BELL_SECONDS, prefix, rung.value]
        answer: Any = self._ring(keys=[_LIST.format(queue), queue], args=arguments)
        return Answer(answer)


class Standby:
    """One child's place at the bell."""

    def __init__(self, client: redis.Redis, *, queues: Sequence[str], name: str) -> None:
        """Take a place.

        Args:
            client: The broker's Redis, connected by the child itself.
            queues: The queues that it serves.
            name: What the child is called, see `name_of`.
        """
        self._client = client
        self._queues = tuple(queues)
        self._lists = [_LIST.format(queue) for queue in queues]
        self._name = name
        self._sign = client.register_script(_SIGN)

    def sign(self) -> None:
        """Say that this child waits; it counts for `SIGNED_SECONDS`."""
        self._sign(keys=self._lists, args=[self._name, round(SIGNED_SECONDS * 1000)])

    def wait(self) -> Rung | None:
        """Wait for the bell, `SIGN_SECONDS` at most, and return what it was rung for; None: it was not."""
        heard: Any = self._client.blpop([_BELL.format(self._name)], timeout=SIGN_SECONDS)
        return None if heard is None else Rung(heard[1].decode())

    def leave(self) -> None:
        """Say that this child does not wait any more. Whoever rang before that found it: look for work once more."""
        forget(self._client, queues=self._queues, name=self._name)


def name_of(worker_id: str, child_pid: int) -> str:
    """Return what a worker's child is called."""
    return f"{worker_id}:{child_pid}"


def forget(client: redis.Redis, *, queues: Sequence[str], name: str) -> None:
    """Take a child off the queues' lists: it has left, or has died."""
    pipeline = client.pipeline(transaction=False)
    for queue in queues:
        pipeline.zrem(_LIST.format(queue), name)
    pipeline.delete(_BELL.format(name))
    pipeline.execute()


def dismiss(client: redis.Redis, *, name: str) -> None:
    """Ring for one child by its name, so that it looks up from its waiting."""
    bell = _BELL.format(name)
    pipeline = client.pipeline(transaction=False)
    pipeline.rpush(bell, Rung.MESSAGE.value)
    pipeline.expire(bell, BELL_SECONDS)
    pipeline.execute()
