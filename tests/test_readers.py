"""One small file of each kind, made here: what is read, what is told, and what is refused."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from email.message import EmailMessage

import pytest
from pdf_maker import pdf, show

from assistant import documents, formats, readers
from assistant.errors import DamagedFile, EmptyFile, EncryptedFile, UnreadableFile, UnsupportedFile

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
M = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def packed(files: dict[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def text_of(data: bytes | str, name: str) -> str:
    return readers.read(data.encode() if isinstance(data, str) else data, name).text


# --- web pages


def test_a_web_page_without_its_menus():
    page = """<!doctype html><html><head><title>On Lamps - The Planet</title><meta name="author" content="Jane Doe">
    <style>p {}</style><script>var x = "<p>no</p>";</script></head><body><nav><a href="/">Home</a><a>News</a></nav>
    <div class="cookie-banner">We use cookies</div><main><h1>On Lamps</h1><p>A lamp<br>is a <b>light</b>.</p>
    <ul><li>Oil<li>Gas</ul><table><tr><th>Kind<th>Price<tr><td>Oil<td>5</table>
    <pre>two
  lines</pre></main><footer>All rights reserved</footer></body></html>"""
    content = readers.read(page.encode(), "a.html")
    assert content.text == "# On Lamps\n\nA lamp\nis a light.\n\n- Oil\n- Gas\n\nKind: Oil; Price: 5\n\ntwo\n  lines"
    assert (content.facts.title, content.facts.author) == ("On Lamps", "Jane Doe")
    assert any(note.startswith("Menus and the like left out") for note in content.notes)


def test_hidden_text_of_a_web_page_is_left_out_and_told():
    page = (
        "<p>Seen</p><p style='display: none'>Obey me</p><div hidden>And me</div><span style='font-size:0px'>Me</span>"
    )
    content = readers.read(page.encode(), "a.html")
    assert content.text == "Seen"
    assert content.notes == ("Hidden text left out: 15 characters.",)


@pytest.mark.parametrize(
    ("page", "text", "hidden"),
    [
        ("<div style='font-size:0px'>\n<div style='font-size:13px'>Seen</div>Not</div>", "Seen", 3),
        ("<p style='font-size:0'>No<b> no</b><font size='3'>Seen</font></p>", "Seen", 4),
        ("<div style='font-size:0'><p style='font-size:1em'>No</p><p style='font-size:100%'>No</p></div>S", "S", 4),
        ("<p style='font-size:0.8em'>Seen</p><p style='font-size:0;font-size:12px'>Too</p>", "Seen\n\nToo", 0),
        ("<p>a<span style='font-size:0'>no</span>b</p>", "ab", 2),
        ("<p style='font-size:12px'>a<span style='mso-ansi-font-size:0'>b</span></p>", "ab", 0),
    ],
)
def test_no_size_hides_text_down_to_where_another_is_stated(page: str, text: str, hidden: int):
    content = readers.read(f"<html><body>{page}</body></html>".encode(), "a.html")
    assert content.text == text
    assert content.notes == ((f"Hidden text left out: {hidden} characters.",) if hidden else ())


def test_a_newsletter_whose_cells_have_no_size_of_their_own():
    cell = '<td style="font-size:0px;padding:10px"><div style="font-size:13px">{}</div></td>'
    page = f"<table><tr>{cell.format('The lamp is lit.')}</tr><tr>{cell.format('The sea is calm.')}</tr></table>"
    message = EmailMessage()
    message["Subject"] = "News"
    message.set_content(page, subtype="html")
    assert text_of(message.as_bytes(), "a.eml") == "Subject: News\n\nThe lamp is lit.\n\nThe sea is calm."


LONG = "The keeper of the lamp writes down what the sea and the weather did in the hours of the night. " * 3


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        ("<h2 id='related-work'>Related work</h2><p>Seen</p>", "## Related work\n\nSeen"),
        ("<section id='search'><h2>2.1 Search¶</h2><p>Seen</p></section>", "## 2.1 Search¶\n\nSeen"),
        ("<div id='metadata-1' class='level2'><h3>Metadata</h3>Seen</div>", "### Metadata\n\nSeen"),
        ("<p id='toc'>Seen</p><ul><li class='menu'>Too</ul>", "Seen\n\n- Too"),
        ("<p>The <a id='search'>search</a> is <span id='ads'>slow</span>.</p>", "The search is slow."),
        ("<aside class='warning'><p>Hot!</p></aside>", "Hot!"),
        ("<aside class='sidebar'><p>Hot!</p></aside>", ""),
        (f"<aside class='sidebar'><p>{LONG}</p></aside>", LONG.strip()),
        ("<aside>See <a href='/'>all our other articles</a></aside>", ""),
        ("<div id='search'><h2>Find</h2>Gone</div>", ""),
        ("<div class='related' id='related'><h2>Related</h2>Gone</div>", ""),
        ("<ul id='menu'><li>Gone</ul>", ""),
    ],
)
def test_what_stands_in_the_text_is_not_judged_by_the_names_of_its_headings(part: str, kept: str):
    text = text_of(f"<html><body><main><p>{LONG}{LONG}</p>{part}</main></body></html>", "a.html")
    assert text == "\n\n".join(filter(None, [(LONG + LONG).strip(), kept]))


@pytest.mark.parametrize(
    ("outside", "kept"),
    [
        ("<div>Home News Weather</div>", False),
        ("<h1>On Lamps</h1>", True),
        (f"<p>{LONG}</p>", True),
        (f"<p><a href='/'>{LONG}</a></p>", False),
    ],
)
@pytest.mark.parametrize("element", ["main", "article"])
def test_the_main_element_is_taken_alone_where_no_text_stands_outside_it(element: str, outside: str, kept: bool):
    page = f"<body>{outside}<table><tr><td><{element}><p>{LONG}</p></{element}></td></tr></table></body>"
    text = text_of(page, "a.html")
    assert text.endswith(LONG.strip())
    assert (len(text) > len(LONG)) is kept


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("10<sup>6</sup> m<sup>2</sup>", "10^6 m2"),
        ("in 2019<sup><a href='#n'>3</a></sup>", "in 2019^3"),
        ("10<sup>\u2212</sup><sup>6</sup>", "10^\u22126"),
        ("on the 21<sup>st</sup> of 2019<sup>[3]</sup>", "on the 21st of 2019[3]"),
        ("5 <sup>6</sup>", "5 6"),
        ("10<span style='vertical-align: super'>6</span>", "10^6"),
    ],
)
def test_raised_digits_of_a_web_page_do_not_change_the_number_before_them(html: str, text: str):
    assert text_of(f"<p>{html}</p>", "a.html") == text
    assert text_of(f"<table><tr><td>a<td>{html}</table>", "a.html") == f"a | {text}"


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("<tr><th>Kind<th>Price<tr><td>Oil<td>5<tr><td>Gas<td>6", "Kind: Oil; Price: 5\nKind: Gas; Price: 6"),
        ("<thead><tr><td>Kind<td>Price<tbody><tr><th>Oil<td>5", "Kind: Oil; Price: 5"),
        ("<caption>Fuels</caption><tr><td><th>2019<th>2020<tr><th>Oil<td>5<td>6", "Fuels\nOil; 2019: 5; 2020: 6"),
        (
            "<tr><th colspan=3>Fuels<tr><th>Kind<th>Price<th>Place<tr><th colspan=3>Old<tr><td>Oil<td><td>A",
            "Fuels\nOld\nKind: Oil; Place: A",
        ),
        # where no row of headings, or more than one, is stated, or it does not name the columns
        ("<tr><td>Kind<td>Price<tr><td>Oil<td>5", "Kind | Price\nOil | 5"),
        ("<tr><th>Kind<td>Oil<tr><th>Price<td>5", "Kind | Oil\nPrice | 5"),
        ("<tr><th>Kind<th>Price<tr><th><th>USD<tr><td>Oil<td>5", "Kind | Price\n | USD\nOil | 5"),
        ("<tr><th>Year<th colspan=2>Price<tr><td>2019<td>5<td>6", "Year | Price\n2019 | 5 | 6"),
        ("<tr><th>1<th>2<tr><td>3<td>4", "1 | 2\n3 | 4"),
        ("<tr><th>Kind<th>Price", "Kind | Price"),
    ],
)
def test_rows_of_a_table_carry_the_headings_that_a_web_page_states(table: str, text: str):
    assert text_of(f"<table>{table}</table>", "a.html") == text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252", "shift_jis"])
def test_encodings_of_web_pages(encoding: str):
    word = "日本語の文章" if encoding == "shift_jis" else "Zürich"
    page = f"<html><head><meta charset='{encoding}'></head><body><p>{word}</p></body></html>"
    assert text_of(page.encode(encoding), "a.html") == word


def test_deeply_nested_pages_and_long_lines_are_read():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        assert "end" in text_of("<div>" * 1500 + "end", "a.html")
        assert len(text_of("<p>" + "word " * 600_000, "a.html")) > 2_900_000
    finally:
        sys.setrecursionlimit(limit)


# --- office


def docx(body: str, **more: str) -> bytes:
    document = f"<w:document {W} {M}><w:body>{body}</w:body></w:document>"
    styles = f'<w:styles {W}><w:style w:styleId="H2"><w:name w:val="heading 2"/></w:style></w:styles>'
    parts = {f"word/{name}.xml": f"<w:x {W}>{content}</w:x>" for name, content in more.items()}
    return packed({"[Content_Types].xml": "<x/>", "word/document.xml": document, "word/styles.xml": styles, **parts})


def p(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def test_a_word_document():
    cells = "".join(
        f"<w:tr>{''.join(f'<w:tc>{p(cell)}</w:tc>' for cell in row)}</w:tr>" for row in (("a", "b"), ("c", "d"))
    )
    listed = '<w:numPr><w:numId w:val="1"/></w:numPr>'
    body = (
        p("Lamps", '<w:pStyle w:val="H2"/>') + p("One") + p("x", listed) + p("y", listed) + f"<w:tbl>{cells}</w:tbl>"
        "<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t></w:r></w:ins></w:p>"
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r><w:r><w:t>seen</w:t></w:r></w:p>"
    )
    note = f'<w:footnote w:id="2">{p("A note")}</w:footnote>'
    around = {"header1": p("Head"), "header2": p("Seite 2 von 9"), "footer1": p("Page 1"), "footer2": p("- 7 -")}
    around["footer3"] = p("Acme") + p("Page 2 of 9")
    content = readers.read(docx(body, footnotes=note, **around), "a.docx")
    assert content.text == (
        "## Lamps\n\nOne\n\n- x\n- y\n\na | b\nc | d\n\nnew\n\nseen\n\nFootnote 2: A note\n\nHead\n\nAcme"
    )
    assert content.notes == ("Hidden text left out: 6 characters.",)


def test_raised_digits_and_switches_of_a_word_document():
    def run(text: str, properties: str = "") -> str:
        return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"

    raised = '<w:vertAlign w:val="superscript"/>'
    powers = run("10") + run("-", raised) + run("6", raised) + run(" m") + run("2", raised)
    shown = run("seen", '<w:vanish w:val="0"/>') + run("not", "<w:vanish/>")
    body = f"<w:p>{powers}</w:p><w:p>{shown}</w:p>"
    assert text_of(docx(body), "a.docx") == "10^-6 m2\n\nseen"


def test_rows_of_a_table_carry_the_headings_that_a_word_document_states():
    def rows(properties: str) -> str:
        cells = [[f"<w:tc>{p(cell)}</w:tc>" for cell in row] for row in (("Kind", "Price"), ("Oil", "5"))]
        return f"<w:tbl><w:tr>{properties}{''.join(cells[0])}</w:tr><w:tr>{''.join(cells[1])}</w:tr></w:tbl>"

    assert text_of(docx(rows("<w:trPr><w:tblHeader/></w:trPr>")), "a.docx") == "Kind: Oil; Price: 5"
    assert text_of(docx(rows("")), "a.docx") == "Kind | Price\nOil | 5"


def numbering(*levels: str, more: str = "", number: str = "") -> str:
    """A list 1, and a list 2 that begins anew; each level by its kind and text."""
    within = "".join(
        f'<w:lvl w:ilvl="{at}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/><w:lvlText w:val="{text}"/>{more}</w:lvl>'
        for at, (kind, _, text) in enumerate(level.partition(" ") for level in levels)
    )
    over = '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="1"/></w:lvlOverride>'
    called = '<w:abstractNumId w:val="7"/>'
    return (
        f'<w:abstractNum w:abstractNumId="7">{within}</w:abstractNum>'
        f'<w:num w:numId="1">{called}{number}</w:num><w:num w:numId="2">{called}{over}</w:num>'
    )


def items(*listed: tuple[int, int]) -> str:
    """Items of lists, each by the number of its list and its level."""
    at = '<w:numPr><w:ilvl w:val="{1}"/><w:numId w:val="{0}"/></w:numPr>'
    return "".join(p(f"{number}-{level}", at.format(number, level)) for number, level in listed)


@pytest.mark.parametrize(
    ("lists", "text"),
    [
        (numbering("decimal (%1)", "decimal %1.%2"), "(1) 1-0\n1.1 1-1\n1.2 1-1\n(2) 1-0\n2.1 1-1\n(1) 2-0\n(2) 1-0"),
        (numbering("decimal %1.", "bullet \u2022"), "1. 1-0\n- 1-1\n- 1-1\n2. 1-0\n- 1-1\n1. 2-0\n2. 1-0"),
        # no sure count: letters, levels that a style counts too, and such as are defined anew
        (numbering("lowerLetter %1.", "decimal %1.%2"), None),
        (numbering("decimal %1.", "decimal %2.", more='<w:pStyle w:val="H2"/>'), None),
        (numbering("decimal %1.", "decimal %2.", number='<w:lvlOverride><w:lvl w:ilvl="0"/></w:lvlOverride>'), None),
        ("", None),
    ],
)
def test_numbers_that_word_counts(lists: str, text: str | None):
    body = items((1, 0), (1, 1), (1, 1), (1, 0), (1, 1), (2, 0), (1, 0))
    bare = "- 1-0\n- 1-1\n- 1-1\n- 1-0\n- 1-1\n- 2-0\n- 1-0"
    assert text_of(docx(body, **({"numbering": lists} if lists else {})), "a.docx") == (text or bare)


def test_what_counts_in_a_list_of_word():
    at = '<w:numPr><w:numId w:val="1"/></w:numPr>'
    body = p("a", at) + p("", at) + p("b", f"{at}<w:rPr><w:del/></w:rPr>") + p("c", at)
    text = text_of(docx(body, numbering=numbering("decimal %1.")), "a.docx")
    assert text == "1. a\n- b\n3. c"


def test_formulas_of_a_word_document():
    def run(text: str) -> str:
        return f"<m:r><m:t>{text}</m:t></m:r>"

    body = (
        f"<w:p><m:oMath><m:f><m:num>{run('a+b')}</m:num><m:den>{run('c')}</m:den></m:f>{run('=')}"
        f"<m:sSup><m:e>{run('x')}</m:e><m:sup>{run('2')}</m:sup></m:sSup>{run('+')}"
        f"<m:rad><m:deg/><m:e>{run('y')}</m:e></m:rad></m:oMath></w:p>"
    )
    assert text_of(docx(body), "a.docx") == "(a+b)/c=x^2+√y"


def slide(title: str, text: str, kind: str = "body") -> str:
    def shape(kind: str, words: str) -> str:
        ph = f"<p:nvSpPr><p:nvPr><p:ph type='{kind}' idx='{len(words)}'/></p:nvPr></p:nvSpPr>"
        return f"<p:sp>{ph}<p:txBody><a:p><a:r><a:t>{words}</a:t></a:r></a:p></p:txBody></p:sp>"

    return f"<p:sld {A} {P}>{shape(kind, text)}{shape('title', title)}</p:sld>"


def slides(parts: dict[str, str]) -> bytes:
    """A presentation of two slides, the second one first, with these parts in place of others."""
    place = "<p:spPr><a:xfrm><a:off x='1' y='1'/></a:xfrm></p:spPr>"
    shape = "<p:sp><p:nvSpPr><p:nvPr><p:ph type='{}'/></p:nvPr></p:nvSpPr>{}</p:sp>"
    relations = "".join(f'<Relationship Id="r{n}" Target="slides/slide{n}.xml"/>' for n in (1, 2))
    up = "<Relationships><Relationship Id='r1' Target='../{}1.xml'/></Relationships>"
    files = {
        "[Content_Types].xml": "<x/>",
        "ppt/presentation.xml": f"<p:presentation {P} {R}><p:sldIdLst><p:sldId r:id='r2'/><p:sldId r:id='r1'/>"
        "</p:sldIdLst></p:presentation>",
        "ppt/_rels/presentation.xml.rels": f"<Relationships>{relations}</Relationships>",
        "ppt/slides/slide1.xml": slide("Second", "later"),
        "ppt/slides/slide2.xml": slide("First", "sooner"),
        "ppt/slides/_rels/slide1.xml.rels": up.format("slideLayouts/slideLayout"),
        "ppt/slideLayouts/slideLayout1.xml": f"<x {A} {P}>{shape.format('title', place)}</x>",
        "ppt/slideLayouts/_rels/slideLayout1.xml.rels": up.format("slideMasters/slideMaster"),
        "ppt/slideMasters/slideMaster1.xml": f"<x {A} {P}>{shape.format('body', place)}</x>",
    }
    return packed({name: part for name, part in (files | parts).items() if part})


def test_a_presentation_has_a_page_for_each_slide():
    content = readers.read(slides({}), "a.pptx")
    assert content.text == "# First\n\nsooner\n\n# Second\n\nlater"
    assert [content.text[start:][:8] for start in content.pages] == ["# First\n", "# Second"]
    assert not content.notes


@pytest.mark.parametrize(
    ("parts", "text", "note"),
    [
        ({"ppt/slides/slide1.xml": ""}, "# First\n\nsooner", "Damaged, not read in full: slide 2 of 2."),
        ({"ppt/slides/slide2.xml": "<p:sld"}, "# Second\n\nlater", "Damaged, not read in full: slide 1 of 2."),
        (
            {"ppt/slideLayouts/slideLayout1.xml": ""},
            "# First\n\nsooner\n\n# Second\n\nlater",
            "Damaged: texts that have no place on their slides: 1.",
        ),
        (
            {"ppt/slides/slide1.xml": slide("Second", "later", "ftr")},
            "# First\n\nsooner\n\n# Second",
            "Damaged: texts that have no place on their slides: 1.",
        ),
    ],
)
def test_what_is_damaged_of_a_presentation_is_told_and_the_rest_read(parts: dict[str, str], text: str, note: str):
    content = readers.read(slides(parts), "a.pptx")
    assert (content.text, content.notes) == (text, (note,))


def test_a_presentation_without_a_slide_that_can_be_read_is_damaged():
    broken = {"ppt/slides/slide1.xml": "<p:sld", "ppt/slides/slide2.xml": ""}
    with pytest.raises(DamagedFile, match="slides cannot be read"):
        readers.read(slides(broken), "a.pptx")


def test_raised_digits_of_a_presentation():
    runs = "</a:t></a:r><a:r><a:rPr baseline='30000'/><a:t>6</a:t></a:r><a:r><a:rPr baseline='-25000'/><a:t>b"
    assert "10^6b" in text_of(slides({"ppt/slides/slide1.xml": slide("Powers", f"10{runs}")}), "a.pptx")


def test_diagrams_of_a_presentation():
    points = "".join(f"<pt><t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></t></pt>" for text in ("Oil", "Gas"))
    parts = {
        "ppt/slides/_rels/slide2.xml.rels": "<Relationships><Relationship Id='r1' Target='../diagrams/data1.xml'/>"
        "<Relationship Id='r2' Target='../diagrams/layout1.xml'/></Relationships>",
        "ppt/diagrams/data1.xml": f"<dataModel {A}><ptLst>{points}</ptLst></dataModel>",
        "ppt/diagrams/layout1.xml": f"<layoutDef {A}><a:p><a:r><a:t>Not</a:t></a:r></a:p></layoutDef>",
    }
    assert text_of(slides(parts), "a.pptx") == "# First\n\nsooner\n\nOil\nGas\n\n# Second\n\nlater"


def test_tables_of_a_presentation():
    def table(*rows: str) -> str:
        cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
        cells = ("".join(map(cell.format, row)) for row in rows)
        within = f"<a:tbl><a:tblPr firstRow='1'/>{''.join(f'<a:tr>{row}</a:tr>' for row in cells)}</a:tbl>"
        return f"<p:sld {A} {P}><p:graphicFrame>{within}</p:graphicFrame></p:sld>"

    text = text_of(slides({f"ppt/slides/slide{n}.xml": table(*rows) for n, rows in TABLES.items()}), "a.pptx")
    assert text == "a | b\nx | y\n\na: x; b: y; c: z"


TABLES = {1: ("abc", "xyz"), 2: ("ab", "xy")}


def odt_text(body: str, styles: str = "") -> str:
    spaces = " ".join(f'xmlns:{name}="{ODF}:{name}:1.0"' for name in ("office", "style", "text", "table"))
    body = f"{styles}<office:body>{body}</office:body>"
    content = f"<office:document-content {spaces}>{body}</office:document-content>"
    return text_of(packed({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content}), "a.odt")


def odt_p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def test_an_opendocument_text():
    body = (
        '<text:h text:outline-level="2">Lamps</text:h><text:p>One<text:line-break/>two<text:s/>three</text:p>'
        "<text:list><text:list-item><text:p>x</text:p></text:list-item></text:list><table:table><table:table-row>"
        "<table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>"
        "</table:table-row></table:table>"
    )
    assert odt_text(body) == "## Lamps\n\nOne\ntwo three\n\n- x\n\na | b"


def test_raised_digits_of_an_opendocument_text():
    styles = "".join(
        f'<style:style style:name="{name}"><style:text-properties style:text-position="{place}"/></style:style>'
        for name, place in (("up", "super 58%"), ("down", "sub 58%"))
    )
    spans = '10<text:span text:style-name="up">6</text:span> CO<text:span text:style-name="down">2</text:span>'
    assert odt_text(odt_p(spans), styles) == "10^6 CO2"


def test_tables_of_an_opendocument_text():
    def row(*cells: str) -> str:
        within = (f"<table:table-cell>{cell}</table:table-cell>" for cell in cells)
        return f"<table:table-row>{''.join(within)}</table:table-row>"

    head = f"<table:table-header-rows>{row(*map(odt_p, ('Kind', 'Price')))}</table:table-header-rows>"
    inner = f"<table:table>{row(*map(odt_p, 'ab'))}{row(*map(odt_p, 'cd'))}</table:table>"
    table = f"<table:table>{head}{row(odt_p('Oil'), odt_p('5'))}{row(inner, odt_p('6'))}</table:table>"
    assert odt_text(table) == "Kind: Oil; Price: 5\nKind: a | b c | d; Price: 6"


def test_rich_text():
    assert text_of(rb"{\rtf1\ansi\ansicpg1252 Caf\'e9\par Two}", "a.rtf") == "Café\nTwo"


@pytest.mark.parametrize(
    ("body", "text", "note"),
    [
        (rb"{\v secret\'e9}Seen{\deleted gone} too", "Seen too", "Hidden text left out: 11 characters."),
        (
            rb"{\rtlch \v\insrsid1 se{\b cret}\v0  seen}{\v\plain Too}",
            "seenToo",
            "Hidden text left out: 6 characters.",
        ),
        (rb"{\stylesheet{\s1\v Hidden;}}{\v0 Seen}{\webhidden  too}", "Seen too", ""),
        (
            rb"A lamp{\super \chftn {\footnote \pard{\super \chftn } Of {\b tin}.}} is lit{\footnote Or {\v not}so.}.",
            "A lamp[1] is lit.\n\nFootnote 1: Of tin.\nFootnote 2: Or so.",
            "Hidden text left out: 3 characters.",
        ),
        (rb"{\footnote {\f1 \'c4}a\par b}{\fonttbl{\f1\fcharset204 A;}}{\b Cut", "Cut\n\nFootnote 1: Дa\nb", ""),
        (
            rb"10{\super -}{\super 6} and 7\super 2\nosupersub m, 2{\super\v 3}{\sub 5}",
            "10^-6 and 7^2m, 25",
            "Hidden text left out: 1 characters.",
        ),
        (rb"\{\v 1\v0\} \u8211?{\pict\bin3 {\v}Seen", "{} –Seen", "Hidden text left out: 1 characters."),
    ],
)
def test_hidden_text_and_notes_of_rich_text(body: bytes, text: str, note: str):
    content = readers.read(rb"{\rtf1\ansi\ansicpg1252 " + body + b"}", "a.rtf")
    assert content.text == text
    assert [each for each in content.notes if not each.startswith("Pictures")] == ([note] if note else [])


def test_what_rich_text_says_about_itself():
    info = rb"{\info{\title Caf\'e9s of \u21271?\u20140?}{\author Ren\'e9 Doe}}"
    facts = readers.read(rb"{\rtf1\ansi\ansicpg1252" + info + b" Text}", "a.rtf").facts
    assert (facts.title, facts.author) == ("Cafés of 北京", "René Doe")


# --- tables and data


def sheet(rows: str) -> bytes:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    types = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    return packed(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            f'<Override PartName="/xl/workbook.xml" ContentType="{types}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{types}.worksheet+xml"/></Types>',
            "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
            "xl/workbook.xml": f'<workbook xmlns="{main}" {R}><sheets>'
            '<sheet name="Boats" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
            f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{rows}</sheetData></worksheet>',
        }
    )


def test_each_row_of_a_sheet_carries_its_headings():
    def cell(place: str, value: str | float) -> str:
        if isinstance(value, str):
            return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
        return f'<c r="{place}"><v>{value}</v></c>'

    rows = [("Name", "Length"), ("Ann", 12.0), ("Bea", 7.5)]
    xml = "".join(f'<row r="{n}">{cell(f"A{n}", a)}{cell(f"B{n}", b)}</row>' for n, (a, b) in enumerate(rows, 1))
    assert text_of(sheet(xml), "a.xlsx") == "# Boats\n\nName: Ann; Length: 12\nName: Bea; Length: 7.5"


def test_formulas_without_a_value_are_counted():
    kept = '<c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>A2</f><v></v></c><c r="C1"><v>7</v></c>'
    lacking = '<c r="D1"><f>A1</f></c><c r="E1" s="1"><f t="shared" si="0"/><v/></c><c r="F1"><f>A1</f><v></v></c>'
    content = readers.read(sheet(f'<row r="1">{kept}{lacking}</row>'), "a.xlsx")
    assert content.text == "# Boats\n\n2 |  | 7"
    assert content.notes == ("Formulas without a value, not read: 3. Save it with a spreadsheet program.",)
    assert not readers.read(sheet(f'<row r="1">{kept}</row>'), "a.xlsx").notes


@pytest.mark.parametrize(
    ("data", "name", "text"),
    [
        ("name,boats\nAnn,12\nBea,\n", "a.csv", "name: Ann; boats: 12\nname: Bea"),
        ("name;price\nAnn;1,5\n", "a.csv", "name: Ann; price: 1,5"),
        ("name\tboats\nAnn\t12\n", "a.tsv", "name: Ann; boats: 12"),
        ('a,b\n"two\nlines","x ""y"""\n', "a.csv", 'a: two lines; b: x "y"'),
        ("1,2\n3,4\n", "a.csv", "1 | 2\n3 | 4"),
        ("Country,2019,2020\nNorway,5,6\n", "a.csv", "Country: Norway; 2019: 5; 2020: 6"),
        (",2019,2020\nNorway,5,6\n", "a.csv", "Norway; 2019: 5; 2020: 6"),
        ("Room,2025-05-06,2025-05-07\nA,Art,\n", "a.csv", "Room: A; 2025-05-06: Art"),
        ("Ann,2019,2021\nBea,2020,2022\n", "a.csv", "Ann | 2019 | 2021\nBea | 2020 | 2022"),
        ("Founded,2019\nStaff,250\n", "a.csv", "Founded | 2019\nStaff | 250"),
        ("Ann,2019,7\nBea,x,8\n", "a.csv", "Ann | 2019 | 7\nBea | x | 8"),
        ("Name,Phone,Phone\nAnn,12,34\n", "a.csv", "Name: Ann; Phone: 12; Phone (2): 34"),
        ('name\tsize\npipe\t"5\nrod\t6\n', "a.tsv", 'name: pipe; size: "5\nname: rod; size: 6'),
        ('name\tsize\npipe\t"5\tin"\n', "a.tsv", "name: pipe; size: 5 in"),
        ("Prices\nname,price\nAnn,3\nBea,4\n", "a.csv", "Prices\nname: Ann; price: 3\nname: Bea; price: 4"),
        (
            "Month,Revenue\nMay,10\n,\nEmployee,Salary\nAnn,5\n,\nBea,6\n",
            "a.csv",
            "Month: May; Revenue: 10\nEmployee: Ann; Salary: 5\nEmployee: Bea; Salary: 6",
        ),
        (
            "Month,Revenue\nMay,10\n,\nStaff,\n,\nName,2019,2020\nAnn,5,6\n",
            "a.csv",
            "Month: May; Revenue: 10\nStaff\nName: Ann; 2019: 5; 2020: 6",
        ),
        (
            "Name,Job\nAnn,Cook\n,\nBea,Smith\nCid,Maid\n",
            "a.csv",
            "Name: Ann; Job: Cook\nName: Bea; Job: Smith\nName: Cid; Job: Maid",
        ),
        ("Name,Job\nAnn,Cook\n,\nName,Job\nCid,Maid\n", "a.csv", "Name: Ann; Job: Cook\nName: Cid; Job: Maid"),
        ("Name,Boats\n,\nAnn,n/a\nBea,3\n", "a.csv", "Name: Ann; Boats: n/a\nName: Bea; Boats: 3"),
        ("1,2\n3,4\n,\nName,Boats\nAnn,5\n", "a.csv", "1 | 2\n3 | 4\nName: Ann; Boats: 5"),
        ("By,,Ann\n,,\nName,Boats,Oars\nAnn,5,6\n", "a.csv", "By | Ann\nName: Ann; Boats: 5; Oars: 6"),
        ("Boats\n\nName,Oars\n", "a.csv", "Boats\nName | Oars"),
        ('[{"a": {"b": 1}, "c": ["x", "y"]}, {"a": null}]', "a.json", "a.b: 1; c: x, y\n"),
        ('{"a": {"b": true}, "list": [{"n": 1}, {"n": 2}]}', "a.json", "a.b: true\nlist[1].n: 1\nlist[2].n: 2"),
        ('{"q": "one"}\n{"q": "two"}\n', "a.jsonl", "q: one\nq: two"),
    ],
)
def test_tables_and_data(data: str, name: str, text: str):
    content = readers.read(data.encode(), name)
    assert content.text == text
    assert not content.prose


