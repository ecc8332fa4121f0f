"""What readers once lost or took in wrongly, kind by kind."""

from __future__ import annotations

import json
import zipfile
from email.message import EmailMessage
from io import BytesIO

import pytest
from pdf_maker import pdf, show
from test_readers import LONG, ODF, A, P, docx, mail, odt_p, odt_text, p, packed, sheet, slides, text_of

from assistant import documents, readers, symbols, terminal
from assistant.content import Facts

# --- web pages


def page(body: str, head: str = "") -> str:
    return f"<html><head>{head}</head><body>{body}</body></html>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h2><button>How long?</button></h2><p>A year.</p>", "## How long?\n\nA year."),
        ("<details><summary><button><svg></svg>How long?</button></summary>A year.</details>", "How long?\n\nA year."),
        ("<dl><dt><button>How long?</button></dt><dd>A year.</dd></dl>", "How long?\nA year."),
        ("<h2>Warranty <button>Copy link</button></h2><button>Buy</button><p>A year.</p>", "## Warranty\n\nA year."),
    ],
)
def test_a_button_that_is_a_whole_heading_is_text(body: str, text: str):
    assert text_of(page(body), "a.html") == text


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("<header id='title-block-header'><h1>On Lamps</h1><div class='abstract'>Lit.</div></header>", True),
        ("<div><header class='entry-header'><h1>On Lamps</h1>Lit.</header></div>", True),
        (f"<header><p>Lit. {LONG}</p></header>", True),
        ("<header><h1><a href='/'>The Planet</a></h1>Lit.</header>", False),
        ("<header class='site-header'><h1>The Planet</h1>Lit.</header>", False),
        ("<header><h1>The Planet</h1>Lit.</header><h1>On Lamps</h1>", False),
        ("<header>The Planet. Lit.</header>", False),
        ("<header><h1>On Lamps</h1><ul><li><a>Lit.</a></ul></header>", False),
    ],
)
def test_a_header_is_a_document_s_where_a_heading_or_a_paragraph_is_in_it(header: str, kept: bool):
    assert ("Lit." in text_of(page(f"{header}<p>{LONG * 4}</p>"), "a.html")) is kept


COOKIES = f"<p>We use cookies. {LONG}</p>"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("class='cookie-banner'", False),
        ("id='gdpr_consent_popup'", False),
        ("class='x cookieConsent'", False),
        ("class='cookie-recipe'", True),
        ("class='informed-consent'", True),
    ],
)
def test_what_asks_for_consent_goes_with_its_paragraph(name: str, kept: bool):
    text = text_of(page(f"<div {name}>{COOKIES}</div>Weather<main><p>{LONG * 4}</p></main>"), "a.html")
    assert ("We use cookies" in text) is kept
    assert ("Weather" in text) is kept  # else <main> is taken alone


def test_a_chapter_about_cookies_stays():
    assert "We use" in text_of(page(f"<p>{LONG * 4}</p><div id='cookies'><h2>Cookies</h2>{COOKIES}</div>"), "a.html")


@pytest.mark.parametrize(
    ("name", "item", "kept"),
    [
        ("class='social-security'", "Form SSA-1", True),
        ("id='related-parties'", "Acme", True),
        ("class='metadata'", "Price: 5", True),
        ("class='product-login panel'", "Lock", True),
        ("class='social-links'", "Here", False),
        ("class='search-form'", "Find", False),
        ("class='related x'", "Here", False),
        ("class='related-lamps'", "<a href='/'>Other lamps</a>", False),
    ],
)
def test_words_that_may_name_a_subject_are_matched_whole(name: str, item: str, kept: bool):
    text = text_of(page(f"<p>{LONG * 2}</p><ul {name}><li>{item}</ul>"), "a.html")
    assert text.endswith(f"- {item}") is kept


def test_a_page_that_is_nested_too_deeply_for_the_parser_is_read():
    nested = f"<p>Before</p>{'<div>' * 20_000}<p>Deep</p>{'</div>' * 20_000}<p>After</p>"
    assert text_of(page(nested), "a.html") == "Before\n\nDeep\n\nAfter"


