"""Two hundred clients at once: check_clients.py SERVE_JSON PID.

Half watch a simulation by server-sent events (one that waits in the queue, so that the streams stay open), half ask for
series. Memory must stay bounded and everybody must be answered.
"""
import asyncio
import json
import pathlib
import statistics
import sys
import time

from client import Api

STREAMS = 100
READERS = 100
READS_EACH = 5
GROWTH_KB_MAX = 150_000


def resident_kb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise RuntimeError("no VmRSS")


def threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


async def request(api, target):
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(f"GET /api/v1{target} HTTP/1.1\r\nHost: localhost:{api.port}\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def watch(api, simulation, opened):
    """Holds a stream open until the server ends it; gives the last event's data."""
    reader, writer = await request(api, f"/simulations/{simulation}/events")
    text = b""
    while chunk := await asyncio.wait_for(reader.read(65536), 60):
        text += chunk
        opened.add(writer)
    writer.close()
    assert text.startswith(b"HTTP/1.1 200"), text[:200]
    lines = [line for line in text.split(b"\n") if line.startswith(b"data: ")]
    return json.loads(lines[-1][6:])


async def read(api, simulation, times):
    for _ in range(READS_EACH):
        begin = time.monotonic()
        reader, writer = await request(api, f"/simulations/{simulation}/series?max_points=2000")
        text = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        assert text.startswith(b"HTTP/1.1 200") and text.rstrip().endswith(b"}"), text[:200]
        times.append(time.monotonic() - begin)


async def main():
    api = Api(sys.argv[1])
    pid = int(sys.argv[2])
    model = api.get("/models")["models"][0]["versions"][0]["reference"]
    seen = api.simulate(model=model)
    before = resident_kb(pid)
    # A queue long enough that its last one waits while the streams are opened.
    for _ in range(25):
        status, last = api.ask("POST", "/simulations", {"model": model, "what_if": {"missing": 0.1}})
        if status == 503:
            break
    opened, times = set(), []
    watchers = [asyncio.create_task(watch(api, last["id"], opened)) for _ in range(STREAMS)]
    await asyncio.sleep(0.2)
    at_most = threads(pid)
    await asyncio.gather(*(read(api, seen, times) for _ in range(READERS)))
    peak = resident_kb(pid)
    ends = await asyncio.gather(*watchers)
    assert all(end["state"] == "done" for end in ends), ends[0]
    after = resident_kb(pid)
    print(f"clients: {STREAMS} streams and {READERS} readers at once, {at_most} threads; series in "
          f"{1000 * statistics.median(times):.0f} ms (median), {1000 * max(times):.0f} ms (worst); memory "
          f"{before} kB before, {peak} kB with them, {after} kB after")
    assert at_most < 40, at_most
    assert peak - before < GROWTH_KB_MAX, (before, peak)


asyncio.run(main())
