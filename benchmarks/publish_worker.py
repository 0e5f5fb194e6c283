"""One measurement of publishing in one process. Runs with the predecessor, too.

    python publish_worker.py SCENARIO CONTROL_URL COUNT

SCENARIO is background, blocking, threads, tasks (ours only) or down (ours only). Prints JSON: items a second, CPU time
an item in microseconds, and for "down" how many kilobytes the process grew by.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import threading
import time

KEY = "benchmark-only-key-0123456789-0123456789"
THREADS = 16
TASKS = 100


def configure(url: str) -> None:
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark-only-0123456789-0123456789-0123456789-0123",
        GRIP_PROXIES=[{"control_uri": url, "control_iss": "benchmark", "key": KEY}],
    )
    django.setup()


def make_message(number: int) -> tuple:
    from gripcontrol import HttpStreamFormat

    return f"room-{number % 50}", HttpStreamFormat(f"hello world {number}\n")


def background(count: int) -> None:
    from django_grip import get_pubcontrol, publish

    for number in range(count):
        publish(*make_message(number))
    get_pubcontrol().wait_all_sent()


def blocking(count: int) -> None:
    from django_grip import publish

    for number in range(count):
        publish(*make_message(number), blocking=True)


def threads(count: int) -> None:
    workers = [threading.Thread(target=blocking, args=(count // THREADS,)) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def tasks(count: int) -> None:
    from django_grip import apublish

    async def one() -> None:
        for number in range(count // TASKS):
            await apublish(*make_message(number))

    async def all_at_once() -> None:
        await asyncio.gather(*[one() for _ in range(TASKS)])

    asyncio.run(all_at_once())


def down(count: int) -> int:
    """Publish to a proxy that is not there. How many kilobytes the process grows by once its queue is full."""
    import logging

    from django_grip import publish
    from django_grip.publisher import get_publisher

    logging.getLogger("django_grip.publish").setLevel(logging.CRITICAL)
    for number in range(get_publisher().policy.queue_items * 2):
        publish(*make_message(number))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(count):
        publish(*make_message(number))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    get_publisher().close()
    return grown


SCENARIOS = {"background": background, "blocking": blocking, "threads": threads, "tasks": tasks, "down": down}


def main() -> None:
    name, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    configure(url)
    run = SCENARIOS[name]
    if name != "down":
        run(THREADS * 2 if name == "threads" else TASKS)  # imports, connections, threads
    start, cpu = time.perf_counter(), time.process_time()
    grown = run(count)
    seconds, used = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"rate": count / seconds, "cpu": used / count * 1e6, "grown": grown or 0}))


if __name__ == "__main__":
    main()
