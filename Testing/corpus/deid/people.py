"""Made-up people: who they are, and the many ways in which a name, a number or a date of theirs is written."""

from __future__ import annotations

import datetime
import random
import unicodedata
from dataclasses import dataclass, replace

GERMAN = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "ø": "oe", "æ": "ae"}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_ROMANS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
_POLISH = [
    *("stycznia", "lutego", "marca", "kwietnia", "maja", "czerwca", "lipca", "sierpnia", "września", "października"),
    *("listopada", "grudnia"),
]

_FAMILY_STARTS = [
    "Brand",
    "Küster",
    "Møller",
    "Sørens",
    "Grünwald",
    "Ålberg",
    "Fuhr",
    "Halvor",
    "Ostrow",
    "Petrosk",
    "Kessel",
    "Vander",
    "Quist",
    "Ravens",
    "Sauer",
    "Thorn",
    "Wolfers",
    "Yarrow",
    "Zimmel",
    "Dobrov",
    "Eisen",
    "Garrig",
    "Höpf",
    "Ivers",
    "Jörgen",
    "Lachmühl",
    "Nystr",
    "Peñalv",
    "Lefèvr",
    "Çelik",
]
_FAMILY_ENDS = [
    "mann",
    "berg",
    "sen",
    "feld",
    "olm",
    "hoven",
    "ski",
    "dottir",
    "quist",
    "lund",
    "ovic",
    "ström",
    "eira",
    "ault",
    "onde",
    "ley",
    "ham",
    "worth",
]
_GIVEN = [
    "Annegret",
    "Thorvald",
    "Wilhelmine",
    "Ragnhild",
    "Zdeněk",
    "Bartholomew",
    "Gwendolyn",
    "Hyacinth",
    "Ottokar",
    "Persephone",
    "Quirinus",
    "Rosalinde",
    "Sigismund",
    "Tiberius",
    "Ulrike",
    "Valdemar",
    "Xaverine",
    "Yolande",
    "Zenobia",
    "Adalbert",
    "Björnolf",
    "Clothilde",
    "Dagmära",
    "Eleuterio",
    "Françoise",
    "Günther",
    "Hermínia",
    "Isolde",
    "Jörgine",
    "Kunigunde",
]
_CYRILLIC = (("Воронцовский", "Voroncovskij"), ("Железнов", "Zheleznov"), ("Щербаковский", "Shcherbakovskij"))
_CYRILLIC_GIVEN = (("Светозар", "Svetozar"), ("Любомира", "Ljubomira"), ("Всеволод", "Vsevolod"))
_JAPANESE = (
    ("Watanuki", "四月朔日", "わたぬき"),
    ("Kosakabe", "小坂部", "こさかべ"),
    ("Shimoyanagi", "下柳", "しもやなぎ"),
)
_JAPANESE_GIVEN = (
    ("Yoshinobu", "義信", "よしのぶ"),
    ("Sakurako", "桜子", "さくらこ"),
    ("Kiyotaka", "清隆", "きよたか"),
)
_CHINESE = (("Ouyang", "欧阳"), ("Zhuge", "诸葛"), ("Shangguan", "上官"))
_CHINESE_GIVEN = (("Xiuying", "秀英"), ("Jianguo", "建国"), ("Meilian", "美莲"))
COMMON = (("Hand", "Peter"), ("Li", "An"), ("Long", "May"), ("Siemens", "Karl"), ("Head", "Art"), ("Chest", "Rose"))
SURNAMES = (("Smith", "John"), ("Brown", "Rose"), ("King", "Linda"), ("Young", "Amanda"), ("Taylor", "Bert"))
SHORT = (("Kowal", "Jolan"), ("Sipos", "Ilona"), ("Hajek", "Zdena"), ("Rakic", "Mirko"), ("Nagyi", "Ferko"))
PARTICLES = (
    ("O'Dea", "Fintan"),
    ("D'Arcy", "Lucette"),
    ("Le Roy", "Armelle"),
    ("De Wit", "Wouter"),
    ("O'Neil", "Grania"),
)
SLAVIC = (
    ("Kowalewska", "Jolanta", "Kowalewskiej"),
    ("Wiśniewski", "Tymon", "Wiśniewskiego"),
    ("Dvořáková", "Zdeňka", "Dvořákové"),
    ("Kopecký", "Vratislav", "Kopeckého"),
)
EPONYMS = (("Bennett", "Lois"), ("Gross", "Ewald"), ("Jones", "Alma"), ("Paget", "Mona"), ("Morton", "Alvar"))
_GREEK = (("Παπαδόπουλος", "Papadopoulos"), ("Διονυσόπουλος", "Dionysopoulos"), ("Καραγιάννης", "Karagiannis"))
_GREEK_GIVEN = (("Στέφανος", "Stefanos"), ("Γιώργος", "Giorgos"), ("Ευαγγελία", "Evangelia"))
_RUSSIAN = (("Достоевский", "Dostoyevsky"), ("Чернышевский", "Chernyshevsky"), ("Ломоносов", "Lomonosov"))
_RUSSIAN_GIVEN = (("Алексей", "Alexey"), ("Евгений", "Yevgeny"), ("Николай", "Nikolay"))
_THAI = (("วงศ์สกุล", "Wongsakul"), ("ศรีสุวรรณ", "Srisuwan"), ("จันทร์โอชา", "Chanocha"))
_THAI_GIVEN = (("สมชาย", "Somchai"), ("มาลี", "Malee"), ("ประเสริฐ", "Prasert"))
_UKRAINIAN = (("Гриньківський", "Hrynkivskyi"), ("Їжакевич", "Yizhakevych"), ("Ґалаґан", "Galagan"))
_UKRAINIAN_GIVEN = (("Остап", "Ostap"), ("Соломія", "Solomiia"), ("Євген", "Yevhen"))
_STREETS = ["Lindenblütenweg", "Fliederstieg", "Kastanienallee", "Marigold_Crescent", "Rue_des_Tanneurs", "Ahornhalde"]
_CITIES = ["Oberwinterfeld", "Sankt_Quirin", "Nederhasselt", "Llanfairbeck", "Villeneuve-Lorme", "Kirschenbronn"]
_CLINICS = ["Klinikum", "Hospital", "Clinique", "Krankenhaus", "Infirmary", "Sykehus"]


