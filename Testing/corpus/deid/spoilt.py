"""How systems and people spoil what a header says: particles joined, names cut, misspelt or turned round, marks
encoded, zeros dropped, digits grouped otherwise."""

from __future__ import annotations

import datetime
import html.entities

from Testing.corpus.deid.people import Form, Patient, Person, stripped, transliterated

_JOINTS = str.maketrans("", "", "' -")
_CUT, _LEAST_CUT = 8, 10
_WIDE = str.maketrans("0123456789", "０１２３４５６７８９")
_THAI_DIGITS = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
_THAI_MONTHS = (
    *("มกราคม", "กุมภาพันธ์", "มีนาคม", "เมษายน", "พฤษภาคม", "มิถุนายน", "กรกฎาคม", "สิงหาคม", "กันยายน", "ตุลาคม"),
    *("พฤศจิกายน", "ธันวาคม"),
)
_THAI_SHORT = (*("ม.ค.", "ก.พ.", "มี.ค.", "เม.ย.", "พ.ค.", "มิ.ย.", "ก.ค.", "ส.ค.", "ก.ย.", "ต.ค.", "พ.ย.", "ธ.ค."),)
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BUDDHA = 543
_LEAST_MISSPELT = 6
_UNITS = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
_UNITS_AND_TENS = (*_UNITS, "X", "XI", "XII")
_ERAS = ((1989, "平成", "H"), (1926, "昭和", "S"))


def spoilt_forms(patient: Patient) -> list[Form]:
    """Every such form of one patient."""
    person = patient.person
    forms = joined_forms(person) + cut_forms(person) + encoded_forms(person) + inflected_forms(person)
    forms += buddhist_forms(person, patient.birth) + counted_day_forms(patient.birth) + grouped_forms(patient)
    forms += reversed_forms(person) + misspelt_forms(person)
    return forms + era_forms(person, patient.birth) + bare_number_forms(patient) + behind_point_forms(patient)


def joined_forms(person: Person) -> list[Form]:
    """O'Dea as ODEA, Le Roy as LEROY."""
    family = person.family.translate(_JOINTS)
    if not person.is_joined:
        return []
    forms = [f"{family}_{person.given[0]}", f"Mrs {family}"]
    capitals = [family.upper(), f"{family}^{person.given}".upper()]
    pairs = [*((text, family) for text in forms), *((text, family.upper()) for text in capitals)]
    return [Form("joined name", text, (token,)) for text, token in pairs]


def cut_forms(person: Person) -> list[Form]:
    """A long family name in a field of few characters."""
    family = stripped(person.family)
    if person.common or person.romanised[0] or person.ideographic[0] or len(family) < _LEAST_CUT:
        return []
    cuts = (family[:_CUT].upper(), f"{family[: len(family) - 1]}", f"{family[:_CUT].upper()} KNEE")
    return [Form("cut name", text, (text.split()[0],)) for text in cuts]


def encoded_forms(person: Person) -> list[Form]:
    """Letters with marks as HTML, URL, RTF and mail have them."""
    family = person.family
    if family.isascii() or person.romanised[0] or any(ord(c) > 255 for c in family):
        return []
    ways = (_as_entity, _as_number, _as_percent, _as_latin_percent, _as_rtf, _as_quoted)
    texts = ["".join(c if c.isascii() else way(c) for c in family) for way in ways]
    return [Form("encoded name", text, (text,)) for text in texts]


def _as_entity(c: str) -> str:
    return f"&{html.entities.codepoint2name[ord(c)]};"


def _as_number(c: str) -> str:
    return f"&#{ord(c)};"


def _as_percent(c: str) -> str:
    return "".join(f"%{byte:02X}" for byte in c.encode("utf-8"))


def _as_latin_percent(c: str) -> str:
    return f"%{ord(c):02x}"


def _as_rtf(c: str) -> str:
    return f"\\'{ord(c):02x}"


def _as_quoted(c: str) -> str:
    return "".join(f"={byte:02X}" for byte in c.encode("utf-8"))


def reversed_forms(person: Person) -> list[Form]:
    """A family name from its last letter to its first, as some export tools hide it."""
    family = transliterated(person.family)
    if not _is_long_latin(person, family):
        return []
    texts = (family[::-1].lower(), family[::-1].upper())
    return [Form("reversed name", text, (text,)) for text in texts]


def misspelt_forms(person: Person) -> list[Form]:
    """A family name as it was heard, beside the given one, or alone where it is long: two letters turned, one doubled,
    one left out, one other."""
    family, given = transliterated(person.family), transliterated(person.given)
    if not _is_long_latin(person, family) or not family.isalpha():
        return []
    other = "y" if family[3] != "y" else "i"
    wrong = [family[:3] + other + family[4:], family[:4] + family[5:], family[:4] + family[3:]]
    wrong += [family[:2] + family[3] + family[2] + family[4:]] if family[2] != family[3] else []
    pairs = [(f"{given} {one}", one) for one in wrong] + [(f"{one}^{given}".upper(), one.upper()) for one in wrong[:2]]
    pairs += [(one, one) for one in wrong] if len(family) >= _LEAST_CUT else []
    return [Form("misspelt name", text, (token,)) for text, token in pairs]


