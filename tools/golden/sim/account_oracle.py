#!/usr/bin/env python3
"""The account of src/sim a second time, written from the rules and not from the C++: whole numbers and fractions, time zones by
zoneinfo, bank holidays by QuantLib. No stops and no stop-out; everything else of a bar is here.

    python3 -m venv venv && venv/bin/pip install QuantLib==1.44 PyYAML==6.0.4 tzdata
    venv/bin/python tools/golden/sim/account_oracle.py > tests/golden/sim/account.txt

Markets are drawn by the generator of metrics.md section 9.1 in integers, so that the C++ test makes the same ones.
Output, a block a market: a line `market NAME`, a line `fills N lapses N financing MICROS`, then `row equity units` of every
25th bar and the last. Everything must agree to the last millionth: both sides compute in integers, and the doubles (size of an
order, financing of one unit) use the same few IEEE operations in the same order.
"""
import datetime as dt
import math
import pathlib
from fractions import Fraction
from zoneinfo import ZoneInfo

import QuantLib as ql
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[3]
NEW_YORK, LONDON, UTC = ZoneInfo("America/New_York"), ZoneInfo("Europe/London"), dt.timezone.utc
HOUR = dt.timedelta(hours=1)
CENTRES = {
    "USD": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "EUR": ql.TARGET(),
    "JPY": ql.Japan(),
    "GBP": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "CAD": ql.Canada(ql.Canada.Settlement),
}
COSTS = yaml.safe_load((ROOT / "config/costs/default.yaml").read_text())
# symbol: pip and tick in millionths, start price in ticks, spot lag
PAIRS = {
    "EURUSD": (100, 10, 118000, 2),
    "USDJPY": (10000, 1000, 104000, 2),
    "EURJPY": (10000, 1000, 141000, 2),
    "GBPUSD": (100, 10, 165000, 2),
    "EURGBP": (100, 10, 82500, 2),
    "USDCAD": (100, 10, 110000, 1),
}


class Draw:
    def __init__(self, seed):
        self.x = seed

    def below(self, n):
        self.x = (1103515245 * self.x + 12345) % 2**31
        return (self.x >> 8) % n


def market_hours(first, weeks):
    """Opens of the FX week's hours from the Monday date `first` on (its week opens the evening before)."""
    for week in range(weeks):
        sunday = first + dt.timedelta(days=7 * week - 1)
        start = dt.datetime(sunday.year, sunday.month, sunday.day, 17, tzinfo=NEW_YORK).astimezone(UTC)
        for hour in range(120):
            yield start + hour * HOUR


def make_bars(symbol, seed, first, weeks, holes):
    """(open time, open, high, low, close) in millionths; one bar in 12 is left out, when `holes`, for one to four hours."""
    _, tick, price, _ = PAIRS[symbol]
    draw, bars, skip = Draw(seed), [], 0
    for time in market_hours(first, weeks):
        move, up, down = draw.below(401) - 200, draw.below(60), draw.below(60)
        hole, length = draw.below(12), draw.below(4)
        close = price + move
        if skip > 0:
            skip -= 1
        elif holes and bars and hole == 0:
            skip = length
        else:
            bars.append((time, price * tick, (max(price, close) + up) * tick, (min(price, close) - down) * tick, close * tick))
        price = close
    return bars


def spread(symbol, time):
    """Of metrics.md 10.3, in millionths."""
    pip, tick, _, _ = PAIRS[symbol]
    season, local = COSTS["season"], time.astimezone(NEW_YORK)
    minute = local.hour * 60 + local.minute
    if 16 * 60 + 55 <= minute < 17 * 60 + 15:
        factor = season["rollover"]
    elif local.weekday() == 6 and local.hour == 17:
        factor = season["week_open"]
    elif time.astimezone(LONDON).hour >= 8 and minute < 17 * 60:
        factor = season["day"]
    elif time.hour >= 21:
        factor = season["late"]
    else:
        home = any(code in symbol for code in season["asia_currencies"])
        factor = season["asia_home"] if home else season["asia"]
    base = COSTS["spread_pips"].get(symbol, COSTS["default_spread_pips"])
    pips = max(Fraction(str(COSTS["min_spread_pips"])), Fraction(str(base)) * Fraction(str(factor)))
    return max(1, math.ceil(pips * pip / tick)) * tick