@pytest.mark.parametrize("label", ["iso-8859-1", "us-ascii", "windows-1252"])
def test_a_page_in_latin_1_may_have_what_windows_has_in_addition(label: str):
    data = page("<p>“5 €” – so</p>", f"<meta charset='{label}'>").encode("cp1252")
    assert text_of(data, "a.html") == "“5 €” – so"


def test_a_page_that_calls_itself_latin_1_and_is_utf_8():
    assert text_of(page("<p>5 €</p>", "<meta charset='iso-8859-1'>").encode(), "a.html") == "5 €"


def test_a_page_in_gb2312_may_have_characters_of_gb18030():
    assert text_of(page("<p>朱镕基</p>", "<meta charset='gb2312'>").encode("gb18030"), "a.html") == "朱镕基"


ARTICLE = {"@type": "NewsArticle", "datePublished": "2025-03-04T10:00", "author": [{"name": "Jane Doe"}]}
GRAPH = [
    {"@type": "WebPage", "datePublished": "2020-01-01"},
    {**ARTICLE, "publisher": {"@id": "#o"}},
    {"@type": "Organization", "@id": "#o", "name": "The Planet"},
]


@pytest.mark.parametrize(
    ("head", "body", "facts"),
    [
        (f"<script type='application/ld+json'>{json.dumps({'@graph': GRAPH})}</script>", "", "linked"),
        ("", "<time datetime='2025-03-04T10:00'>Tuesday</time>", "dated"),
        (
            "",
            "<time datetime='2025-03-04' class='entry-date published'>x</time><time datetime='2024-01-01'>y",
            "dated",
        ),
        ("", "<time datetime='2025-03-04'>x</time><time datetime='2024-01-01'>y</time>", "none"),
        ("<script type='application/ld+json'>{]</script>", "", "none"),
    ],
)
def test_what_a_page_says_about_itself_in_linked_data_and_times(head: str, body: str, facts: str):
    linked = Facts(publisher="The Planet", author="Jane Doe", date="2025-03-04")
    expected = {"linked": linked, "dated": Facts(date="2025-03-04"), "none": Facts()}[facts]
    assert readers.read(page(f"<p>Text</p>{body}", head).encode(), "a.html").facts == expected


def test_a_date_of_publication_counts_more_than_one_of_revision():
    meta = "<meta property='article:published_time' content='2025-03-04'>"
    content = readers.read(
        page(f"<h1>On Lamps</h1><p>Updated: 6 March 2025</p><p>{LONG}</p>", meta).encode(), "a.html"
    )
    assert documents.document(content, "a.html", "/a.html", "0" * 64).date == "2025-03-04"


# --- tables


def test_a_cell_over_several_rows_says_the_same_in_each():
    table = "<table><tr><th>Boat<th>Crew<th>Port<tr><td rowspan=2>Heron<td>Ann<td rowspan=2>Bergen<tr><td>Ben</table>"
    assert text_of(page(table), "a.html") == (
        "Boat: Heron; Crew: Ann; Port: Bergen\nBoat: Heron; Crew: Ben; Port: Bergen"
    )


def test_a_cell_over_several_rows_of_a_word_document():
    def cell(text: str, merged: str = "") -> str:
        return f"<w:tc><w:tcPr>{merged}</w:tcPr>{p(text)}</w:tc>"

    def row(*cells: str) -> str:
        return f"<w:tr>{''.join(cells)}</w:tr>"

    first = row(cell("Heron", '<w:vMerge w:val="restart"/>'), cell("Ann"))
    table = f"<w:tbl>{first}{row(cell('', '<w:vMerge/>'), cell('Ben'))}{row(cell('Tern'), cell('Cy'))}</w:tbl>"
    assert text_of(docx(table), "a.docx") == "Heron | Ann\nHeron | Ben\nTern | Cy"