@dataclass(frozen=True)
class Form:
    """One way to write one fact: the text, the tokens in it that tell who it is, and the fact's kind."""

    kind: str
    text: str
    tokens: tuple[str, ...]
    strong: bool = True


@dataclass(frozen=True)
class Person:
    """A name, with its other scripts, and the character set in which a scanner would write it."""

    family: str
    given: str
    charset: tuple[str, ...] = ("ISO_IR 100",)
    ideographic: tuple[str, str] = ("", "")
    phonetic: tuple[str, str] = ("", "")
    romanised: tuple[str, str] = ("", "")
    common: bool = False
    surname: bool = False
    short: bool = False
    is_joined: bool = False
    padded: bool = False
    spaced: bool = False
    inflected: str = ""
    buddhist: bool = False

    @property
    def pn(self) -> str:
        """Value of VR PN: alphabetic, ideographic and phonetic component groups."""
        groups = [f"{self.family}{' ' if self.spaced else '^'}{self.given}"]
        if self.ideographic[0]:
            groups += ["^".join(self.ideographic), "^".join(self.phonetic) if self.phonetic[0] else ""]
        return "=".join(groups).rstrip("=")

    @property
    def pn_tokens(self) -> tuple[str, ...]:
        """What in :attr:`pn` tells who it is."""
        extra = tuple(part for part in (*self.ideographic, *self.phonetic) if len(part) > 1)
        return (*self._tokens(self.family, self.given, " " if self.spaced else "^"), *extra)

    def _tokens(self, first: str, second: str, between: str) -> tuple[str, ...]:
        return (f"{first}{between}{second}",) if self.common else (first, second)


@dataclass(frozen=True)
class Patient:
    """A patient with all the numbers and places that tell who it is."""

    person: Person
    record: str
    birth: datetime.date
    phone: str
    street: str
    city: str
    mail: str
    social: str
    mother: Person


@dataclass(frozen=True)
class Study:
    """A visit: the date, the people and the place."""

    patient: Patient
    date: datetime.date
    accession: str
    clinic: str
    serial: str
    station: str
    referring: Person
    operator: Person
    reader: Person
    before: Person | None = None


def transliterated(text: str) -> str:
    """ü becomes ue, ß ss; other marks are dropped."""
    return stripped(
        "".join(GERMAN.get(c, GERMAN.get(c.lower(), c).title() if c.lower() in GERMAN else c) for c in text)
    )


def stripped(text: str) -> str:
    """Without diacritics: ü becomes u, ø o."""
    plain = unicodedata.normalize("NFD", text.replace("ø", "o").replace("Ø", "O").replace("ß", "ss").replace("æ", "ae"))
    return "".join(c for c in plain if not unicodedata.combining(c))


