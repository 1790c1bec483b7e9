"""Units of quantities: what they measure, and how much of it each is. English and German."""

from typing import NamedTuple

from lumikb.answering.checking.listed import listed


class Unit(NamedTuple):
    """A dimension, and how many of its base unit one is."""

    dimension: str
    factor: float


_SPELLINGS = {
    ("time", 1): "second seconds sec secs Sekunde Sekunden s",
    ("time", 0.001): "ms millisecond milliseconds Millisekunde Millisekunden",
    ("time", 60): "minute minutes min mins Minute Minuten",
    ("time", 3600): "hour hours hr hrs h Stunde Stunden Betriebsstunden",
    ("time", 86_400): "day days Tag Tage Tagen Werktage Werktagen Arbeitstage Arbeitstagen Kalendertage",
    ("time", 604_800): "week weeks Woche Wochen",
    ("calendar", 1): "month months Monat Monate Monaten",
    ("calendar", 3): "quarter-year Quartal Quartale Quartalen",
    ("calendar", 12): "year years yr yrs Jahr Jahre Jahren",
    ("calendar", 120): "decade decades Jahrzehnt Jahrzehnte Jahrzehnten",
    ("length", 0.001): "mm millimetre millimetres millimeter millimeters Millimeter",
    ("length", 0.01): "cm centimetre centimetres centimeter centimeters Zentimeter",
    ("length", 1): "m metre metres meter meters Meter Metern",
    ("length", 1000): "km kilometre kilometres kilometer kilometers Kilometer Kilometern",
    ("length", 0.3048): "ft foot feet",
    ("length", 1609.344): "mile miles Meile Meilen",
    ("mass", 0.001): "mg milligram milligrams milligramme Milligramm",
    ("mass", 1): "g gram grams gramme grammes Gramm",
    ("mass", 1000): "kg kilogram kilograms kilogramme Kilogramm",
    ("mass", 1_000_000): "t tonne tonnes Tonne Tonnen",
    ("volume", 0.001): "ml millilitre millilitres milliliter milliliters Milliliter",
    ("volume", 1): "l L litre litres liter liters Liter Litern",
    ("bytes", 1): "B byte bytes Byte Bytes",
    ("bytes", 1e3): "kB KB kilobyte kilobytes",
    ("bytes", 1e6): "MB megabyte megabytes Megabyte",
    ("bytes", 1e9): "GB gigabyte gigabytes Gigabyte",
    ("bytes", 1e12): "TB terabyte terabytes Terabyte",
    ("bytes", 1024): "KiB",
    ("bytes", 1024**2): "MiB",
    ("bytes", 1024**3): "GiB",
    ("power", 1): "W watt watts Watt",
    ("power", 1e3): "kW kilowatt kilowatts Kilowatt",
    ("power", 1e6): "MW megawatt megawatts Megawatt",
    ("power", 1e9): "GW gigawatt gigawatts Gigawatt",
    ("energy", 1): "Wh",
    ("energy", 1e3): "kWh Kilowattstunde Kilowattstunden",
    ("energy", 1e6): "MWh Megawattstunde Megawattstunden",
    ("energy", 1e9): "GWh Gigawattstunde Gigawattstunden",
    ("frequency", 1): "Hz hertz Hertz",
    ("frequency", 1e3): "kHz",
    ("frequency", 1e6): "MHz",
    ("frequency", 1e9): "GHz",
    ("pressure", 1): "bar",
    ("voltage", 1): "V volt volts Volt",
    ("voltage", 1e3): "kV kilovolt kilovolts",
    ("celsius", 1): "°C celsius Celsius",
    ("fahrenheit", 1): "°F fahrenheit Fahrenheit",
    ("percent", 1): "% percent per-cent Prozent pp",
    ("EUR", 1): "€ EUR euro euros Euro Euros",
    ("USD", 1): "$ USD dollar dollars Dollar",
    ("GBP", 1): "£ GBP",
    ("CHF", 1): "CHF franc francs Franken",
    ("JPY", 1): "¥ JPY yen Yen",
}
UNITS = {name: Unit(*unit) for unit, names in _SPELLINGS.items() for name in names.split()}
CURRENCIES = frozenset(name for name, unit in UNITS.items() if unit.dimension.isupper())
# What only counts when it stands right behind a numeral: as words they mean other things.
SHORT = frozenset(name for name in UNITS if len(name) <= 2)
# What may stand between a number and its unit: "ten working days".
BETWEEN = frozenset(
    listed("working business calendar full whole consecutive earth degrees degree grad us swiss volle ganze")
)


def unit_of(name: str) -> Unit | None:
    """The unit of this name; single letters and abbreviations as they are written, words in any case."""
    found = UNITS.get(name)
    if found is None and len(name) > 3:
        found = UNITS.get(name.lower()) or UNITS.get(name.capitalize())
    return found
