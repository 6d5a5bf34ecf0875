"""`python -m tests.support.watched_web`: the process `web`, which says how long a request held its event loop.

`GET /watched` has what was longest since the last look, in milliseconds: `loop` is the CPU time of the loop's thread in
one callback; `held` is CPU time of other threads while the loop waited for them, because they ran C code that lets no
thread of Python run meanwhile. A busy machine makes neither longer, as it does the time on a clock.
"""

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from ocrqueue.web import __main__ as web

_BEAT = 0.005  # seconds between two looks whether the loop's thread has its turn
longest = {"loop": 0.0, "held": 0.0}
_run = asyncio.events.Handle._run


def _timed(handle: asyncio.events.Handle) -> None:
    before = time.thread_time()
    try:
        _run(handle)
    finally:
        longest["loop"] = max(longest["loop"], time.thread_time() - before)


async def _beat() -> None:
    while True:
        clock, process, own = time.monotonic(), time.process_time(), time.thread_time()
        await asyncio.sleep(_BEAT)
        late = time.monotonic() - clock - _BEAT
        others = time.process_time() - process - (time.thread_time() - own) - _BEAT
        longest["held"] = max(longest["held"], min(late, others))


async def _watched() -> dict[str, float]:
    found = {name: round(seconds * 1000, 1) for name, seconds in longest.items()}
    gc.collect()  # what the last request left is not counted for the next one
    await asyncio.sleep(_BEAT)
    longest.update(loop=0.0, held=0.0)
    return found


def _create_app(*given: Any, **named: Any) -> FastAPI:
    app = _original(*given, **named)
    before = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with before(app) as state:
            beat = asyncio.create_task(_beat())
            yield state
            beat.cancel()

    app.router.lifespan_context = lifespan
    app.add_api_route("/watched", _watched)
    return app


_original = web.create_app

if __name__ == "__main__":
    asyncio.events.Handle._run = _timed  # type: ignore[method-assign]
    web.create_app = _create_app  # type: ignore[assignment]
    web.main()