def european(rng: random.Random) -> Person:
    """A person with a Latin name, most with marks on the letters."""
    family = rng.choice(_FAMILY_STARTS) + rng.choice(_FAMILY_ENDS)
    given = rng.choice(_GIVEN)
    latin1 = all(ord(c) < 256 for c in family + given)
    return Person(family, given, ("ISO_IR 100" if latin1 and rng.random() < 0.6 else "ISO_IR 192",))


def common_words(rng: random.Random) -> Person:
    """A person whose name is anatomy, a scanner or short: only the whole name tells who it is."""
    family, given = rng.choice(COMMON)
    return Person(family, given, ("ISO_IR 100",), common=True)


def surnames(rng: random.Random) -> Person:
    """A person whose family name is a word of the language, and told from it by a capital letter."""
    family, given = rng.choice(SURNAMES)
    return Person(family, given, ("ISO_IR 100",), common=True, surname=True)


def short(rng: random.Random) -> Person:
    """A person with a family name of five letters, whose record number has six digits."""
    family, given = rng.choice(SHORT)
    return Person(family, given, ("ISO_IR 100",), short=True)


def eponyms(rng: random.Random) -> Person:
    """A person whose family name also stands for a disease, a fracture or an angle."""
    family, given = rng.choice(EPONYMS)
    return Person(family, given, ("ISO_IR 100",), common=True, surname=True)


def particles(rng: random.Random) -> Person:
    """A person whose family name begins with a particle that systems join to it."""
    family, given = rng.choice(PARTICLES)
    return Person(family, given, ("ISO_IR 100",), is_joined=True)


def padded(rng: random.Random) -> Person:
    """A person whose record number is filled up with zeros."""
    return replace(european(rng), padded=True, charset=("ISO_IR 192",))


def spaced(rng: random.Random) -> Person:
    """A person whose name of common words stands in the header without a caret."""
    family, given = rng.choice(COMMON)
    return Person(family, given, ("ISO_IR 100",), common=True, spaced=True)


def slavic(rng: random.Random) -> Person:
    """A person whose family name has endings."""
    family, given, inflected = rng.choice(SLAVIC)
    return Person(family, given, ("ISO_IR 192",), inflected=inflected)


def greek(rng: random.Random) -> Person:
    """A person written in ISO 8859-7."""
    family, given = rng.choice(_GREEK), rng.choice(_GREEK_GIVEN)
    return Person(family[0], given[0], ("ISO_IR 126",), romanised=(family[1], given[1]))


def russian(rng: random.Random) -> Person:
    """A person written in ISO 8859-5, in Latin letters as newspapers write them."""
    family, given = rng.choice(_RUSSIAN), rng.choice(_RUSSIAN_GIVEN)
    return Person(family[0], given[0], ("ISO_IR 144",), romanised=(family[1], given[1]))


def cyrillic(rng: random.Random) -> Person:
    """A person written in ISO 8859-5."""
    family, given = rng.choice(_CYRILLIC), rng.choice(_CYRILLIC_GIVEN)
    return Person(family[0], given[0], ("ISO_IR 144",), romanised=(family[1], given[1]))


def japanese(rng: random.Random) -> Person:
    """A person with all three component groups, in ISO 2022 IR 87."""
    family, given = rng.choice(_JAPANESE), rng.choice(_JAPANESE_GIVEN)
    return Person(family[0], given[0], ("", "ISO 2022 IR 87"), (family[1], given[1]), (family[2], given[2]))


def chinese(rng: random.Random) -> Person:
    """A person with an ideographic group, in GB18030 or UTF-8."""
    family, given = rng.choice(_CHINESE), rng.choice(_CHINESE_GIVEN)
    return Person(family[0], given[0], (rng.choice(["GB18030", "ISO_IR 192"]),), (family[1], given[1]))


def eastern(rng: random.Random) -> Person:
    """A person written in Thai letters, with the birth date in years of the Buddha, or in Ukrainian ones."""
    if rng.random() < 0.5:
        family, given = rng.choice(_UKRAINIAN), rng.choice(_UKRAINIAN_GIVEN)
        return Person(family[0], given[0], ("ISO_IR 192",), romanised=(family[1], given[1]))
    family, given = rng.choice(_THAI), rng.choice(_THAI_GIVEN)
    charset = (rng.choice(("ISO_IR 166", "ISO_IR 192")),)
    return Person(family[0], given[0], charset, romanised=(family[1], given[1]), buddhist=True)