@pytest.mark.parametrize("data", ['{"a": 1', "[" * 100_000])
def test_json_that_is_none_is_read_as_text(data: str):
    content = readers.read(data.encode(), "a.json")
    assert content.text == data
    assert content.notes == ("It is not valid JSON, and was read as plain text.",)


def test_a_line_of_three_megabytes():
    assert len(text_of("x," * 1_500_000, "a.csv")) > 1000
    assert len(text_of(json.dumps({"a": "word " * 600_000}), "a.json")) > 2_900_000


# --- books and mails


def test_a_book_in_its_order():
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>On Lamps</dc:title><dc:creator>Jane Doe</dc:creator><dc:date>1999</dc:date></metadata><manifest>"
        '<item id="b" href="b%20b.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="c" href="c.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="c"/><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="o/c.opf"/></rootfiles></container>',
        "o/c.opf": package,
        "o/a.xhtml": "<html><body><h1>One</h1><p>First.</p></body></html>",
        "o/c.xhtml": "<html><head><title>Cover</title></head><body><img src='x'/></body></html>",
        "o/b b.xhtml": "<html><body><h1>Two</h1><p>Last.</p></body></html>",
    }
    content = readers.read(packed(files), "a.epub")
    assert content.text == "# One\n\nFirst.\n\n# Two\n\nLast."
    assert (content.facts.title, content.facts.author) == ("On Lamps", "Jane Doe")
    book = documents.document(content, "a.epub", "a.epub", "0" * 64)
    assert (book.title, book.author, book.date) == ("On Lamps", "Jane Doe", "1999")


