"""A run to read: one HTML file that needs nothing else, and a Markdown table.

What documents, models and people wrote is data here: the head is escaped, the cases are JSON in a block that the
browser does not run, and the script puts them on the page as text. The policy in the file forbids every fetch.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Set
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from evals import report_cases
from evals.records import Figure, Run, Summary
from evals.report_labels import LABELS, interval, is_share, label, reasons, sentence, shown
from evals.report_plots import bins, histogram_svg, interval_svg, quantile

__all__ = ["LABELS", "html", "markdown"]

PAGE = Path(__file__).parent / "page"
HASH = re.compile(r"\b[0-9a-f]{16,}\b")
TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::[\d.]+)?(Z|\+00:00)?")
SHORT = 12  # characters of a hash that are shown
MOST_HEADLINES = 9  # figures of a suite on the first screen
MOST_OPEN = 8  # values of a group that are shown without opening it


def html(run: Run, texts: Mapping[str, str]) -> str:
    """The report as one HTML file. `texts` are the documents' texts by file name, as far as they are known."""
    style, script = ((PAGE / name).read_text("utf-8") for name in ("report.css", "report.js"))
    page = Template((PAGE / "report.html").read_text("utf-8")).substitute(
        policy=f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        style=style,
        script=script,
        subtitle=_subtitle(run),
        headlines="".join(_headline(summary) for summary in run.summaries),
        suites=_suites(run),
        first_words=_first_words(run),
        about=_values(run.about),
        data=_json(report_cases.view(run, texts) | {"labels": _labels(run)}),
    )
    return page.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair cannot be written to a file


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _json(values: Any) -> str:
    """JSON that can stand in a script block: without `<`, nothing in it can end the block."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _labels(run: Run) -> dict[str, list[Any]]:
    """For the scores of single cases: words, unit, and whether lower is better."""
    names = dict.fromkeys(name for result in run.results for name in result.scores)
    return {name: [label(name).words, label(name).unit, label(name).lower_is_better] for name in names}


# ---- the first screen


def _subtitle(run: Run) -> str:
    """Model, time, commit and number of cases, as far as the run tells them."""
    told = [
        _named(run.about, "model", "name"),
        TIME.sub(lambda found: f"{found[1]} {found[2]}{' UTC' if found[3] else ''}", _named(run.about, "started")),
        HASH.sub(lambda found: f"commit {found[0][:SHORT]}", _named(run.about, "code", "commit")),
        f"{len(run.results):,} cases",
    ]
    return " · ".join(escape(one) for one in told if one)


def _named(values: Mapping[str, Any], name: str, inner: str = "") -> str:
    """The value of that name, or what is called `inner` in it; empty where it is not told."""
    found = values.get(name, "")
    return _named(found, inner) if isinstance(found, Mapping) else str(found)


def _headline(summary: Summary) -> str:
    """What a suite says about the answers, the most important first and large."""
    figures = headlines(summary)[:MOST_HEADLINES]
    lines = [_line("large", figure, sentence(figure)) for figure in figures[:1]] or ["<p>No figures.</p>"]
    lines += [_line("small", figure, _value(figure)) for figure in figures[1:]]
    if summary.failed:
        lines.append(f'<p class="small failed">! {summary.failed:,} of {summary.cases:,} failed</p>')
    return f'<section class="card"><h3>{escape(summary.suite)}</h3>{"".join(lines)}</section>'


def _line(kind: str, figure: Figure, words: str) -> str:
    """The metric and its value, which is strong; what comes behind it is not."""
    value, bracket, rest = words.partition(" (")
    strong = f"<strong>{escape(value)}</strong> <span>{escape(bracket.strip() + rest)}</span>"
    return f'<p class="{kind}"><b>{escape(label(figure.name).words)}:</b> {strong}</p>'


def headlines(summary: Summary) -> list[Figure]:
    """The figures told first: known headlines and unknown metrics. Where none of them is scored: what is, else all.

    In the order of the summary, but attacks before all else, and times behind all that tells how good an answer is.
    """
    scored = [one for one in summary.figures if one.value is not None]
    chosen = [one for one in scored if label(one.name).headline or one.name == label(one.name).words]
    chosen.sort(key=lambda one: (one.name != "attack_succeeded", label(one.name).unit in ("seconds", "rate")))
    return chosen or scored or list(summary.figures)


# ---- figures


def _most(run: Run) -> dict[str, float]:
    """The end of the scale of each unit that has no natural one: the largest value of the run."""
    most: dict[str, float] = {}
    for figure in (figure for summary in run.summaries for figure in summary.figures):
        unit = label(figure.name).unit
        most[unit] = max(most.get(unit, 0.0), figure.value or 0.0, figure.high or 0.0)
    return most


def _suites(run: Run) -> str:
    """A table for each suite, all but the first folded."""
    most = _most(run)
    listed = {
        (result.suite, name, score.reason)
        for result in run.results
        for name, score in result.scores.items()
        if score.value is None
    }
    parts: list[str] = []
    for summary in run.summaries:
        rows, without = "", ""
        for figure in summary.figures:
            unscored = "".join(_unscored(figure, summary.suite, listed))
            if figure.value is None:
                without += f"<div><dt>{escape(label(figure.name).words)}</dt><dd>{unscored or '–'}</dd></div>"
            else:
                rows += _row(figure, figure.value, most, unscored)
        parts.append(_suite(summary, rows, without, opened=not parts))
    return "".join(parts)


def _suite(summary: Summary, rows: str, without: str, *, opened: bool) -> str:
    """The table of what has a value, the list of what has none, and what could not be used."""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("Figure", "Value", "95% interval"))
    heads += '<td class="plot"></td><th scope="col">n</th><th scope="col">Unscored</th>'
    failed = f", {summary.failed:,} failed" if summary.failed else ""
    name = escape(summary.suite)
    none = without and f"<details><summary>Not scored, and why</summary><dl>{without}</dl></details>"
    return (
        f'<details class="suite"{" open" if opened else ""}><summary><h3>{name}</h3>'
        f' <span class="facts">{summary.cases:,} cases{failed}</span></summary>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="Figures of {name}">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{none}{_problems(summary)}</details>"
    )


def _problems(summary: Summary) -> str:
    if not summary.problems:
        return ""
    items = "".join(f"<li>{escape(problem)}</li>" for problem in summary.problems)
    return f'<p class="facts">Could not be used:</p><ul class="problems">{items}</ul>'


def _row(figure: Figure, value: float, most: Mapping[str, float], unscored: str) -> str:
    one = label(figure.name)
    end = 1.0 if is_share(figure.name) else most[one.unit]
    less = ' <span class="less">↓ less is better</span>' if one.lower_is_better else ""
    name = f"<code>{escape(figure.name)}</code>" if one.words != figure.name else ""
    return (
        f'<tr><th scope="row">{escape(one.words)}{less}<span class="meaning">{escape(one.meaning)} {name}</span></th>'
        f'<td class="number"><strong>{shown(figure.name, value)}</strong></td>'
        f'<td class="number">{interval(figure) or "–"}</td>'
        f'<td class="plot" title="0 to {shown(figure.name, end)}">{interval_svg(figure, end)}</td>'
        f'<td class="number">{figure.n:,}</td>'
        f"<td>{unscored}</td></tr>"
    )


def _unscored(figure: Figure, suite: str, listed: Set[tuple[str, str, str]]) -> Iterator[str]:
    """How many have no score and why; a button that shows these cases, where they say it themselves."""
    for reason, count in figure.unscored.items():
        if (suite, figure.name, reason) not in listed:
            yield f"<p>{count:,}: {escape(reason)}</p>"
            continue
        what = f'data-suite="{escape(suite)}" data-score="{escape(figure.name)}" data-reason="{escape(reason)}"'
        yield f'<button type="button" class="link" {what}>{count:,}: {escape(reason)}</button>'


def _first_words(run: Run) -> str:
    """How long people would have waited for the first word, over all suites."""
    answers = (result.answer for result in run.results if result.answer is not None)
    waits = [wait for answer in answers if (wait := answer["timings"].get("ttft_s", 0.0)) > 0]
    if not waits:
        return ""
    width, counts = bins(waits)
    half, slow, end = quantile(waits, 0.5), quantile(waits, 0.95), width * len(counts)
    over = sum(wait >= end for wait in waits)
    told = (
        f"Half of {len(waits):,} answers began within <strong>{shown('ttft_s', half)}</strong>, 95 of 100 within"
        f" <strong>{shown('ttft_s', slow)}</strong>, the slowest after {shown('ttft_s', max(waits))}. Each bar is"
        f" {width:g} s wide{f'; the last one also has the {over:,} that took longer' if over else ''}."
    )
    return (
        "<section><h2>How long until the first word?</h2><figure>"
        f'{histogram_svg(counts)}<div class="axis" aria-hidden="true"><span>0 s</span><span>{end / 2:g} s</span>'
        f"<span>{end:g} s</span></div><figcaption>{told}</figcaption></figure></section>"
    )


# ---- what ran


def _values(values: Mapping[str, Any]) -> str:
    """A list of names and values; groups within it stand beneath their name, large ones folded."""
    return f"<dl>{''.join(_pair(str(name), value) for name, value in values.items())}</dl>"


def _pair(name: str, value: Any) -> str:
    words = escape(name.replace("_", " "))
    if not isinstance(value, Mapping):
        return f"<div><dt>{words}</dt><dd>{_plain(value)}</dd></div>"
    inner = _values(value)
    if len(value) > MOST_OPEN:
        inner = f"<details><summary>{len(value)} values</summary>{inner}</details>"
    return f'<div class="group"><dt>{words}</dt><dd>{inner or "–"}</dd></div>'


def _plain(value: Any) -> str:
    """A value as text; a hash by its beginning, the whole of it on demand."""
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(one) for one in value) or "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return HASH.sub(_hash, "–" if value in (None, "") else escape(str(value)))


def _hash(found: re.Match[str]) -> str:
    whole, short = found[0], found[0][:SHORT]
    return f'<details class="hash"><summary title="{whole}">{short}…</summary><code>{whole}</code></details>'


# ---- Markdown


def markdown(run: Run) -> str:
    """A table for the README: each suite's headline figures in plain words, with interval and n."""
    lines = ["| suite | what | value (95% interval) | n |", "|---|---|---|---|"]
    for summary in run.summaries:
        lines += [
            f"| {_cell(summary.suite)} | {_what(one)} | {_cell(_value(one))} | {one.n:,} |"
            for one in headlines(summary)
        ]
    return "\n".join(lines) + "\n"


def _what(figure: Figure) -> str:
    one = label(figure.name)
    return _cell(f"{one.words} (less is better)" if one.lower_is_better else one.words)


def _value(figure: Figure) -> str:
    if figure.value is None:
        return f"not scored ({reasons(figure)})"
    return shown(figure.name, figure.value) + (f" ({interval(figure)})" if interval(figure) else "")


def _cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return escape(" ".join(text.split()), quote=False).replace("|", "\\|")