KINDS = (
    *(european, particles, japanese, common_words, chinese, padded, cyrillic, european),
    *(surnames, greek, russian, short, eponyms, slavic, spaced, eastern),
)


def make_patient(rng: random.Random, index: int) -> Patient:
    """The patient of that index; every kind of name comes within the first sixteen."""
    person = KINDS[index % len(KINDS)](rng)
    digits = f"{rng.randrange(10**7, 10**8)}"
    prefix = rng.choice(["MRN", "P-", "KH", "", "0-"])
    if person.short:
        digits, prefix = str(rng.randrange(10**5, 10**6)), ""
    if person.padded:
        digits, prefix = f"00{rng.randrange(10**5, 10**6)}", ""
    birth = datetime.date(rng.randrange(1931, 1999), rng.randrange(1, 13), rng.randrange(1, 29))
    street = f"{rng.choice(_STREETS).replace('_', ' ')} {rng.randrange(11, 199)}"
    mail = (
        f"{transliterated(person.given).lower()}.{rng.randrange(1000, 9999)}@mailbox{rng.randrange(100, 999)}.example"
    )
    return Patient(
        person=person,
        record=prefix + digits,
        birth=birth,
        phone=f"+49 {rng.randrange(200, 999)} {rng.randrange(10**6, 10**7)}",
        street=street,
        city=rng.choice(_CITIES).replace("_", " "),
        mail=mail if mail.isascii() else f"box.{digits}@mailbox.example",
        social=f"{rng.randrange(100, 900)}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        mother=_latin(rng),
    )


def make_study(rng: random.Random, patient: Patient, date: datetime.date) -> Study:
    """A visit of the patient on that day, with other people around."""
    town = stripped(rng.choice(_FAMILY_STARTS)) + rng.choice(["furt", "haven", "minster", "brook"])
    return Study(
        patient=patient,
        date=date,
        accession=f"ACC{rng.randrange(10**8, 10**9)}",
        clinic=f"{rng.choice(_CLINICS)} {town}",
        serial=f"SN{rng.randrange(10**7, 10**8)}",
        station=f"{town[:9].upper()}{rng.randrange(100, 999)}",
        referring=_latin(rng),
        operator=_latin(rng),
        reader=_latin(rng),
    )


def _latin(rng: random.Random) -> Person:
    """A European whose name fits every character set: marks written out."""
    person = european(rng)
    return Person(transliterated(person.family), transliterated(person.given))


def name_forms(person: Person, kind: str) -> list[Form]:
    """The name in every order, case and spelling."""
    pair = (person.family, person.given)
    plain = [(transliterated(pair[0]), transliterated(pair[1])), (stripped(pair[0]), stripped(pair[1]))]
    pairs = [pair, person.romanised] if person.romanised[0] else [pair, *plain]
    forms = [form for family, given in dict.fromkeys(pairs) for form in _orders(person, kind, (family, given))]
    if person.ideographic[0]:
        forms.append(Form(kind, "".join(person.ideographic), ("".join(person.ideographic),)))
    return forms


def _orders(person: Person, kind: str, pair: tuple[str, str]) -> list[Form]:
    family, given = pair
    texts = [f"{given} {family}", f"{family}, {given}", f"{family}^{given}".upper(), f"{given} {family}".lower()]
    texts += [f"{family} {given}".upper(), f"{family}_{given}"]
    if person.common:
        return [Form(kind, text, (text,)) for text in texts]
    forms = [Form(kind, text, tuple(_standing(part, text) for part in pair)) for text in texts]
    alone = (family, family.upper(), f"{given[0]}. {family}")
    return forms + [Form(kind, text, (_standing(family, text),)) for text in alone]


def _standing(part: str, text: str) -> str:
    """The part in the case in which it stands in the text."""
    return next((form for form in (part, part.upper(), part.lower()) if form in text), part)


def surname_forms(person: Person) -> list[Form]:
    """A family name that is a word, where it stands alone as a name."""
    family, letter = person.family, person.given[0]
    texts = [f"{title} {family}" for title in ("Mr", "Ms.", "Mrs", "Hr.", "pt", "Patient", "Dr.")]
    texts += [f"{family.upper()} CHEST", f"{family.upper()} {letter}", f"{letter} {family}", f"{family}'s scan"]
    texts += [f"{family} {letter}.", f"{family} 81y", f"T1_{family.upper()}_2"]
    return [Form("surname", text, (text,)) for text in texts]