def mail(subject: str = "Lamps") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "Jane Doe <jane@example.org>", "ann@example.org"
    message["Subject"], message["Date"] = subject, "Fri, 05 Dec 2025 10:00:00 +0000"
    message.set_content("Dear Ann,\n\nthe lamp is lit – “at last”.\n")
    return message


def test_a_mail_with_attachments():
    message = mail()
    message.add_alternative("<p>Dear Ann, the lamp is lit.</p>", subtype="html")
    message.add_attachment(b"name,n\nAnn,3\n", maintype="text", subtype="csv", filename="list.csv")
    message.add_attachment(b"\x00\x01", maintype="application", subtype="octet-stream", filename="x.bin")
    content = readers.read(message.as_bytes(), "a.eml")
    assert content.text.startswith("From: Jane Doe <jane@example.org>\nTo: ann@example.org\nDate: Fri, 05 Dec 2025")
    assert "the lamp is lit – “at last”." in content.text
    assert "Attachment: list.csv\n\nname: Ann; n: 3" in content.text
    assert (content.facts.title, content.facts.author, content.facts.date) == ("Lamps", "Jane Doe", "2025-12-05")
    assert content.notes == ("Attachment not read: x.bin is not supported: it is a file of an unknown kind.",)


def multipart(kind: str, *parts: tuple[str, str]) -> str:
    """Parts as they stand in a mail, below its headers: each a type and a text, or "" and parts of its own."""
    edge = f"edge-{kind}"
    within = "".join(
        f"--{edge}\nContent-Type: {of}\n\n{text}\n" if of else f"--{edge}\n{text}\n" for of, text in parts
    )
    return f'Content-Type: multipart/{kind}; boundary="{edge}"\n\n{within}--{edge}--\n'


