// What happens in the browser alone: which sources show, which quote is lit, scrolling, the documents panel.
(() => {
  const NEAR_END = 80; // pixels: closer than this to the end of the talk, new text scrolls into view
  const WIDE = window.matchMedia("(min-width: 1100px)");
  const NARROW = window.matchMedia("(max-width: 699px)"); // here the window scrolls, not the talk
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);

  // The server replaces the HTML many times a second, so what the user chose is kept here and applied again.
  let chosen = { turn: null, n: null };
  let newest = 0;
  let following = true;
  let cameFrom = null;
  const folds = new Map(); // data-key of a <details> the user opened or closed -> open

  const toggle = (element, name, on) => {
    if (element.classList.contains(name) !== on) element.classList.toggle(name, on);
  };

  function apply() {
    const turns = all("#sources .sources").map((section) => Number(section.dataset.turn));
    const last = Math.max(0, ...turns);
    if (last !== newest) {
      chosen = { turn: null, n: null };
      following = true;
      if (NARROW.matches && last) byId("now").scrollIntoView();
    }
    newest = last;
    const shown = chosen.turn ?? newest;
    for (const section of all("#sources .sources")) toggle(section, "shown", Number(section.dataset.turn) === shown);
    const cites = (element) => Number(element.dataset.turn) === chosen.turn &&
      element.dataset.n.split(" ").includes(String(chosen.n));
    for (const card of all("#sources article.passage")) {
      toggle(card, "lit", cites(card));
      for (const mark of all("mark", card)) {
        toggle(mark, "lit", cites(card) && mark.dataset.n.split(" ").includes(String(chosen.n)));
      }
    }
    for (const marker of all("#talk .marker")) toggle(marker, "lit", cites(marker));
    for (const [key, open] of folds) {
      const details = document.querySelector(`details[data-key="${CSS.escape(key)}"]`);
      if (details && details.open !== open) details.open = open;
    }
    toggle(byId("sources"), "used", turns.length > 0);
    const talk = byId("talk");
    if (following && talk) talk.scrollTop = talk.scrollHeight;
  }

  function choose(turn, n, marker) {
    chosen = { turn: Number(turn), n: Number(n) };
    cameFrom = marker;
    apply();
    const card = document.querySelector("#sources article.lit");
    if (!card) return;
    card.focus({ preventScroll: true });
    const smooth = !window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    (card.querySelector("mark.lit") ?? card).scrollIntoView({ block: "center", behavior: smooth ? "smooth" : "auto" });
  }

  function goBack() {
    if (!cameFrom) return;
    const { turn, n } = cameFrom;
    const marker = document.querySelector(`#talk .marker[data-turn="${turn}"][data-n="${n}"]`);
    marker?.focus();
    marker?.scrollIntoView({ block: "center" });
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
    const marker = at("#talk .marker");
    const sentence = at("#talk .sentence");
    const summary = at("details[data-key] > summary");
    if (marker) choose(marker.dataset.turn, marker.dataset.n, { ...marker.dataset });
    else if (sentence?.dataset.cites && !String(window.getSelection())) {
      const n = sentence.dataset.cites.split(" ")[0];
      choose(sentence.dataset.turn, n, { turn: sentence.dataset.turn, n });
    } else if (at(".back")) goBack();
    else if (at(".example")) ask(at(".example").textContent);
    else if (at("#docs-toggle")) showLibrary(!document.body.classList.contains("library-open"));
    if (summary) folds.set(summary.parentElement.dataset.key, !summary.parentElement.open);
  });

  document.addEventListener("keydown", (event) => {
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
