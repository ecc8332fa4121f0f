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


NAMED = (
    "The Yuan dynasty (Chinese: 元朝; pinyin: Yuán Cháo), officially the Great Yuan (大元; Dà Yuán), was the empire"
    " or ruling dynasty of China established by Kublai Khan, leader of the Mongolian Borjigin clan."
)
LISTS = [
    "Ingredients: 200 g flour, 2 eggs, 100 ml milk, 50 g sugar, 1 tsp salt, 30 g butter, vanilla",
    "espresso 2.50 · macchiato 3.00 · cappuccino 3.50 · latte 4.00 · panini 6.00 · tiramisu 5.50",
    'int main(void) { int n = 0; scanf("%d", &n); printf("%d", n * n); return 0; }',
    "Kowalski Jan, Novák Petr, Rossi Marco, Wiśniewska Anna, Dvořák Tomáš, Bianchi Lucia",
]


@pytest.mark.parametrize(
    ("question", "texts", "language"),
    [
        ("阿斯利康在北京投资了多少钱？", ENGLISH, "English"),
        ("何时开通？", ENGLISH, "English"),
        ("元朝的首都在哪里？", [NAMED], "English"),
        ("¿Cuánto dinero va a invertir la empresa británica en la capital?", ENGLISH, "English"),
        ("Wie viel Geld will der britische Konzern in der Hauptstadt ausgeben?", ENGLISH, "English"),
        ("¿Cuántas estaciones tiene?", ENGLISH, "English"),
        ("Wann wurde sie eröffnet?", ENGLISH, "English"),
        ("Quante stazioni ha la Northern Line?", ENGLISH, "English"),
        ("كم عدد المحطات؟", ENGLISH, "English"),
        ("How much did they spend on research in that year?", SPANISH, "Spanish"),
        ("How much did they spend on research in that year?", CHINESE, "Chinese"),
        ("How much will the British company invest in the capital?", ENGLISH, None),
        ("who wrote this then and why did nobody ever notice it?", ENGLISH, None),  # about something else
        ("Who founded DeepSeek?", ENGLISH, None),
        ("Wer ist Lin Jian?", ENGLISH, None),  # too few words to be sure
        ("阿斯利康在北京投资了多少钱？", CHINESE, None),
        ("哪位诗人写了最长的史诗？", CHINESE, None),  # about something else
        ("多少个国家参加了会议？", CHINESE, None),
        ("多少个国家参加了会议？", [*CHINESE, *CHINESE, *ENGLISH], None),
        ("多少个国家参加了会议？", [*CHINESE, *ENGLISH], "English"),
        ("How many people took part in it?", [*CHINESE, *ENGLISH], None),
        ("how much sugar should someone put into this cake?", LISTS[:1], None),
        ("how much do they want for a cup of coffee with milk?", LISTS[1:2], None),
        ("what does this program do with the number it reads?", LISTS[2:3], None),
        ("how many of these people have a name that begins with a vowel?", LISTS[3:], None),
        ("2019?", ENGLISH, None),
        ("", ENGLISH, None),
        ("阿斯利康在北京投资了多少钱？", [], None),
        ("阿斯利康在北京投资了多少钱？", [""], None),
        ("阿斯利康在北京投资了多少钱？" * 40, ENGLISH, None),
    ],
)
def test_the_language_a_question_is_put_into(question: str, texts: list[str], language: str | None) -> None:
    assert target(question, texts) == language


def test_a_question_of_a_word_is_in_the_language_of_the_one_before() -> None:
    assert target("2019?", ENGLISH, "¿Cuánto dinero invirtió la empresa en la capital?") == "English"
    assert target("2019?", ENGLISH, "How much did the company invest in the capital?") is None
    assert target("How much was it in that year?", ENGLISH, "阿斯利康在北京投资了多少钱？") is None


ASKED = "阿斯利康在北京投资了多少钱？"


def test_a_translation_is_taken_without_its_quotation_marks() -> None:
    assert accepted(' "How much did AstraZeneca invest?"\n', ASKED, ENGLISH) == (
        "How much did AstraZeneca invest?",
        "",
    )


def test_the_last_line_is_the_question_and_the_others_stand_before_it() -> None:
    both = f"哪家公司在北京投资？\n{ASKED}"
    said = "Which company invests in Beijing?\n\nHow much did it invest?"
    assert accepted(said, both, ENGLISH) == ("How much did it invest?", "Which company invests in Beijing?")


@pytest.mark.parametrize(
    "said",
    [
        "",
        ' "" ',
        ASKED,
        "¿Cuánto dinero va a invertir la empresa británica en la capital?",
        "Here is the translation:\nHow much did AstraZeneca invest?",
        "How much did AstraZeneca invest? " * 9,
    ],
)
def test_what_is_no_translation_is_not_taken(said: str) -> None:
    assert accepted(said, ASKED, ENGLISH) is None