CSV = ("text/csv; name=list.csv\nContent-Disposition: inline; filename=list.csv", "name,n\nAnn,3\n")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        # as Apple's program writes them
        (
            multipart("mixed", ("text/plain", "Before."), CSV, ("text/html", "<p>Behind.</p>")),
            "Before.\n\nBehind.\n\nAttachment: list.csv\n\nname: Ann; n: 3",
        ),
        (
            multipart(
                "alternative",
                ("text/plain", "Before. Behind."),
                ("", multipart("mixed", ("text/html", "<b>Before.</b>"), CSV, ("text/html", "<b>Behind.</b>"))),
            ),
            "Before. Behind.\n\nAttachment: list.csv\n\nname: Ann; n: 3",
        ),
        # a list's footer
        (
            multipart(
                "mixed",
                ("", multipart("alternative", ("text/plain", "The lamp."), ("text/html", "<p>The lamp.</p>"))),
                ("text/plain", "Leave this list: www.example.org"),
            ),
            "The lamp.\n\nLeave this list: www.example.org",
        ),
        (multipart("alternative", ("text/plain", "-"), ("text/html", "<p>The lamp.</p>")), "The lamp."),
        (multipart("alternative", ("text/plain; name=a", "A"), ("text/html; name=b", "A"), ("text/x-amp", "A")), "A"),
        (multipart("mixed", ("text/plain", "See below."), ("text/csv", "a,b\n1,2\n")),
         "See below.\n\nAttachment: part.csv\n\na: 1; b: 2"),
        ("Content-Type: multipart/mixed; boundary=none\n\nWords", "Words"),
        ("Content-Type: text/plain; name=a.txt\n\nWords", "Words"),
    ],
)  # fmt: skip
def test_all_text_of_a_mail_is_read_once(body: str, text: str):
    content = readers.read(f"Subject: Lamps\n{body}".encode(), "a.eml")
    assert content.text == f"Subject: Lamps\n\n{text}"
    assert not content.notes


