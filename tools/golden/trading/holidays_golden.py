"""Weekday bank holidays of settlement centres, 1999 to 2026, by QuantLib's calendars: the oracle of src/trading/holidays.

Run: python3 holidays_golden.py > ../../../tests/golden/trading/holidays.txt   (QuantLib 1.44 from PyPI, Python 3.11)
A line: code, then the dates that are weekdays without being business days.
"""

import QuantLib as ql

CALENDARS = {
    "USD": ql.UnitedStates(ql.UnitedStates.FederalReserve),
    "EUR": ql.TARGET(),
    "GBP": ql.UnitedKingdom(ql.UnitedKingdom.Settlement),
    "JPY": ql.Japan(),
    "CHF": ql.Switzerland(),
    "AUD": ql.Australia(ql.Australia.Settlement),
    "NZD": ql.NewZealand(),
    "CAD": ql.Canada(ql.Canada.Settlement),
    "SEK": ql.Sweden(),
    "NOK": ql.Norway(),
    "DKK": ql.Denmark(),
}

for code, calendar in CALENDARS.items():
    day, last = ql.Date(1, 1, 1999), ql.Date(31, 12, 2026)
    dates = []
    while day <= last:
        if 2 <= day.weekday() <= 6 and calendar.isHoliday(day):
            dates.append(f"{day.year():04d}-{day.month():02d}-{day.dayOfMonth():02d}")
        day += 1
    print(code, *dates)
