#!/usr/bin/env python3
"""Times of `tradewind serve` as its page meets them: bench/serve/server.py PROGRAM HOME MODEL FROM TO [N]

Starts a server over HOME, then N times (30) changes the spread and simulates the period again over HTTP, asking to wait
for the end, then asks for result and series as the page does. Prints medians and 95th percentiles of each, in
milliseconds, and the server's memory.
"""
import json
import pathlib
import statistics
import subprocess
import sys
import time
import urllib.request


def main():
    program, home, model, begin, end = sys.argv[1:6]
    count = int(sys.argv[6]) if len(sys.argv) > 6 else 30
    server = subprocess.Popen([program, "serve", "--port", "0", "--json", "--quiet", "--store", home],
                              stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(server.stdout.readline())
        base, token = said["base"] + "api/v1", said["url"].split("#token=")[1]

        def ask(target, body=None):
            request = urllib.request.Request(base + target)
            request.add_header("Authorization", "Bearer " + token)
            if body is not None:
                request.data = json.dumps(body).encode()
                request.add_header("Content-Type", "application/json")
            start = time.perf_counter()
            with urllib.request.urlopen(request, timeout=300) as answer:
                text = answer.read()
            return json.loads(text), 1000 * (time.perf_counter() - start), len(text)

        times = {"simulate": [], "at the server": [], "result": [], "series (2,000 points)": []}
        bars = size = 0
        for i in range(count + 1):
            body = {"model": model, "from": begin, "to": end, "costs": {"spread_multiplier": 1 + 0.01 * i}}
            simulation, simulate, _ = ask("/simulations?wait_ms=2000", body)
            while simulation["state"] in ("queued", "running"):
                time.sleep(0.2)
                simulation, _, _ = ask("/simulations/" + simulation["id"])
            assert simulation["state"] == "done", simulation
            result, result_ms, _ = ask(f"/simulations/{simulation['id']}/result")
            _, series_ms, size = ask(f"/simulations/{simulation['id']}/series?max_points=2000")
            bars = result["bars"]
            if i:  # the first one reads the bars
                times["simulate"].append(simulate)
                times["at the server"].append(simulation["elapsed_ms"])
                times["result"].append(result_ms)
                times["series (2,000 points)"].append(series_ms)
        print(f"{model}, {begin} to {end}: {bars} bars, {count} times, series of {size / 1000:.0f} kB")
        for name, values in times.items():
            values.sort()
            print(f"  {name:<22} {statistics.median(values):8.1f} ms median "
                  f"{values[int(0.95 * (len(values) - 1))]:8.1f} ms p95 {values[0]:8.1f} ms best")
        for line in pathlib.Path(f"/proc/{server.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                print("  memory at most        ", line.split(":")[1].strip())
    finally:
        server.terminate()
        server.wait(timeout=20)


main()
