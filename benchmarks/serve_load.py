"""Load at a rate, whatever the answers do: requests come like rain (a Poisson process), each by itself."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from urllib.parse import urlsplit


async def rain(url: str, photos: Sequence[bytes], rate: float, seconds: float) -> tuple[list[float], int]:
    """Send photos to an address at a rate.

    Args:
        url: Where photos are posted to, as they are.
        photos: Sent in any order.
        rate: Requests a second.
        seconds: How long.

    Returns:
        The milliseconds from when each was due to the end of its answer, and how many failed.
    """
    draw, found, failed = random.Random(0), [], 0
    address = urlsplit(url)

    async def send(photo: bytes, due: float) -> None:
        nonlocal failed
        try:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(
                f"POST {address.path} HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: image/jpeg\r\n"
                f"Connection: close\r\nContent-Length: {len(photo)}\r\n\r\n".encode()
            )
            writer.write(photo)
            answer = await reader.read()
            writer.close()
        except OSError:
            answer = b""
        failed += not answer.startswith(b"HTTP/1.1 200 ")
        found.append(1000 * (time.perf_counter() - due))

    due = time.perf_counter()
    end, sent = due + seconds, []
    while due < end:
        due += draw.expovariate(rate)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent.append(asyncio.create_task(send(draw.choice(photos), due)))
    await asyncio.gather(*sent)
    return found, failed