def test_a_mailbox():
    mark = b"From jane@example.org Fri Dec  5 10:00:00 2025\n"
    data = mark + mail("One").as_bytes() + b"\n>From here on\n\n" + mark + mail("Two").as_bytes()
    text = text_of(data, "a.mbox")
    assert text.count("# One\n") == text.count("# Two\n") == 1
    assert "\nFrom here on" in text


def test_a_mailbox_whose_first_lines_are_no_postmark():
    mark = b"From jane@example.org Fri Dec  5 10:00:00 +0000 2025\r\n"
    first, second = mail("One").as_bytes(), mail("Two").as_bytes()
    for before in (b"", b"\xef\xbb\xbf", b"\n\n", b"\xef\xbb\xbf\r\n" + mark):
        text = text_of(before + first + b"\n\n" + mark + second, "a.mbox")
        assert text.count("# One\n") == text.count("# Two\n") == 1
        assert text.count("# ") == 2


def test_a_paragraph_that_begins_like_a_postmark():
    body = "\n\nFrom 2019 onwards sales fell.\n\nFrom the archive of 2020, Monday edition 2021.\n"
    data = b"From - Fri Dec 05 10:00:00 2025\n" + mail("One").as_bytes() + body.encode()
    text = text_of(data, "a.mbox")
    assert text.count("# ") == 1
    assert "From 2019 onwards sales fell." in text
    assert "From the archive of 2020" in text


