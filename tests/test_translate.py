"""Into which language a question is put, to be searched for."""

from __future__ import annotations

import pytest

from assistant.translate import accepted, target

ENGLISH = [
    "China's spending in research and development has maintained rapid growth, exceeding 2 trillion yuan in 2019.",
    "British pharmaceutical giant AstraZeneca has announced an investment of $2.5 billion in Beijing.",
]
SPANISH = ["El gasto de China en investigación y desarrollo ha crecido mucho, y superó los dos billones en 2019."]
CHINESE = ["2019年，中国的研究与试验发展经费投入超过两万亿元，英国制药公司阿斯利康宣布在北京投资二十五亿美元。"]


@pytest.mark.parametrize(
    ("question", "texts", "language"),
    [
        ("阿斯利康在北京投资了多少钱？", ENGLISH, "English"),
        ("¿Cuánto dinero va a invertir la empresa británica en la capital?", ENGLISH, "English"),
        ("Wie viel Geld will der britische Konzern in der Hauptstadt ausgeben?", ENGLISH, "English"),
        ("How much did they spend on research in that year?", SPANISH, "Spanish"),
        ("How much did they spend on research in that year?", CHINESE, "Chinese"),
        ("How much will the British company invest in the capital?", ENGLISH, None),
        ("who wrote this then and why did nobody ever notice it?", ENGLISH, None),  # about something else
        ("阿斯利康在北京投资了多少钱？", CHINESE, None),
        ("哪位诗人写了最长的史诗？", CHINESE, None),  # about something else
        ("2019?", ENGLISH, None),
        ("", ENGLISH, None),
        ("阿斯利康在北京投资了多少钱？", [], None),
        ("阿斯利康在北京投资了多少钱？", [""], None),
    ],
)
def test_the_language_a_question_is_put_into(question: str, texts: list[str], language: str | None) -> None:
    assert target(question, texts) == language


def test_a_translation_is_taken_without_its_quotation_marks() -> None:
    assert accepted(' "How much did AstraZeneca invest?"\n', ENGLISH) == "How much did AstraZeneca invest?"


@pytest.mark.parametrize("said", ["", ' "" ', "¿Cuánto dinero va a invertir la empresa británica en la capital?"])
def test_what_is_no_translation_is_not_taken(said: str) -> None:
    assert accepted(said, ENGLISH) == ""
