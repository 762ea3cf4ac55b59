"""Names of other scripts are found as people write them in Latin letters, and in their cases."""

from __future__ import annotations

import pytest

from slicermedai.deid.names import name_tokens
from slicermedai.deid.transliteration import spellings
from slicermedai.deid.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Достоевский^Алексей", "Dostoevskiy Dostoevsky Dostoyevsky Dostoyevskiy Aleksey Alexey Alexei Aleksei"),
        ("Щербаковский^Юлиан", "Shcherbakovskiy Scherbakovsky Shcherbakovskii Ščerbakovskij Yulian Julian"),
        ("Їжакевич^Ярослав", "Yizhakevych Yaroslav"),
        ("Петрашевский^Чеслав", "Petrachevski Petraschewski Petrashevskij Tcheslav Ceslav"),
        ("Жуковский^Юрий", "Joukovski Zhukovskiy Iouri Juri Yury"),
        ("Παπαδόπουλος^Γιώργος", "Papadopoulos PAPADOPOULOS Papadopoylos Giorgos"),
        ("Διονυσόπουλος^Στέφανος", "Dionysopoulos Dionisopoulos Stefanos ΔΙΟΝΥΣΟΠΟΥΛΟΣ"),
        ("ヤマシタ^フジオ", "Yamashita Yamasita Fujio Huzio"),
        ("つちや^しょうじ", "Tsuchiya Tutiya Shoji Syozi Shouji"),
        ("マッチャ^チュウジ", "Matcha Mattya Chuji Tyuzi"),
        ("ヤマモト^ケンジロウ", "Yamamoto Kenjiro Kenjirou やまもと ﾔﾏﾓﾄ"),
        ("القحطاني^عبدالرحمن", "القحطانى"),
        ("Ouyang^Xiadong=欧阳^夏东", "歐陽 欧阳先生"),
    ],
)
def test_every_usual_spelling_is_found(name: str, written: str) -> None:
    vocabulary = Vocabulary.of(name_tokens(name))
    for word in written.split():
        assert "XX" in vocabulary.scrub(word), word


@pytest.mark.parametrize("text", ["Достоевского", "Достоевским", "Алексея", "Алексею"])
def test_cases_of_a_russian_name_are_found_by_their_stem(text: str) -> None:
    assert "XXXX" in Vocabulary.of(name_tokens("Достоевский^Алексей")).scrub(text)


def test_a_wifes_greek_name_is_found_by_its_stem() -> None:
    assert Vocabulary.of(name_tokens("Παπαδόπουλος^Γιώργος")).scrub("Papadopoulou").startswith("XXXX")


@pytest.mark.parametrize(
    ("kana", "latin"), [("ハットリ", "hattori"), ("キョウコ", "kyoko"), ("ジュン", "jun"), ("シンイチ", "shinichi")]
)
def test_kana_are_spelt_as_hepburn_does(kana: str, latin: str) -> None:
    assert latin in spellings(kana)


def test_a_name_has_a_bounded_number_of_spellings() -> None:
    assert len(name_tokens("Щербаковский^Алексей^Юрьевич")) < 600