def test_a_broken_mail_is_read_as_far_as_it_goes():
    text = text_of(
        b"Subject: =?utf-8?q?broken\nContent-Type: multipart/mixed; boundary=x\nDate: never\n\n--x\n\nWords\n", "a.eml"
    )
    assert "Words" in text


# --- names and contents


def test_a_wrong_suffix_is_told_and_the_file_read():
    content = readers.read(docx(p("Text")), "a.pdf")
    assert content.text == "Text"
    assert content.notes == ("Its name ends in .pdf, but it is a Word document and was read as such.",)
    assert readers.read(rb"{\rtf1 Old}", "a.doc").text == "Old"


def test_a_pdf_with_something_before_it_is_one():
    page = pdf([show([(72, 700, "On the page")])])
    for junk in (b"", b"\n\n", b"\xef\xbb\xbf", b"\x00\x01junk", b"\xff\xfe", b"HTTP/1.1 200 OK\r\n\r\n"):
        assert "On the page" in text_of(junk + page, "a.pdf")
    for junk in (b"", b"\n", b"\xef\xbb\xbf", b"\x00\x01 junk", b"\xff\xfe"):
        assert "On the page" in text_of(junk + page, "a.txt")


def test_a_table_and_an_archive_that_hold_the_mark_of_pdfs():
    assert text_of("kind,mark\nPDF,%PDF-1.7\n", "a.csv") == "kind: PDF; mark: %PDF-1.7"
    assert formats.kind(packed({"a.pdf": pdf([])}, zipfile.ZIP_STORED), "a.zip") == "archive"


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx", "a.pptx", "a.epub", "a.odt"])
def test_a_file_that_does_not_begin_as_its_kind_does(name: str):
    with pytest.raises(DamagedFile, match="does not begin as a"):
        readers.read(b"Just some words.", name)
    with pytest.raises(DamagedFile):
        readers.read(b"\x00\xffjunk" * 50, name)
    with pytest.raises(EmptyFile):
        readers.read(b"", name)


