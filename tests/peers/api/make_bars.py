"""Writes made-up hourly EURUSD bars of the FX week, UTC, about a year of them: make_bars.py FILE."""
import datetime
import random
import sys
import zoneinfo

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")


def is_open(time):
    """Sunday 17:00 to Friday 17:00 New York."""
    local = time.astimezone(NEW_YORK)
    day = local.weekday()
    return not (day == 5 or (day == 4 and local.hour >= 17) or (day == 6 and local.hour < 17))


def main():
    rng = random.Random(7)
    time = datetime.datetime(2017, 1, 2, tzinfo=datetime.timezone.utc)
    price = 1.1
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("time,open,high,low,close,volume\n")
        while time.year < 2018:
            if is_open(time):
                first = price
                price *= 1 + rng.gauss(0, 0.001)
                high = max(first, price) + 0.0005 * rng.random()
                low = min(first, price) - 0.0005 * rng.random()
                out.write(f"{time:%Y-%m-%d %H:%M:%S},{first:.5f},{high:.5f},{low:.5f},{price:.5f},100\n")
            time += datetime.timedelta(hours=1)


main()
