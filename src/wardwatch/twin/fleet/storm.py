"""Storm: many DHCP clients start at once, and one server with a bounded queue serves them.

Clients follow RFC 2131: a wait of 1 to 10 s before the first DISCOVER (§4.4.1), then 4, 8, 16, 32
and 64 s, each ± 1 s, before it is sent again (§4.1); a REQUEST that nobody acknowledges likewise,
and after four of them the client begins anew (§3.1 step 5).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

import msgspec
import numpy as np
from numpy.typing import NDArray

from wardwatch.model.values import NS

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
"""Message types of RFC 2132 §9.6."""
WAITS_S = (4, 8, 16, 32, 64)
REQUESTS = 4
SERVED_NS = NS // 25
"""[A] What one message costs the server: a directory behind it, 25 a second."""
QUEUE = 50
"""[A] Messages that wait at most; the next is lost."""
WIRE_NS = 400_000
"""[A] From client to server, over the relay."""


class Storm(msgspec.Struct, frozen=True):
    """What was said, in order of time, and when each client had its address."""

    at: NDArray[np.int64]
    client: NDArray[np.int64]
    kind: NDArray[np.int64]
    """Message type."""
    since: NDArray[np.int64]
    """Seconds since the client began (``secs``)."""
    leased: NDArray[np.int64]
    """Instant of the first ACK of each client."""
    lost: int
    """Messages that found the queue full."""


def storm(ready: NDArray[np.int64], draws: np.random.Generator) -> Storm:
    """Clients that are ready at these instants (ns) all get an address of one server."""
    n = len(ready)
    first = ready + (draws.uniform(1, 10, n) * NS).astype(np.int64)
    state = [DISCOVER] * n  # what it waits with; ACK when it has an address
    tries = [0] * n
    leased = np.zeros(n, np.int64)
    said: list[tuple[int, int, int, int]] = []
    # (instant, what happens: message to server, message to client or timer, client, message, try)
    waiting = [(int(t), 2, c, DISCOVER, 0) for c, t in enumerate(first)]
    heapify(waiting)
    queue: list[int] = []
    free = 0
    lost = 0

    def speak(t: int, client: int, kind: int) -> None:
        said.append((t, client, kind, int((t - first[client]) // NS)))
        heappush(waiting, (t + WIRE_NS, 0, client, kind, 0))
        tries[client] += 1
        wait = WAITS_S[min(tries[client] - 1, len(WAITS_S) - 1)] + float(draws.uniform(-1, 1))
        heappush(waiting, (t + int(wait * NS), 2, client, kind, tries[client]))

    while waiting:
        t, place, client, kind, attempt = heappop(waiting)
        if place == 0:  # it comes to the server
            while queue and queue[0] <= t:
                heappop(queue)
            if len(queue) >= QUEUE:
                lost += 1
                continue
            free = max(free, t) + SERVED_NS
            heappush(queue, free)
            heappush(waiting, (free + WIRE_NS, 1, client, kind, 0))
        elif place == 1:  # the answer comes to the client
            answer = OFFER if kind == DISCOVER else ACK
            said.append((t, client, answer, int((t - first[client]) // NS)))
            if answer == OFFER and state[client] == DISCOVER:
                state[client], tries[client] = REQUEST, 0
                speak(t + WIRE_NS, client, REQUEST)
            elif answer == ACK and state[client] == REQUEST:
                state[client] = ACK
                leased[client] = t
        elif state[client] == kind and tries[client] == attempt:  # nobody answered in time
            if kind == REQUEST and attempt >= REQUESTS:
                state[client], tries[client], kind = DISCOVER, 0, DISCOVER
            speak(t, client, kind)
    said.sort()
    table = np.array(said, np.int64).reshape(-1, 4)
    at, who, what, since = np.ascontiguousarray(table.T)
    return Storm(at, who, what, since, leased, lost)