@pytest.mark.parametrize(
    ("data", "name", "error", "says"),
    [
        (OLE + "WordDocument\0".encode("utf-16-le"), "a.doc", UnsupportedFile, ".docx"),
        (OLE + "EncryptedPackage\0".encode("utf-16-le"), "a.xlsx", EncryptedFile, "password"),
        (b"\x89PNG\r\n\x1a\n", "a.pdf", DamagedFile, "not a whole picture"),
        (b"\x1f\x8b\x08", "a.zip", UnsupportedFile, "packed"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named(data: bytes, name: str, error: type[Exception], says: str):
    with pytest.raises(error) as caught:
        readers.read(data, name)
    assert says in str(caught.value)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_off_office_files_are_damaged(share: float):
    data = docx(p("Text") * 500)
    with pytest.raises(DamagedFile):
        readers.read(data[: int(len(data) * share)], "a.docx")


def test_entities_are_refused():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    data = packed({"[Content_Types].xml": "<x/>", "word/document.xml": f"{bomb}<w:document {W}>&b;</w:document>"})
    with pytest.raises(DamagedFile, match="entities"):
        readers.read(data, "a.docx")


def test_a_bomb_in_an_office_file_is_refused():
    data = packed({"[Content_Types].xml": "<x/>", "word/document.xml": b" " * 50_000_000})
    with pytest.raises(UnreadableFile, match="would become"):
        readers.read(data, "a.docx")