def broken_forms(person: Person) -> list[Form]:
    """A family name with a hyphen or a line's end within."""
    family = transliterated(person.family)
    if person.common or person.romanised[0] or person.ideographic[0] or len(family) < 8:
        return []
    texts = (f"{family[:4]}-{family[4:]}", f"{family[:4]} {family[4:]}".upper())
    return [Form("broken name", text, (text,)) for text in texts]


def rare_date_forms(birth: datetime.date) -> list[Form]:
    """The birth date with a Roman month, and as in Poland."""
    day, month, year = birth.day, birth.month, birth.year
    texts = [f"{day}.{_ROMANS[month - 1]}.{year}", f"{day} {_POLISH[month - 1]} {year}"]
    texts += [f"{day:02}{month:02}{year % 100:02}", f"{day}.{_ROMANS[month - 1]}.{year % 100:02}"]
    return [Form("rare date", text, (text,)) for text in texts]


def garbled_forms(person: Person) -> list[Form]:
    """A family name that was read in the wrong character set, or whose marks a system could not hold."""
    family = person.family
    latin = [c for c in family if not c.isascii()]
    if not latin or person.romanised[0] or any(ord(c) > 255 for c in family):
        return []
    twice = family.encode("utf-8").decode("latin-1")
    texts = [family.encode("ascii", "replace").decode("ascii")]
    texts += [twice] if twice.isprintable() else []
    return [Form("garbled name", text, (text,)) for text in texts]


def titled_forms(person: Person) -> list[Form]:
    """A Chinese family name before "Mr" and "Ms"."""
    family = person.ideographic[0]
    return [Form("titled", f"{family}{title}", (family,)) for title in ("先生", "女士")] if family else []


def birth_forms(birth: datetime.date) -> list[Form]:
    """The birth date in the formats that people type."""
    day, month, year = birth.day, birth.month, birth.year
    texts = (
        f"{year}{month:02}{day:02}",
        f"{day:02}.{month:02}.{year}",
        f"{year}-{month:02}-{day:02}",
        f"{month:02}/{day:02}/{year}",
        f"{month:02}/{day:02}/{year % 100:02}",
        f"{day} {MONTHS[month - 1]} {year}",
        f"{day:02}-{MONTHS[month - 1][:3]}-{year}",
    )
    return [Form("birth date", text, (text,)) for text in texts]


def number_forms(patient: Patient) -> list[Form]:
    """Record number with and without prefix and zeros, phone, social security number, mail."""
    digits = "".join(c for c in patient.record if c.isdigit())[-8:]
    phone = "".join(c for c in patient.phone if c.isdigit())
    national = "0" + phone[2:]
    forms = [Form("record", text, (digits,)) for text in (patient.record, digits, f"#{digits}", f"MRN: {digits}")]
    forms += [Form("phone", patient.phone, (patient.phone,)), Form("phone", f"+{phone}", (phone,))]
    forms += [
        Form("phone", text, (text,)) for text in (f"({national[:4]}) {national[4:]}", f"{national[:4]}-{national[4:]}")
    ]
    forms += [Form("social", patient.social, (patient.social,)), Form("mail", patient.mail, (patient.mail,))]
    return forms


def study_forms(study: Study) -> list[Form]:
    """Every form of every fact of the visit, for free text."""
    patient = study.patient
    forms = name_forms(patient.person, "name") + birth_forms(patient.birth) + number_forms(patient)
    forms += surname_forms(patient.person) if patient.person.surname else []
    forms += broken_forms(patient.person) + rare_date_forms(patient.birth)
    forms += garbled_forms(patient.person) + titled_forms(patient.person)
    if study.before is not None:  # somebody else's name, typed into the wrong patient's file
        name = transliterated(study.before.family)
        forms += [Form("other patient", f"first {name}", (name,)), Form("other patient", name.upper(), (name.upper(),))]
    for person in (study.referring, study.operator):
        forms += name_forms(person, "staff")
    forms += [
        Form("address", text, (text,)) for text in (patient.street, stripped(patient.street), patient.street.upper())
    ]
    forms += [
        Form("accession", study.accession, (study.accession[3:],)),
        Form("serial", study.serial, (study.serial[2:],)),
    ]
    forms += [Form("clinic", text, (study.clinic.split()[-1],)) for text in (study.clinic, study.clinic.upper())]
    return forms