def _is_long_latin(person: Person, family: str) -> bool:
    return not (person.common or person.romanised[0] or person.ideographic[0] or len(family) < _LEAST_MISSPELT)


def counted_day_forms(birth: datetime.date) -> list[Form]:
    """The birth date with the day in Roman numbers too, and by the number of the day in its year (ISO 8601)."""
    day, month, year = birth.day, birth.month, birth.year
    roman = f"{'X' * (day // 10)}{_UNITS[day % 10]}"
    texts = [f"{roman} {_UNITS_AND_TENS[month]} {year}", f"{roman}.{_UNITS_AND_TENS[month]}.{year}"]
    count = birth.timetuple().tm_yday
    texts += [f"{year}-{count:03}", f"{year}.{count:03}", f"{year}/{count:03}"]
    return [Form("counted day", text, (text,)) for text in texts]


def grouped_forms(patient: Patient) -> list[Form]:
    """The telephone number with its digits in other groups than the header has."""
    digits = "".join(c for c in patient.phone if c.isdigit())
    national = f"0{digits[2:]}"
    pairs = " ".join(national[n : n + 2] for n in range(0, len(national), 2))
    texts = [pairs, pairs.replace(" ", "."), f"00{digits[:2]}-{digits[2:6]}-{digits[6:9]}-{digits[9:]}"]
    texts += [f"+{digits[:2]} (0){digits[2:5]} / {digits[5:8]} {digits[8:]}"]
    return [Form("grouped phone", text, (text,)) for text in texts]


def inflected_forms(person: Person) -> list[Form]:
    """A Polish or Czech name in another case."""
    if not person.inflected:
        return []
    texts = (person.inflected, transliterated(person.inflected).upper())
    return [Form("inflected name", text, (text,)) for text in texts]


def era_forms(person: Person, birth: datetime.date) -> list[Form]:
    """The birth date by the emperors' years, and with wide digits."""
    if not person.phonetic[0]:
        return []
    first, era, letter = next(row for row in _ERAS if birth.year >= row[0])
    year = birth.year - first + 1
    texts = [f"{era}{year}年{birth.month}月{birth.day}日", f"{letter}{year:02}.{birth.month:02}.{birth.day:02}"]
    texts += [f"{letter}{year}/{birth.month}/{birth.day}", f"{birth:%Y/%m/%d}".translate(_WIDE)]
    return [Form("era date", text, (text,)) for text in texts if year > 1]


def buddhist_forms(person: Person, birth: datetime.date) -> list[Form]:
    """The birth date as in Thailand: 543 years more, with Thai digits and months too."""
    if not person.buddhist:
        return []
    day, month, year = birth.day, birth.month, birth.year + _BUDDHA
    texts = [
        f"{day:02}/{month:02}/{year}",
        f"{day}-{month}-{year}",
        f"{year}{month:02}{day:02}",
        f"{year}-{month:02}-{day:02}",
    ]
    texts += [f"{day} {_ENGLISH[month - 1]} {year}", f"{day:02}/{month:02}/{year % 100:02}"]
    texts += [f"{day} {_THAI_MONTHS[month - 1]} {year}", f"{day} {_THAI_SHORT[month - 1]} {year % 100:02}"]
    texts += [f"{day} {_THAI_MONTHS[month - 1]} พ.ศ. {year}".translate(_THAI_DIGITS)]
    texts += [f"{day:02}/{month:02}/{year}".translate(_THAI_DIGITS)]
    return [Form("birth date" if text.isascii() else "Buddhist date", text, (text,)) for text in texts]


def bare_number_forms(patient: Patient) -> list[Form]:
    """The record number without the zeros that pad it."""
    if not patient.person.padded:
        return []
    bare = patient.record.lstrip("0")
    return [Form("bare record", text, (bare,)) for text in (bare, f"MRN: {bare}", f"pt {bare} recheck", f"#{bare}")]


def behind_point_forms(patient: Patient) -> list[Form]:
    """A number or a day with a zero in front, after the point of a numbered list or of seconds."""
    if not patient.person.padded:
        return []
    record, days = patient.record, (patient.birth.strftime("%d%m%Y"), patient.birth.strftime("%m%d%Y"))
    forms = [Form("record behind a point", text, (record,)) for text in (f"3.{record} MRN", f"12.{record}")]
    return forms + [Form("date behind a point", f"2.{day} born", (day,)) for day in days if day[0] == "0"]
