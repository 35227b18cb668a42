"""publish_event for Python programs: the standard library and god33 are all it needs."""

import asyncio
import json
from uuid import UUID


async def publish_event(
    event_type: str, payload: dict, correlation_ids: list[UUID] | None = None
) -> UUID:
    """Publishes an event on Bloodbank and returns its id, once the broker has it.

    correlation_ids are the events that led to it. RuntimeError says what went wrong.
    """
    causes = [word for cause in correlation_ids or [] for word in ("--correlation-id", str(cause))]
    god33 = await asyncio.create_subprocess_exec(
        "god33", "event", "publish", event_type, "--json", "-",
        "--source-type", "agent", "--source-app", "bmad", *causes,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )
    out, err = await god33.communicate(json.dumps(payload).encode())
    if god33.returncode != 0:
        raise RuntimeError(err.decode().strip())
    return UUID(out.decode().strip())