def business(code, day):
    return day.weekday() < 5 and CENTRES[code].isBusinessDay(ql.Date(day.day, day.month, day.year))


def next_weekday(day):
    day += dt.timedelta(1)
    while day.weekday() >= 5:
        day += dt.timedelta(1)
    return day


def spot(symbol, day):
    left = PAIRS[symbol][3]
    while left:
        day = next_weekday(day)
        codes = [c for c in (symbol[:3], symbol[3:]) if left == 1 or c != "USD"]
        if all(business(c, day) for c in codes) and (left > 1 or business("USD", day)):
            left -= 1
    return day


def daily_interest(code, day):
    table = yaml.safe_load((ROOT / f"config/rates/{code}.yaml").read_text())
    value = None
    for step in table["steps"]:
        date, percent = step.split()
        if dt.date.fromisoformat(date) <= day:
            value = float(percent)
    return value / 100.0 / table["day_count"]


def nights(after, until):
    day, result = after.astimezone(NEW_YORK).date(), []
    while True:
        time = dt.datetime(day.year, day.month, day.day, 17, tzinfo=NEW_YORK).astimezone(UTC)
        if time > until:
            return result
        if time > after and day.weekday() < 5:
            result.append(day)
        day += dt.timedelta(1)


def monday_of(time):
    """The Monday of the FX week of an instant, and its trading date."""
    shifted = time.astimezone(NEW_YORK).replace(tzinfo=None) + dt.timedelta(hours=7)
    return shifted.date() - dt.timedelta(shifted.weekday()), shifted.date()


class Rates:
    """Conversion of the quote currency into dollars by one pair: (bid, ask, mid) in 2^-48."""

    def __init__(self, pair, bars):
        self.pair = pair
        self.opens = {bar[0]: bar[1] for bar in bars}
        self.closes = [(bar[0] + HOUR, bar[4]) for bar in bars]

    def quote(self, time, bid):
        one, ask = 1 << 48, bid + spread(self.pair, time)
        if self.pair.startswith("USD"):
            return 10**6 * one // ask, -(-(10**6) * one // bid), 2 * 10**6 * one // (bid + ask)
        return bid * one // 10**6, -(-ask * one // 10**6), (bid + ask) * one // (2 * 10**6)

    def at(self, time, opening):
        if opening and time in self.opens:
            return self.quote(time, self.opens[time])
        return self.quote(*[c for c in self.closes if c[0] <= time][-1])


class Account:
    def __init__(self, symbol, leverage, band, commission):
        self.symbol, self.leverage, self.band, self.commission = symbol, leverage, band, commission
        self.cash = self.equity = 10_000 * 10**6
        self.units = self.basis = 0
        self.unit_value = None
        self.fills = self.lapses = self.financing = 0

    def flow(self, amount, rates):
        return amount * (rates[0] if amount >= 0 else rates[1]) >> 48

    def open_profit(self, price, rates):
        return (self.units * price - self.basis) * rates[2] >> 48

    def book_night(self, day, mid, rates):
        if self.units == 0:
            return
        days = (spot(self.symbol, next_weekday(day)) - spot(self.symbol, day)).days
        carry = daily_interest(self.symbol[:3], day) - daily_interest(self.symbol[3:], day)
        markup = 0.01 / 365.0
        unit = (mid / 1e6) * ((carry if self.units > 0 else -carry) - markup) * days
        amount = self.flow(abs(self.units) * math.floor(unit * (1e6 * 2.0**40)) >> 40, rates)
        self.cash += amount
        self.financing += amount

    def trade_to(self, target, bid, ask, slippage, rates):
        price = ask + slippage if target > self.units else bid - slippage
        reverses = self.units != 0 and target != 0 and (target > 0) != (self.units > 0)
        for delta in [-self.units, target] if reverses else [target - self.units]:
            self.fills += 1
            if self.units == 0 or (self.units > 0) == (delta > 0):
                self.basis += delta * price
            else:
                part = int(Fraction(self.basis * abs(delta), abs(self.units)))
                self.cash += self.flow(-delta * price - part, rates)
                self.basis -= part
            self.units += delta
            notional = abs(delta) * price * rates[2] >> 48
            self.cash -= math.ceil(Fraction(notional * self.commission, 10**11))

    def target(self, exposure, equity, unit_value):
        cap = float(equity) * self.leverage
        want, have = exposure * cap, float(self.units) * unit_value
        if have * want > 0 and abs(want - have) <= self.band * cap:
            return self.units
        return int(want / (unit_value * 1000.0)) * 1000


