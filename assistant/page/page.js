// What happens in the browser alone: which sources show, which quote is lit, scrolling, the documents panel.
(() => {
  const NEAR_END = 80; // pixels: closer than this to the end of the talk, new text scrolls into view
  const WIDE = window.matchMedia("(min-width: 1100px)");
  const NARROW = window.matchMedia("(max-width: 699px)"); // here the window scrolls, not the talk
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const LEADS = "#talk :is(.marker, .sentence[data-cites])"; // what leads to sources

  // The server replaces the HTML many times a second, so what the user chose is kept here and applied again.
  // `at` is where a sentence or marker stands in its answer, `cites` are the numbers of the sources it leads to.
  const NONE = { turn: null, at: null, cites: [] };
  let chosen = NONE;
  const pointed = { mouse: NONE, focus: NONE };
  let newest = 0;
  let following = true;
  const folds = new Map(); // data-key of a <details> the user opened or closed -> open

  const toggle = (element, name, on) => {
    if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
  };

  const numbers = (element) => (element.dataset.cites ?? element.dataset.n).split(" ");
  const turnOf = (element) => Number(element.closest("[data-turn]").dataset.turn);
  const placeOf = (element) => ({ turn: turnOf(element), at: element.dataset.at, cites: numbers(element) });
  const same = (one, other) => one.turn === other.turn && one.at === other.at;
  const shares = (element, place) =>
    turnOf(element) === place.turn && numbers(element).some((n) => place.cites.includes(n));
  const pace = () => (window.matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth");

  function apply() {
    const turns = all("#sources .sources").map((section) => Number(section.dataset.turn));
    const last = Math.max(0, ...turns);
    if (last !== newest) {
      chosen = NONE;
      following = true;
      if (NARROW.matches && last) byId("now").scrollIntoView();
    }
    newest = last;
    const shown = chosen.turn ?? newest;
    for (const section of all("#sources .sources")) toggle(section, "shown", Number(section.dataset.turn) === shown);
    const near = (element) => Object.values(pointed).some((place) => shares(element, place));
    for (const element of all("#sources article.passage, #sources mark")) {
      toggle(element, "lit", shares(element, chosen));
      toggle(element, "hint", near(element));
    }
    for (const marker of all("#talk .marker")) toggle(marker, "lit", shares(marker, chosen));
    for (const sentence of all("#talk .sentence[data-cites]")) toggle(sentence, "lit", same(placeOf(sentence), chosen));
    for (const [key, open] of folds) {
      const details = document.querySelector(`details[data-key="${CSS.escape(key)}"]`);
      if (details && details.open !== open) details.open = open;
    }
    toggle(byId("sources"), "used", turns.length > 0);
    const talk = byId("talk");
    if (following && talk) talk.scrollTop = talk.scrollHeight;
  }

  // A click or Enter: all sources of the place are lit, the first of them in view and in focus.
  function choose(element) {
    chosen = placeOf(element);
    apply();
    const card = document.querySelector("#sources article.lit");
    if (!card) return;
    card.focus({ preventScroll: true });
    (card.querySelector("mark.lit") ?? card).scrollIntoView({ block: "center", behavior: pace() });
  }

  // The mouse or the keyboard's focus is there: its quotes are marked where they show. Only the keyboard scrolls to them.
  function point(by, target) {
    const element = target?.closest?.(LEADS);
    const place = element ? placeOf(element) : NONE;
    if (same(place, pointed[by])) return;
    pointed[by] = place;
    apply();
    if (by === "mouse" || NARROW.matches || !element?.matches(":focus-visible")) return;
    document.querySelector("#sources .shown mark.hint")?.scrollIntoView({ block: "nearest", behavior: pace() });
  }

  function goBack() {
    const element = document.querySelector(`#talk [data-turn="${chosen.turn}"][data-at="${chosen.at}"]`);
    element?.focus();
    element?.scrollIntoView({ block: "center" });
  }

  function ask(question) {
    const box = document.querySelector("#question textarea");
    box.value = question;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  }

  function showLibrary(open) {
    document.body.classList.toggle("library-open", open);
    byId("docs-toggle")?.setAttribute("aria-expanded", String(open));
  }

  document.addEventListener("click", (event) => {
    const at = (selector) => event.target.closest?.(selector);
    const summary = at("details[data-key] > summary");
    const selecting = event.detail > 0 && String(window.getSelection()); // 0 is the keyboard's click
    if (at(LEADS) && !selecting) choose(at(LEADS));
    else if (at(".back")) goBack();
    else if (at(".example")) ask(at(".example").textContent);
    else if (at("#docs-toggle")) showLibrary(!document.body.classList.contains("library-open"));
    if (summary) folds.set(summary.parentElement.dataset.key, !summary.parentElement.open);
  });

  document.addEventListener("mouseover", (event) => point("mouse", event.target));
  document.addEventListener("focusin", (event) => point("focus", event.target));
  document.addEventListener("focusout", () => point("focus", null));

  document.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.matches?.("#talk .sentence[data-cites]")) {
      event.preventDefault(); // a button by its role alone, and a space would scroll
      choose(event.target);
    }
    if (event.key === "Escape" && event.target.closest?.("#sources")) goBack();
    // Enter that ends the composition of a Chinese or Japanese word is not Enter that sends.
    if (event.key === "Enter" && event.isComposing) event.stopPropagation();
  }, true);

  function start() {
    showLibrary(WIDE.matches);
    WIDE.addEventListener("change", () => showLibrary(WIDE.matches));
    const talk = byId("talk");
    talk.addEventListener("scroll", () => {
      following = talk.scrollHeight - talk.scrollTop - talk.clientHeight < NEAR_END;
    });
    const watched = { childList: true, subtree: true, characterData: true, attributes: true, attributeFilter: ["class", "open"] };
    const observer = new MutationObserver(apply);
    for (const pane of [talk, byId("sources")]) observer.observe(pane, watched);
    apply();
  }

  // Gradio builds the page after it has loaded.
  const waiting = new MutationObserver(() => {
    if (byId("panes") && byId("docs-toggle") && byId("talk")) {
      waiting.disconnect();
      start();
    }
  });
  waiting.observe(document.documentElement, { childList: true, subtree: true });
})();
