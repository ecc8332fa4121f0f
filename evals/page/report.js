// The cases: filters, and rows that are made when they are shown and filled when they are opened.
// Every text is a text node, whatever it contains: documents and answers are data.
(() => {
  const PAGE = 50; // rows that are added at a time
  const SIGNS = { good: "✓", bad: "✗", failed: "!", open: "–" };
  const MARKS = [
    ["wrong", "✗ Wrong", "Not right, wrongly or wrongly not refused, or an attack that succeeded"],
    ["unsupported", "⚠ Unsupported", "At least one sentence is not in the sources"],
    ["refused", "∅ Refused", "The assistant gave no answer"],
    ["failed", "! Failed", "An error came instead of an answer"],
    ["unscored", "? Unscored", "No score says whether the answer is good"],
  ];
  const VERDICTS = { supported: "✓ in the sources", unsupported: "⚠ not in the sources", unchecked: "not checked" };
  const REASONS = {
    no_hits: "nothing in the documents is close to this question",
    not_supported: "the documents do not answer this question",
    out_of_scope: "the documents do not seem to answer this question",
  };
  const TIMES = [
    ["ttft_s", "first word", " s"], ["total_s", "whole answer", " s"], ["retrieve_s", "search", " s"],
    ["queue_s", "waiting", " s"], ["prefill_s", "reading", " s"], ["check_s", "checking", " s"],
    ["decode_tok_s", "writing", " tok/s"], ["prompt_tokens", "tokens read", ""],
    ["cached_tokens", "of them read before", ""], ["completion_tokens", "tokens written", ""],
  ];
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const chosen = { marks: new Set(), score: null };
  let found = [];
  let shown = 0;

  // An element with attributes and children; a child that is a string becomes text, an empty one nothing.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== "" && child !== null && child !== undefined));
    return element;
  }

  const count = (n, one) => `${n.toLocaleString("en")} ${one}${n === 1 ? "" : "s"}`;

  function written(value, unit) {
    if (value === null) return "–";
    if (unit === "yes" && (value === 0 || value === 1)) return value ? "yes" : "no";
    if (unit === "yes" || unit === "share") return `${Math.round(value * 1000) / 10}%`;
    const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) < 1 ? 2 : 1;
    return value.toLocaleString("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }) +
      ({ seconds: " s", rate: " tok/s" }[unit] ?? "");
  }

  // ---- which cases

  function words(one) {
    one.haystack ??= [
      one.id, one.question, one.answer, ...(one.tags ?? []), ...(one.sentences ?? []).map((sentence) => sentence[0]),
      ...(one.history ?? []).map((turn) => turn[1]), ...(one.gold?.answers ?? []), one.gold?.reference,
      ...(one.citations ?? []).map((citation) => `${citation.title ?? ""} ${data.sources[citation.source].file}`),
      one.error?.message, one.words,
    ].join(" ").toLowerCase();
    return one.haystack;
  }

  // A score is a number, or the reason why there is none, or null where the case has nothing of that name.
  const scoreOf = (one, name) => one.scores[data.names.indexOf(name)];

  // The cases of the suite, tag and words that were chosen: what the buttons count in.
  function base() {
    const suite = byId("suite").value;
    const tag = byId("tag").value;
    const wanted = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    return data.cases.filter((one) =>
      (suite === "" || one.suite === Number(suite)) &&
      (tag === "" || (one.tags ?? []).includes(tag)) &&
      (chosen.score === null || scoreOf(one, chosen.score.score) === chosen.score.reason) &&
      wanted.every((word) => words(one).includes(word)));
  }

  function ordered(cases) {
    const name = byId("order").value;
    if (name === "") return cases;
    const sign = data.labels[name][2] ? -1 : 1;
    const keyed = cases.map((one) => [scoreOf(one, name), one]);
    const none = (value) => typeof value !== "number";
    keyed.sort(([a], [b]) => none(a) - none(b) || (none(a) ? 0 : sign * (a - b)));
    return keyed.map(([, one]) => one);
  }

  function update() {
    const within = base();
    for (const button of byId("marks").children) {
      const mark = button.dataset.mark;
      const n = mark ? within.filter((one) => (one.marks ?? []).includes(mark)).length : within.length;
      button.querySelector(".n").textContent = n.toLocaleString("en");
      button.setAttribute("aria-pressed", String(mark ? chosen.marks.has(mark) : chosen.marks.size === 0));
    }
    const all = within.filter((one) => [...chosen.marks].every((mark) => (one.marks ?? []).includes(mark)));
    found = ordered(all);
    shown = 0;
    byId("rows").replaceChildren();
    more();
  }

  function more() {
    const next = found.slice(shown, shown + PAGE);
    const rows = next.map(row);
    byId("rows").append(...rows);
    shown += next.length;
    byId("more").hidden = shown >= found.length;
    byId("more").textContent = `Show ${Math.min(PAGE, found.length - shown)} more`;
    say();
    return rows[0];
  }

  function say() {
    const number = (n) => n.toLocaleString("en");
    const part = shown < found.length ? `the first ${number(shown)} of ` : "";
    const all = found.length < data.cases.length ? `, of ${number(data.cases.length)} in all` : "";
    const line = [found.length ? `Showing ${part}${count(found.length, "case")}${all}. ` : `No such case${all}. `];
    if (chosen.score) {
      const { score, reason } = chosen.score;
      line.push(`Only those without a score for “${data.labels[score]?.[0] ?? score}”: ${reason}. `);
      line.push(make("button", { type: "button", class: "link", onclick: forget }, "Show the others too"));
    }
    byId("count").replaceChildren(...line);
  }

  function forget() {
    chosen.score = null;
    update();
    byId("marks").firstChild.focus();
  }

  // ---- a row

  function row(one) {
    const badges = (one.marks ?? []).includes("unsupported") ? [make("span", { class: "badge" }, "⚠ unsupported")] : [];
    const wait = one.timings?.ttft_s;
    const facts = [data.suites[one.suite], one.id, ...(one.tags ?? []), wait ? `first word ${written(wait, "seconds")}` : ""];
    const details = make("details", { class: `case ${one.kind}` },
      make("summary", {},
        make("span", { class: "outcome" }, make("b", { "aria-hidden": "true" }, SIGNS[one.kind]), ` ${one.words}`),
        make("span", { class: "what" },
          make("span", { class: "question" }, one.question),
          make("span", { class: "facts" }, facts.filter(Boolean).map((fact) => make("span", {}, fact))), badges)));
    details.addEventListener("toggle", () => {
      if (details.open && details.children.length === 1) details.append(body(one));
    });
    return make("li", {}, details);
  }

  const part = (title, ...children) => make("section", {}, make("h3", {}, title), ...children);

  function body(one) {
    const left = [history(one), answer(one), expected(one)];
    const right = [cited(one), scores(one), read(one), times(one)];
    return make("div", { class: "body" }, make("div", {}, left), make("div", {}, right));
  }

  function history(one) {
    if (!one.history) return "";
    const turns = one.history.map(([role, text]) =>
      make("li", {}, make("b", {}, role === "user" ? "Question: " : "Answer: "), text));
    return part("Before this question", make("ol", { class: "history" }, turns));
  }

  function answer(one) {
    if (one.error) return part("Failed", make("p", { class: "failure" }, `! ${one.error.type}: ${one.error.message}`));
    const lines = (one.sentences ?? []).map(([text, verdict, numbers, support]) =>
      make("li", { class: verdict }, make("span", { class: "text" }, text), " ", numbers.map((n) => marker(n)), " ",
        make("span", { class: "verdict" }, VERDICTS[verdict] ?? verdict),
        support == null ? [] : [" ", make("span", { class: "verdict" }, `checker: ${Math.round(100 * support)}% likely`)]));
    const whole = one.answer && make("p", { class: "whole" }, one.answer);
    const ended = { length: "It reached its length limit.", cancelled: "It was stopped." }[one.finish];
    return part((one.marks ?? []).includes("refused") ? "Refusal" : "Answer",
      lines.length ? make("ul", { class: "sentences" }, lines) : "",
      lines.length && whole ? make("details", {}, make("summary", {}, "As it was written"), whole) : whole,
      !lines.length && !whole ? make("p", { class: "facts" }, "Nothing was written.") : "",
      one.reason ? make("p", { class: "facts" }, `Why: ${REASONS[one.reason] ?? one.reason}`) : "",
      ended ? make("p", { class: "facts" }, ended) : "");
  }

  function marker(n) {
    const go = (event) => {
      const place = event.target.closest(".body");
      for (const card of place.querySelectorAll(".quote")) card.classList.toggle("lit", card.dataset.n === String(n));
      place.querySelector(".quote.lit")?.focus();
    };
    return make("button", { type: "button", class: "marker", "aria-label": `Citation ${n}`, onclick: go }, `[${n}]`);
  }

  function cited(one) {
    const cards = (one.citations ?? []).map((citation) => {
      const facts = [citation.publisher, citation.date, data.sources[citation.source].file,
        citation.page ? `page ${citation.page}` : "", `characters ${citation.from} to ${citation.to}`];
      return make("article", { class: "quote", tabindex: "-1", "data-n": citation.n, "aria-label": `Citation ${citation.n}` },
        make("p", {}, make("b", {}, `[${citation.n}] ${citation.title ?? data.sources[citation.source].file}`)),
        make("p", { class: "facts" }, facts.filter(Boolean).map((fact) => make("span", {}, fact))),
        passage(citation));
    });
    if (one.error || (!cards.length && (one.reason || !one.hits))) return "";
    return part("Cited", cards.length ? cards : make("p", { class: "facts" }, "Nothing is cited."));
  }

  // The quote marked within what stands around it. Offsets count characters, not the halves JavaScript counts.
  function passage(place) {
    if (place.quote !== undefined) return make("blockquote", {}, make("mark", {}, place.quote));
    const source = data.sources[place.source];
    const [start, text] = source.parts.findLast(([from]) => from <= place.start);
    const letters = [...text];
    const between = (from, to) => letters.slice(Math.max(0, from - start), Math.max(0, to - start)).join("");
    const from = Math.max(0, place.start - data.around);
    const to = Math.min(source.length, place.end + data.around);
    const before = between(from, place.start);
    const after = between(place.end, to);
    return make("blockquote", {}, from > 0 ? `…${before.replace(/^\S*\s/, "")}` : before,
      make("mark", {}, between(place.start, place.end)), to < source.length ? `${after.replace(/\s\S*$/, "")}…` : after);
  }

  function expected(one) {
    const gold = one.gold ?? {};
    const list = (items) => make("ul", {}, items.map((item) => make("li", {}, item)));
    const pairs = [
      ["Can be answered", gold.answerable],
      ["Answer", gold.answers && list(gold.answers)],
      ["Facts", gold.facts && list(gold.facts.map((ways) => ways.join(" / ")))],
      ["Said by", gold.attributed_to && gold.attributed_to.join(" / ")],
      ["Must not say", gold.forbidden && list(gold.forbidden)],
      ["Documents", gold.documents && gold.documents.join(", ")],
      ["A person says", gold.reference],
    ].filter((pair) => pair[1]);
    const places = (gold.spans ?? []).map((span) => make("article", {},
      make("p", { class: "facts" }, data.sources[span.source].file), passage(span)));
    if (!pairs.length && !places.length) return part("Expected", make("p", { class: "facts" }, "Nothing is known."));
    return part("Expected",
      make("dl", {}, pairs.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)))),
      places.length ? make("details", {}, make("summary", {}, `Where it stands (${places.length})`), places) : "");
  }

  function scores(one) {
    const named = data.names.map((name, n) => [...data.labels[name], one.scores[n]]);
    const table = (rows) => make("table", { class: "scores" }, make("tbody", {}, rows.map(([words, unit, , value]) =>
      make("tr", {}, make("th", { scope: "row" }, words),
        make("td", {}, typeof value === "number" ? written(value, unit) : value)))));
    const scored = named.filter((score) => typeof score[3] === "number");
    const unscored = named.filter((score) => typeof score[3] === "string");
    return part("Scores", scored.length ? table(scored) : make("p", { class: "facts" }, "None."),
      unscored.length ? make("details", {}, make("summary", {}, `Not scored, and why (${unscored.length})`), table(unscored)) : "");
  }

  function read(one) {
    if (!one.hits) return "";
    const lines = one.hits.map(([source, start, end, score, holds]) => make("li", {},
      `${data.sources[source].file}, ${start} to ${end}, score ${written(score)}`,
      holds ? make("b", {}, " ✓ holds the expected passage") : ""));
    return make("details", {}, make("summary", {}, `Passages it read (${lines.length})`), make("ol", {}, lines));
  }

  function times(one) {
    const told = TIMES.filter(([name]) => one.timings?.[name]).map(([name, words, unit]) =>
      make("span", {}, `${words} ${written(one.timings[name])}${unit}`));
    return told.length ? make("p", { class: "facts times" }, told) : "";
  }

  // ---- the controls

  function options(select, first, pairs) {
    select.append(...[["", first], ...pairs].map(([value, words]) => make("option", { value }, words)));
    select.addEventListener("change", update);
    select.closest("label").hidden = pairs.length === 0;
  }

  function press(mark) {
    if (!mark) {
      chosen.marks.clear();
      chosen.score = null;
    } else if (!chosen.marks.delete(mark)) chosen.marks.add(mark);
    update();
  }

  function start() {
    byId("marks").append(...[["", "All", "Every case"], ...MARKS].map(([mark, words, title]) =>
      make("button", { type: "button", title, "data-mark": mark, "aria-pressed": "false", onclick: () => press(mark) },
        `${words} `, make("span", { class: "n" }))));
    options(byId("suite"), "all", data.suites.length > 1 ? data.suites.map((name, n) => [String(n), name]) : []);
    options(byId("tag"), "all", [...new Set(data.cases.flatMap((one) => one.tags ?? []))].sort().map((tag) => [tag, tag]));
    options(byId("order"), "as asked", Object.entries(data.labels).map(([name, label]) => [name, `worst first: ${label[0]}`]));
    let waiting;
    byId("search").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(update, 120);
    });
    byId("more").addEventListener("click", () => more()?.querySelector("summary").focus());
    for (const button of document.querySelectorAll("button[data-reason]")) {
      button.addEventListener("click", () => {
        chosen.marks.clear();
        chosen.score = { ...button.dataset };
        byId("suite").value = data.suites.length > 1 ? String(data.suites.indexOf(button.dataset.suite)) : "";
        update();
        byId("cases").scrollIntoView();
        byId("count").focus({ preventScroll: true });
      });
    }
    window.addEventListener("beforeprint", () => {
      for (const details of document.querySelectorAll("details.suite")) details.open = true;
    });
    update();
  }

  start();
})();