def simulate(symbol, bars, rates, account, exposures):
    pip = PAIRS[symbol][0]
    slippage = math.ceil(Fraction(str(COSTS["slippage_pips"])) * pip)
    value = lambda bid, ask, r: 0.5 * float(bid + ask) * (r[2] * 2.0**-48)
    rows, before = [], None
    for i, (time, bid_open, _, _, bid) in enumerate(bars):
        close = time + HOUR
        ask_open, ask = bid_open + spread(symbol, time), bid + spread(symbol, close)
        one = (1 << 48,) * 3
        opening, closing = (rates.at(time, True), rates.at(close, False)) if rates else (one, one)
        if before:
            last_close, last_mid, last_rates = before
            for day in nights(last_close, time):
                account.book_night(day, last_mid, last_rates)
            equity, unit_value = account.equity, account.unit_value
            week, _ = monday_of(last_close - dt.timedelta(seconds=1))
            this_week, date = monday_of(time)
            if week == this_week:
                lapses = time - last_close > HOUR
            else:
                friday = week + dt.timedelta(4)
                shut = dt.datetime(friday.year, friday.month, friday.day, 17, tzinfo=NEW_YORK).astimezone(UTC)
                lapses = shut - last_close > HOUR or date != week + dt.timedelta(7)
                equity = account.cash + account.open_profit(bid_open if account.units > 0 else ask_open, opening)
                unit_value = value(bid_open, ask_open, opening)
            target = account.target(exposures[i - 1], equity, unit_value)
            if target != account.units and lapses:
                account.lapses += 1
            elif target != account.units:
                account.trade_to(target, bid_open, ask_open, slippage, opening)
            for day in nights(time, close):
                account.book_night(day, (bid + ask) // 2, closing)
        account.equity = account.cash + account.open_profit(bid if account.units > 0 else ask, closing)
        account.unit_value = value(bid, ask, closing)
        before = (close, (bid + ask) // 2, closing)
        rows.append((i, account.equity, account.units))
    return rows


MARKETS = [
    # name, symbol, conversion pair, first Monday, weeks, holes, leverage, band, commission per 100k in millionths
    ("dollars_over_spring", "EURUSD", None, dt.date(2014, 3, 3), 6, False, 2.0, 0.1, 3_500_000),
    ("dollars_over_christmas", "GBPUSD", None, dt.date(2014, 12, 15), 4, True, 5.0, 0.0, 0),
    ("yen_over_autumn", "EURJPY", "USDJPY", dt.date(2013, 10, 21), 5, True, 3.0, 0.05, 7_000_000),
    ("pounds", "EURGBP", "GBPUSD", dt.date(2012, 4, 2), 5, True, 2.0, 0.1, 0),
    ("next_day_pair", "USDCAD", "USDCAD", dt.date(2013, 6, 24), 4, False, 1.0, 0.2, 3_500_000),
]


def main():
    for number, (name, symbol, pair, first, weeks, holes, leverage, band, commission) in enumerate(MARKETS):
        bars = make_bars(symbol, 100 + number, first, weeks, holes)
        rates = None
        if pair:
            # The conversion pair starts a week before, so that there is always a rate.
            other = bars if pair == symbol else make_bars(pair, 200 + number, first - dt.timedelta(7), weeks + 1, True)
            rates = Rates(pair, other)
        draw, exposure, exposures = Draw(300 + number), 0.0, []
        for _ in bars:
            change, index = draw.below(10), draw.below(5)
            exposure = (-1.0, 0.0, 1.0, 0.5, -0.25)[index] if change == 0 else exposure
            exposures.append(exposure)
        account = Account(symbol, leverage, band, commission)
        rows = simulate(symbol, bars, rates, account, exposures)
        print(f"market {name}")
        print(f"fills {account.fills} lapses {account.lapses} financing {account.financing}")
        for row, equity, units in rows:
            if row % 25 == 0 or row == len(rows) - 1:
                print(row, equity, units)


if __name__ == "__main__":
    main()