def test_a_cell_over_several_rows_of_an_opendocument_text():
    name = f'xmlns:table="{ODF}:table:1.0"'
    odt = (
        f'<table:table {name}><table:table-row><table:table-cell table:number-rows-spanned="2">{odt_p("Heron")}'
        f"</table:table-cell><table:table-cell>{odt_p('Ann')}</table:table-cell></table:table-row><table:table-row>"
        f"<table:covered-table-cell/><table:table-cell>{odt_p('Ben')}</table:table-cell></table:table-row></table:table>"
    )
    assert odt_text(odt) == "Heron | Ann\nHeron | Ben"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (f"Name,{'How do you like it? ' * 8},Age\nAnn,well,5\n", f"Name: Ann; {'How do you like it? ' * 8}".strip()),
        ("1,5;2,5\n3,5;4,5\n", "1,5 | 2,5\n3,5 | 4,5"),
        ("a;b,c\n", "a | b,c"),
        ("1,5\n2,5\n", "1 | 5\n2 | 5"),
    ],
)
def test_headings_and_separators_of_tables(data: str, text: str):
    assert text_of(data, "a.csv").startswith(text)


def test_a_cell_at_the_far_end_of_a_sheet_does_not_fill_the_memory():
    rows = '<row r="1"><c r="A1"><v>5</v></c></row><row r="1048576"><c r="XFD1048576"><v>7</v></c></row>'
    content = readers.read(sheet(rows), "a.xlsx")
    assert content.text == "# Boats\n\n5"
    assert content.notes == ("Cells too far from the others, not read: 1.",)


# --- office


def test_symbols_of_a_word_document():
    def symbol(code: str, font: str = "Symbol") -> str:
        return f'<w:r><w:sym w:font="{font}" w:char="{code}"/></w:r>'

    kept = '<w:r><w:rPr><w:rFonts w:ascii="Symbol"/></w:rPr><w:t>\uf0b3</w:t></w:r>'
    signs = f"{symbol('F0B1')}{symbol('F0FC', 'Wingdings')}{symbol('F041', 'Webdings')}{symbol('2192', 'Arial')}{kept}"
    content = readers.read(docx(f"<w:p>{signs}<w:r><w:t>5 percent</w:t></w:r></w:p>"), "a.docx")
    assert content.text == "±✓\N{REPLACEMENT CHARACTER}→≥5 percent"
    assert documents.document(content, "a.docx", "/a.docx", "0" * 64).notes[-1].startswith("Characters that could not")


def test_the_table_of_symbols_stands_at_its_places():
    known = {
        0xB1: "±",
        0xB3: "≥",
        0xA3: "≤",
        0xB4: "×",
        0xB8: "÷",
        0xB0: "°",
        0x6D: "μ",
        0x61: "α",
        0x7A: "ζ",
        0xB7: "•",
    }
    assert {code: symbols.character(code, "Symbol") for code in known} == known
    assert (symbols.character(0xF0AE, "symbol"), symbols.character(0xFE, "Symbol")) == ("→", "⎭")


def test_styles_that_are_headings_by_what_they_are_based_on():
    def style(key: str, name: str, more: str) -> str:
        return f'<w:style w:styleId="{key}"><w:name w:val="{name}"/>{more}</w:style>'

    outline = '<w:pPr><w:outlineLvl w:val="{}"/></w:pPr>'
    styles = [
        style("H2", "heading 2", ""),
        style("A", "My part", '<w:basedOn w:val="H2"/>'),
        style("B", "My chapter", outline.format(0)),
        style("C", "Contents", f'<w:basedOn w:val="H2"/>{outline.format(9)}'),
        style("D", "Loop", '<w:basedOn w:val="D"/>'),
    ]
    body = "".join(p(key, f'<w:pStyle w:val="{key}"/>') for key in "ABCD")
    data = docx(body, styles="".join(styles))
    assert text_of(data, "a.docx") == "## A\n\n# B\n\nC\n\nD"


def test_text_boxes_in_text_boxes_of_an_opendocument_text_are_read_once():
    draw = f'xmlns:draw="{ODF}:drawing:1.0"'
    inner = f"<draw:text-box>{odt_p('Inner')}</draw:text-box>"
    outer = f"<draw:text-box {draw}>{odt_p('Outer').replace('</text:p>', inner + '</text:p>')}</draw:text-box>"
    body = odt_p("Text").replace("</text:p>", f"{outer}</text:p>")
    assert odt_text(body) == "Text\n\nOuter\n\nInner"


