"""Our program and bars for it, for the checks of tests/peers: their run.sh puts this folder into PYTHONPATH."""

import datetime as dt
import json
import math
import os
import random
import subprocess
import zoneinfo
from pathlib import Path

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
BARS_A_WEEK = 120


def write_bars(path: Path, weeks: int, seed: int = 7) -> None:
    """Hourly bars of a random walk around 1.1 in UTC, in whole weeks from 17:00 New York on Sunday, 2015-01-04."""
    rng, price, lines = random.Random(seed), 1.1, ["time,open,high,low,close,volume"]
    for week in range(weeks):
        sunday = dt.datetime.combine(dt.date(2015, 1, 4) + dt.timedelta(weeks=week), dt.time(17), NEW_YORK)
        start = sunday.astimezone(dt.timezone.utc)
        for hour in range(BARS_A_WEEK):
            opened, price = price, price * math.exp(0.001 * rng.gauss(0, 1))
            wick = 0.0005 * rng.random()
            lines.append(f"{start + dt.timedelta(hours=hour):%Y-%m-%d %H:%M:%S},{opened:.5f},"
                         f"{max(opened, price) + wick:.5f},{min(opened, price) - wick:.5f},{price:.5f},100")
    path.write_text("\n".join(lines) + "\n")


class Tradewind:
    """Our program on one store; runs go to the MLflow server `url` and studies to the database `storage`, if named."""

    def __init__(self, binary: str, store: Path, url: str = "", storage: str = ""):
        self.binary, self.store = binary, store
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "TRADEWIND_"))}
        if url:
            self.environment["MLFLOW_TRACKING_URI"] = url
        if storage:
            self.environment["TRADEWIND_STORAGE"] = storage

    def command(self, *arguments: str) -> list[str]:
        return [self.binary, *arguments, "--store", str(self.store), "--json", "--quiet"]

    def start(self, *arguments: str, session: bool = False) -> subprocess.Popen:
        """`session`: in a process group of its own, as a terminal's foreground has."""
        return subprocess.Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                errors="replace", env=self.environment, start_new_session=session)

    def end(self, process: subprocess.Popen, code: int = 0, timeout: int = 600):
        """Waits for a process of start(): its answer, which is None when it gave none."""
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == code, f"{process.args}: exit {process.returncode}\n{out}{err}"
        return json.loads(out) if out.strip() else None

    def run(self, *arguments: str, code: int = 0):
        return self.end(self.start(*arguments), code)

    def import_bars(self, file: Path):
        return self.run("data", "import", str(file), "--instrument", "EURUSD", "--freq", "60min", "--tz", "UTC",
                        "--side", "bid")
