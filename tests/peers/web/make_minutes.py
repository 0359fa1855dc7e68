"""Writes made-up one-minute EURUSD bars, UTC: make_minutes.py FILE YEARS. Says in JSON what it made.

Prices walk at random from 2010 on, by about 8% a year, in whole tenths of a pip, through whole FX weeks: Sunday 17:00 to
Friday 17:00 New York.
"""
import datetime
import json
import random
import sys
import zoneinfo

NEW_YORK = zoneinfo.ZoneInfo("America/New_York")
POINTS_A_MINUTE = 14
MINUTES_A_WEEK = 5 * 24 * 60


def main():
    rng = random.Random(11)
    sunday = datetime.datetime(2010, 1, 3, 17, tzinfo=NEW_YORK)
    end = datetime.datetime(2010 + int(sys.argv[2]), 1, 1, tzinfo=NEW_YORK)
    clock = [f"{i // 60:02}:{i % 60:02}:00" for i in range(24 * 60)]
    price = 130000
    bars = top = 0
    bottom = price
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("time,open,high,low,close,volume\n")
        while sunday < end:
            opening = sunday.astimezone(datetime.timezone.utc)
            dates = [(opening + datetime.timedelta(days=i)).strftime("%Y-%m-%d ") for i in range(6)]
            lines = []
            for minute in range(opening.hour * 60, opening.hour * 60 + MINUTES_A_WEEK):
                first = price
                price = max(60000, price + round(rng.gauss(0, POINTS_A_MINUTE)))
                reach = int(rng.random() * 8)
                top = max(top, first + reach, price + reach)
                bottom = min(bottom, first - reach, price - reach)
                lines.append(f"{dates[minute // 1440]}{clock[minute % 1440]},{first / 1e5:.5f},{(max(first, price) + reach) / 1e5:.5f},"
                             f"{(min(first, price) - reach) / 1e5:.5f},{price / 1e5:.5f},{100 + reach}\n")
            out.writelines(lines)
            bars += len(lines)
            sunday += datetime.timedelta(days=7)

    last = sunday - datetime.timedelta(days=2, minutes=1)
    print(json.dumps({"bars": bars, "high": top / 1e5, "low": bottom / 1e5, "first": "2010-01-04", "last": f"{last:%Y-%m-%d}"}))


main()