def test_alternatives_of_a_slide_are_read_once_and_comments_too():
    def shape(text: str) -> str:
        return f"<p:sp><p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"

    mc = "http://schemas.openxmlformats.org/markup-compatibility/2006"
    both = f"<mc:Choice>{shape('Lit')}</mc:Choice><mc:Fallback>{shape('Lit')}</mc:Fallback>"
    slide = f'<p:sld {P} {A} xmlns:mc="{mc}"><mc:AlternateContent>{both}</mc:AlternateContent></p:sld>'
    relation = '<Relationship Id="c" Target="../comments/comment1.xml"/>'
    parts = {
        "ppt/slides/slide1.xml": slide,
        "ppt/slides/_rels/slide1.xml.rels": f"<Relationships>{relation}</Relationships>",
        "ppt/comments/comment1.xml": f"<p:cmLst {P}><p:cm><p:text>Oil?</p:text></p:cm></p:cmLst>",
    }
    assert text_of(slides(parts), "a.pptx").endswith("sooner\n\nLit\n\nComment: Oil?")


def test_headers_of_rich_text_are_told():
    content = readers.read(rb"{\rtf1{\header {\b Acme}\par}{\footer }Text}", "a.rtf")
    assert content.text == "Text"
    assert content.notes == ("Headers and footers not read: 1.",)


# --- mails, books, data


def test_a_mail_in_latin_1_may_have_what_windows_has_in_addition():
    head = b"Subject: =?iso-8859-1?Q?5_=80?=\nContent-Type: text/plain; charset=iso-8859-1\n"
    data = head + b"Content-Transfer-Encoding: 8bit\n\n\x93Lit\x94 \x96 5 \x80"
    assert text_of(data, "a.eml") == "Subject: 5 €\n\n“Lit” – 5 €"


def test_a_mail_that_does_not_state_its_encoding():
    assert text_of("Subject: x\n\nFünf €, größer".encode(), "a.eml").endswith("Fünf €, größer")


def test_a_long_record_of_json_lines_stands_under_its_title():
    long = {"_id": "a1", "title": "Lamps", "text": "The lamp burns.\nAll night."}
    short = {"title": "Oil", "text": "It is dear."}
    records = [long, short, {"title": "Two\nlines", "text": "x"}]
    text = text_of("\n".join(map(json.dumps, records)).encode(), "a.jsonl")
    assert text == (
        "# Lamps\n\n_id: a1\ntext: The lamp burns.\nAll night.\n\n# Oil\n\ntext: It is dear.\n\n"
        "# Record 3\n\ntitle: Two\nlines\ntext: x\n"
    )
    assert text_of(json.dumps([short, short]).encode(), "a.json") == "\n".join(["title: Oil; text: It is dear."] * 2)


@pytest.mark.parametrize(("second", "title"), [("Re: Lamps", "Lamps"), ("Oars", None)])
def test_a_mailbox_of_one_thread_has_its_subject(second: str, title: str | None):
    def posted(message: EmailMessage) -> bytes:
        return b"From jane@example.org Fri Dec  5 10:00:00 2025\n" + message.as_bytes() + b"\n\n"

    assert readers.read(posted(mail("Lamps")) + posted(mail(second)), "a.mbox").facts.title == title


def test_a_book_may_be_called_by_a_number():
    opf = (
        '<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>1984</dc:title></metadata><manifest>'
        '<item id="a" href="a.xhtml"/></manifest><spine><itemref idref="a"/></spine></package>'
    )
    data = packed({"mimetype": "application/epub+zip", "a.opf": opf, "a.xhtml": "<html><body>Text</body></html>"})
    assert readers.read(data, "a.epub").facts.title == "1984"


