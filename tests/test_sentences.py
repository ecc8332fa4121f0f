"""Sentence boundaries: offsets, the hard cases of punctuation, and streams that do not depend on their chopping."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assistant.sentences import SentenceStream, spans

# Each list is a text cut into its sentences; joined with spaces it must be cut there and nowhere else.
ENGLISH = [
    ["The rule took effect on Dec. 5 in Beijing.", "Mr. Smith met J. K. Rowling.", "Then he left."],
    ["Officials of the U.S. Government said so.", "He lives in the U.S.", "He likes it."],
    ["It costs 3.6 trillion yuan, e.g. for research.", "That is 2.7 percent, i.e. more than before.", "Good."],
    ['"The examples are ample," said Lin.', "He left."],
    ['"Does it work?" she asked.', '"It does!" he shouted.', '"Stop!" Lin Jian said.', "They stopped."],
    ['"Through cooperation, we can grow. We will share it," Lin said.', "He added more."],
    ['He calls it "technology for good."', "It is growing."],
    ["She met Dr. Who in No. 5 of St. James.", "See Fig. 3, Sec. 4 and p. 12 of Vol. 2 for more.", "Prof. Li did."],
    ["It rose (see Fig. 3).", "It fell again.", "(It did.)", "Nobody knows why."],
    ["Well... it rose.", "Then it fell...", "Then nothing."],
    ["What?!", "No way!!", "Really."],
    ["Apple Inc. said so.", "Acme Corp. and Foo Ltd. merged, Jones et al. wrote.", "The end."],
    ["It began at 5 a.m. Beijing time.", "It ended at 6 p.m.", "The shop closed."],
    ["Visit www.example.com or mail a.b@c.de today.", "Version 1.2.3 is out.", "Is it?", "Yes."],
    ["China ranked 11th in 2024. [1]", "It ranked 10th in 2025 [2].", "It rose.[1][3]", "That is all [4]."],
    ["1. First item.", "2. Second item.", "3. Third item."],
    ["On Mon. and Tue. we rest.", "Yahoo! is a company."],
    ["**It is bold.**", "_It leans._", "The `x.y` is code."],
    ["The index (GII) rose.", "China rose by 5.", "Then it fell by 2."],
]
CHINESE = [
    ["中国的研发支出为3.6万亿元。", "是吗？", "是！", "“很好。”他说。", "然后他走了。"],
    ["他说：“好。不好。”", "第二句；还是第二句……仍然是。"],
    ["「はい。」と言った。", "日本語です。", "３．６です｡"],
]


def cut(text: str, language: str | None = None) -> list[str]:
    return [text[span.start : span.end] for span in spans(text, language)]


def streamed(parts: list[str]) -> tuple[list[str], str]:
    stream = SentenceStream()
    sentences = [sentence for part in parts for sentence in stream.feed(part)]
    return sentences, stream.flush()


@pytest.mark.parametrize("sentences", ENGLISH)
def test_english(sentences: list[str]):
    assert cut(" ".join(sentences)) == sentences


@pytest.mark.parametrize("sentences", CHINESE)
def test_no_spaces(sentences: list[str]):
    assert cut("".join(sentences), "zh") == sentences
    assert cut("".join(sentences)) == sentences


def test_other_languages():
    assert cut("Er kam am 5. Mai 2025 an. Das ist z. B. gut. Ende.", "de-AT") == [
        "Er kam am 5. Mai 2025 an.",
        "Das ist z. B. gut.",
        "Ende.",
    ]
    assert cut("यह पहला वाक्य है। यह दूसरा है।", "hi") == ["यह पहला वाक्य है।", "यह दूसरा है।"]
    assert cut("كيف؟ نعم.", "ar") == ["كيف؟", "نعم."]
    assert cut("One here. Two there.", "qqq") == ["One here.", "Two there."]


OTHERS = [  # texts of several languages, read by the rules for English
    ["Er kam am 3. Oktober 2024 nach Wien.", "Am 5. Jan. ging er.", "Es war im 19. Jahrhundert."],
    ["Nach § 3 Abs. 2 gilt das.", "Siehe Kap. 3, Abb. 4 und Hauptstr. 5, vgl. Kapitel 6 bzw. Anhang 2.", "Gut."],
    ["Según el art. 14 de la ley, pág. 3 y núm. 4.", "La Dra. Ruiz llegó."],
    ["Il sig. Rossi e la sig.ra Bianchi parlano.", "Ciao."],
    ["Hr. Meier und Fr. Müller kamen.", "Der Dipl. Ing. Huber ging."],
    ["Der Gewinn betrug 5 Mio. Euro im Jahr 2024.", "Es waren 3 Mrd. Dollar nach rd. 4 Std. Fahrt."],
    ["Die Fa. Müller, vgl. § 5 Abs. 2, nimmt max. 10 kg und mind. 2 Stk. Äpfel.", "Siehe Hrsg. Meier, 2. Aufl. Bonn."],
    ["Los EE. UU. ganaron la copa.", "Perdió EE. UU. en 1950 ante la Cía. General.", "Vive en la Av. Bolívar."],
    ["El Gral. San Martín pagó 5 mill. de pesos, p. ej. Oro.", "Ud. llegó.", "Los Hnos. Gil y Sta. Ana."],
    ["Le Mgr. Martin de la Cie. Nord habite Ste. Foy.", "Fin."],
    ["L'amico è mio.", "Il geom. Bianchi paga 3 mln. Euro, cfr. Rossi, ecc. in fine.", "Poi ride."],
    ["No séc. XX a firma Silva Ltda. cresceu.", "Depois caiu."],
    ["Assoc. Prof. Li of Acme Pte. Ltd. came.", "Take max. 3 and min. 2 a day, see cap. 4.", "He met Max.", "I did."],
    [
        "He left the CIA.",
        "She works for the FA.",
        "It was a STD.",
        "Never mind.",
        "We go at five.",
        "The cap.",
        "Bye.",
    ],
    ["Стихи А. С. Пушкина на стр. 5.", "Конец."],
    ["Ο Κ. Π. Καβάφης έγραψε.", "Τέλος."],
    # and English that looks like it
    ["It was plan B.", "Then he came in at number 3.", "May she rest."],
    ["The index rose by 12.", "Oil fell by 5.", "March was better."],
    ["He works for ING.", "She works in HR.", "The SIG.", "The end."],
]


@pytest.mark.parametrize("sentences", OTHERS)
def test_other_languages_without_being_told(sentences: list[str]):
    assert cut(" ".join(sentences)) == sentences
    whole, rest = streamed(list(" ".join(sentences)))
    assert [*map(str.strip, whole), *cut(rest)] == sentences


def test_lines_that_stand_alone():
    text = (
        "SOURCE / ECONOMY\nA headline without a full stop\nPublished: Dec 05, 2025 04:56 PM\n\nFirst. Second.\nThird."
    )
    expected = [*text.split("\n")[:3], "First.", "Second.", "Third."]
    assert cut(text) == expected


def test_markdown():
    text = "# Heading\nText one. Text two.\n- item one\n- item two goes on. And on.\n| a. b | c |\n\n> quoted"
    expected = ["# Heading", "Text one.", "Text two.", "- item one", "- item two goes on.", "And on.", "| a. b | c |"]
    assert cut(text) == [*expected, "> quoted"]


def test_a_row_of_a_table_is_one_whatever_is_in_its_cells():
    rows = [
        "| Dosage | Take 2 tablets. Do not exceed 8. | Adults |",
        "  | Is it? | Yes! 是。不是。 |",
        "Text one.",
        "Two.",
    ]
    text = "\n".join(["\n".join(rows[:2]), " ".join(rows[2:])])
    assert cut(text) == [row.strip() for row in rows]
    whole, rest = streamed(list(text))
    assert [*map(str.strip, whole), *cut(rest)] == [row.strip() for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        "word " * 1000,
        "x" * 3000,
        "词，" * 1500,
        "e\u0301" * 2000,
        "Start. " + "tables and lists " * 200 + "end. Next one.",
    ],
)
def test_what_has_no_end_comes_in_parts(text: str):
    found = spans(text)
    assert max(span.end - span.start for span in found) <= 500
    assert min(span.end - span.start for span in found if span.end - span.start > 10) > 100
    assert "".join("".join(cut(text)).split()) == "".join(text.split())
    assert not any(part.startswith("\u0301") for part in cut(text))
    assert "wor" not in cut(text)
    assert len(spans(text, whole=True)) < len(found)


def test_parts_end_where_lines_do():
    line = "this line of an endless list goes on with some more of the words that and"
    parts = cut("\n".join([line] * 30))
    assert len(parts) > 3
    assert all(part.startswith("this line") and part.endswith(" and") for part in parts)


def test_a_long_sentence_stays_whole():
    sentence = "The committee, " + "which met on Monday, " * 30 + "agreed."
    assert cut(f"{sentence} Then it left.") == [sentence, "Then it left."]


def test_wrapped_lines_are_one_paragraph():
    text = (
        "This is a paragraph of text that the editor of some\n"
        "Chinese paper has broken at fifty columns. It goes\n"
        "on for more lines, as Mr. Smith would like it. Done.\n"
        "- an item that is long enough to be wrapped as well\n"
        "  with its second line. And more."
    )
    assert [sentence.replace("\n", " ") for sentence in cut(text)] == [
        "This is a paragraph of text that the editor of some Chinese paper has broken at fifty columns.",
        "It goes on for more lines, as Mr. Smith would like it.",
        "Done.",
        "- an item that is long enough to be wrapped as well   with its second line.",
        "And more.",
    ]


def test_quotation_that_never_closes_does_not_swallow_the_text():
    text = 'He said "so. ' + "This is a sentence of the text. " * 30
    assert len(cut(text)) >= 30


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\t \n"])
def test_nothing(text: str):
    assert spans(text) == []
    assert streamed([text]) == ([], text)


def test_stream_gives_sentences_as_soon_as_the_next_word_is_complete():
    stream = SentenceStream()
    assert stream.feed("China spent 3") == []
    assert stream.feed(".") == []
    assert stream.feed("6 trillion yuan.") == []
    assert stream.feed(" It") == []
    assert stream.feed(" rose") == ["China spent 3.6 trillion yuan. "]
    assert stream.feed(" on Dec.") == []
    assert stream.feed(" 5 in the U.S. Government") == []
    assert stream.feed(".\n\nThe") == []
    assert stream.feed("\n") == ["It rose on Dec. 5 in the U.S. Government.\n\n"]
    assert stream.flush() == "The\n"
    assert stream.flush() == ""


def test_stream_needs_no_word_after_a_chinese_full_stop():
    assert streamed(["这是第一句。这"]) == (["这是第一句。"], "这")


def test_rest_of_a_stream_can_be_cut():
    sentences, rest = streamed(["One is here. Two. Three."])
    assert sentences == ["One is here. "]
    assert cut(rest) == ["Two.", "Three."]


BITS = [
    *(
        "The",
        "rank",
        "said",
        "he",
        "Lin",
        "Mr.",
        "U.S.",
        "e.g.",
        "3.6",
        "Dec.",
        "5",
        "No.",
        "Abs.",
        "Oktober",
        "А.",
        "1.",
        "It",
        "I",
        "word " * 7,
    ),
    *("[1]", "[2", "](", "(", ")", '"', "'", "“", "”", "„", "«", "»", "...", "…", "!", "?", ".", ":", "’s", "**", "_"),
    *(" ", "  ", "\n", "\n\n", "\t", "- ", "# ", "a)", "|", "x" * 30, "😀"),
    *("。", "！", "」", "「", "と", "说", "他", "，", "中", "．", "３", "。”"),
]
ONE_LINE = [bit for bit in BITS if "\n" not in bit]
texts = st.lists(st.sampled_from(BITS), max_size=60).map("".join) | st.text(max_size=80)


@given(texts, st.lists(st.integers(1, 40)))
@example("。  The", [])
@example("end. [1] Next one", [4])
def test_stream_keeps_everything_and_does_not_depend_on_chopping(text: str, lengths: list[int]):
    whole = streamed([text])
    assert "".join(whole[0]) + whole[1] == text
    assert all(sentence.strip() for sentence in whole[0])
    ends = [0, *(sum(lengths[: number + 1]) for number in range(len(lengths))), len(text)]
    assert streamed([text[start:end] for start, end in pairwise(ends)] if ends[-2] <= len(text) else [text]) == whole
    assert streamed(list(text)) == whole


@given(texts)
def test_what_is_settled_stays_in_the_open_sentence(text: str):
    stream = SentenceStream()
    promised = ""
    rest = text
    for character in text:
        for sentence in stream.feed(character):
            assert sentence.startswith(promised)
            rest = rest[len(sentence) :]
            promised = ""
        promised = max(promised, rest[: stream.settled], key=len)
    assert stream.flush().startswith(promised)


@given(texts)
def test_spans_are_in_order_and_miss_nothing(text: str):
    at = 0
    for span in spans(text):
        assert at <= span.start < span.end
        assert not text[at : span.start].strip()
        assert text[span.start : span.end] == text[span.start : span.end].strip()
        at = span.end
    assert not text[at:].strip()


@settings(max_examples=300)
@given(st.lists(st.sampled_from(ONE_LINE), max_size=60).map("".join))
def test_stream_and_spans_agree(text: str):
    """But for what is too long to be quoted whole: that is known only at its end."""
    sentences, rest = streamed([text])
    whole, last = ([one[span.start : span.end] for span in spans(one, whole=True)] for one in (text, rest))
    assert [sentence.strip() for sentence in sentences] + last == whole