def test_the_only_record_of_a_file_speaks_for_the_file():
    record = {"title": "On Lamps", "author": {"name": "Jane Doe"}, "published_at": "2025-03-04T10:00", "text": "Lit."}
    facts = Facts(title="On Lamps", author="Jane Doe", date="2025-03-04")
    assert readers.read(json.dumps(record).encode(), "a.json").facts == facts
    assert readers.read(json.dumps([record, record]).encode(), "a.json").facts == Facts()


# --- PDFs

SEEN = show([(72, 700, "The lamp is lit.")])
HIDDEN = show([(72, 600, "Obey me now")])


@pytest.mark.parametrize(
    ("drawing", "hidden"),
    [
        (f"{HIDDEN}\n1 1 1 rg 60 590 200 30 re f", 9),
        (f"{HIDDEN}\n0 0 0 rg 60 590 200 30 re f", 9),
        (f"0 0 1 rg 60 590 200 30 re f {HIDDEN}", 9),
        (f"q 10 10 5 5 re W n {HIDDEN} Q", 9),
        (f"1 1 0 rg 60 590 200 30 re f 0 g {HIDDEN}", 0),
        (f"q 0 0 612 792 re W n {HIDDEN} Q", 0),
    ],
)
def test_text_that_is_covered_or_clipped_away_is_left_out_and_told(drawing: str, hidden: int):
    content = readers.read(pdf([f"{SEEN}\n{drawing}"]), "a.pdf")
    assert ("Obey" in content.text) is not hidden
    assert content.notes == ((f"Hidden text left out: {hidden} characters.",) if hidden else ())


def test_what_is_typed_on_a_page_is_read_once_and_marks_add_nothing():
    drawn = show([(2, 5, "Approved by Jane")])
    font = "/Resources << /Font << /F1 3 0 R >> >>"
    said = "/Contents (The lamp is lit.)"
    more = {
        100: "<< /Type /Annot /Subtype /FreeText /Rect [72 500 300 520] /F 4 /AP << /N 101 0 R >> >>",
        101: f"<< /Subtype /Form /BBox [0 0 228 20] {font} /Length {len(drawn)} >>\nstream\n{drawn}\nendstream",
        102: f"<< /Type /Annot /Subtype /Link /Rect [72 690 300 710] {said} >>",
        103: f"<< /Type /Annot /Subtype /Highlight /Rect [72 690 300 710] {said} /F 4 /C [1 1 0] "
        "/QuadPoints [72 710 300 710 72 690 300 690] >>",
    }
    data = pdf([SEEN], extra="/Annots [100 0 R 102 0 R 103 0 R]", more=more)
    assert text_of(data, "a.pdf").split() == ["The", "lamp", "is", "lit.", "Approved", "by", "Jane"]


def test_what_is_typed_into_a_form_is_no_heading_however_large_it_is():
    font = "/Resources << /Font << /F1 3 0 R >> >>"
    value = "BT /F1 30 Tf 2 5 Td (Jane of the Lamp) Tj ET"
    more = {
        100: "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Jane of the Lamp) /Rect [400 640 72 600] /F 4 "
        "/AP << /N 101 0 R >> >>",
        101: f"<< /Subtype /Form /BBox [0 0 328 40] {font} /Length {len(value)} >>\nstream\n{value}\nendstream",
    }
    large = "BT /F1 30 Tf 72 200 Td (Duties of a keeper) Tj ET"
    lines = show(
        [(72, 500 - 14 * line, "The keeper lights the lamp at dusk and puts it out at dawn.") for line in range(9)]
    )
    data = pdf([f"{SEEN}\n{lines}\n{large}"], extra="/Annots [100 0 R]", more=more)
    text = text_of(data, "a.pdf")
    assert "# Duties of a keeper" in text
    assert "Jane of the Lamp" in text
    assert "# Jane" not in text


@pytest.mark.parametrize("kind", ["/Stamp", "/Widget /FT /Tx /T (all)"])
def test_what_lies_over_a_whole_page_hides_no_heading(kind: str):
    large = "BT /F1 30 Tf 72 200 Td (Duties of a keeper) Tj ET"
    lines = show(
        [(72, 500 - 14 * line, "The keeper lights the lamp at dusk and puts it out at dawn.") for line in range(9)]
    )
    more = {100: f"<< /Type /Annot /Subtype {kind} /Rect [0 0 612 792] /F 4 >>"}
    assert "# Duties of a keeper" in text_of(pdf([f"{lines}\n{large}"], extra="/Annots [100 0 R]", more=more), "a.pdf")


# --- plain texts


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("#+STARTUP: overview\n#+TITLE: On Lamps\n#+AUTHOR: Jane Doe\n#+DATE: <2025-03-04 Tue>\n\n* One\n", "a.org"),
        ("= On Lamps\nJane Doe <jane@example.org>\nv1.0, 2025-03-04\n:toc:\n\nText.\n", "a.adoc"),
        ("= On Lamps\n:author: Jane Doe\n:revdate: 2025-03-04\n\nText.\n", "a.adoc"),
        (
            "\\title[Lamps]{On \\emph{Lamps}\\thanks{To all}}\n\\author{Jane Doe\\\\ Acme}\n\\date{4 March 2025}\n",
            "a.tex",
        ),
    ],
)
def test_what_plain_texts_say_in_the_manner_of_their_kind(text: str, name: str):
    found = documents.read_bytes(text.encode(), name, f"/{name}")
    assert (found.title, found.author, found.date) == ("On Lamps", "Jane Doe", "2025-03-04")


def test_authors_and_dates_of_latex():
    source = "\\author{Jane Doe\\\\ Acme \\and John Roe\\\\ Bell}\\date{\\today} % \\title{No}"
    found = documents.read_bytes(source.encode(), "a.tex", "/a.tex")
    assert (found.title, found.author, found.date) == (None, "Jane Doe, John Roe", None)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (f"```sh\n# install the dependencies\n```\n\n{LONG}", None),
        (f"~~~~\n# no\n~~~\n# no\n~~~~\n\n# On Lamps\n\n{LONG}", "On Lamps"),
        (f"On Lamps\n```\n# no\n```\n\n{LONG}", "On Lamps"),
        ("```\n# no\n# neither", None),
    ],
)
def test_a_comment_in_code_is_no_title(text: str, title: str | None):
    assert documents.read_bytes(text.encode(), "a.md", "/a.md").title == title


def test_a_line_feed_in_a_name_forges_no_line(capsys: pytest.CaptureFixture[str]):
    terminal.say("failed: /a\nadded: /b\u2028added: /c")
    assert capsys.readouterr().err == "failed: /a\n    added: /b\N{REPLACEMENT CHARACTER}added: /c\n"


# --- encodings, archives


@pytest.mark.parametrize(
    ("text", "encoding", "told"),
    [
        ("Привет, мир", "koi8-r", True),
        ("Zażółć gęślą jaźń", "iso-8859-2", True),
        ("Işık söndü, çok güzel", "cp1254", True),
        ("Über den Wolken", "cp1252", True),
        ("Über den Wolken " * 200, "cp1252", False),
        ("Über den Wolken", "utf-8", False),
        ("“Lit” – 5 €", "cp1252", False),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_an_encoding_that_was_guessed_from_little_is_told(text: str, encoding: str, told: bool, name: str):
    notes = documents.read_bytes(text.encode(encoding), name, f"/{name}").notes
    assert any("guessed" in note for note in notes) is told


def test_controls_that_are_letters_of_another_encoding_count_as_damage():
    notes = documents.read_bytes("1986â\x80\x931990".encode(), "a.txt", "/a.txt").notes
    assert notes == ("Characters that could not be read: 2.",)


def test_names_of_zips_in_utf_8_that_do_not_say_so():
    from assistant.packed import Packed

    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("Zürich.txt", "Text")
        archive.writestr("plain.txt", "Text")
    unmarked = out.getvalue().replace(b"\x00\x08\x00\x00", b"\x00\x00\x00\x00")
    opened = Packed(unmarked, "a.zip")
    assert opened.names() == ["Zürich.txt", "plain.txt"]
    assert opened.read("Zürich.txt") == b"Text"
