"use strict";
(() => {
  const id = (name) => document.getElementById(name);
  const search = id("search"), hits = id("hits");
  const folds = [...document.querySelectorAll("main details")];
  const MAX_MARKED = 5000;
  let rows = null, open = null, found = [], at = -1;

  // Returns the rows with their text, without the number and the time.
  const texts = () => rows ??= [...document.querySelectorAll(".log p[id]")].map((row) => {
    const [number, time] = row.children;
    const timeLength = time?.tagName === "I" ? time.textContent.length : 0;
    return { row, text: row.textContent.slice(number.textContent.length + timeLength) };
  });

  const reveal = (target) => {
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    target.scrollIntoView({ block: "center" });
  };

  // Hides the rows without a hit and the blocks without such rows. Blocks that are not laid out yet
  // get the height of their hits, so that they leave no gaps.
  const show = (hits) => {
    const counts = new Map();
    for (const { row } of rows) counts.set(row.parentElement, 0);
    for (const { row } of hits) counts.set(row.parentElement, counts.get(row.parentElement) + 1);
    for (const [block, count] of counts) {
      block.hidden = count === 0;
      block.style.containIntrinsicSize = `auto none auto ${count * 18}px`;
    }
    const shown = new Set(hits);
    for (const item of rows) {
      const isHidden = !shown.has(item) && counts.get(item.row.parentElement) > 0;
      if (item.row.hidden !== isHidden) item.row.hidden = isHidden;
    }
  };

  const restore = () => {
    for (const { row } of rows ?? []) {
      if (row.hidden) row.hidden = false;
      if (row.parentElement.hidden) row.parentElement.hidden = false;
      if (!row.previousElementSibling) row.parentElement.style.containIntrinsicSize = "";
    }
    folds.forEach((fold, index) => {
      fold.hidden = false;
      if (open) fold.open = open[index];
    });
    open = null;
    hits.textContent = "";
  };

  const mark = (query, isExact) => {
    if (!globalThis.CSS?.highlights) return;
    const ranges = [];
    for (const { row } of found.slice(0, MAX_MARKED)) {
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node; (node = walker.nextNode());) {
        const text = isExact ? node.data : node.data.toLowerCase();
        const isNumber = node.parentElement === row.firstElementChild;
        // The lower case of some letters is longer.
        if (isNumber || text.length !== node.data.length) continue;
        for (let from = 0; (from = text.indexOf(query, from)) >= 0; from += query.length) {
          const range = new Range();
          range.setStart(node, from);
          range.setEnd(node, from + query.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("hit", new Highlight(...ranges));
  };

  // Shows only the rows that contain a text. Case matters if the text has an upper-case letter.
  const filter = () => {
    const query = search.value;
    found[at]?.row.classList.remove("at");
    found = [];
    at = -1;
    globalThis.CSS?.highlights?.delete("hit");
    document.body.classList.toggle("searching", query !== "");
    if (!query) return restore();
    open ??= folds.map((fold) => fold.open);
    const isExact = query !== query.toLowerCase();
    const withHits = new Set();
    for (const item of texts()) {
      if (!(isExact ? item.text : item.text.toLowerCase()).includes(query)) continue;
      found.push(item);
      withHits.add(item.row.parentElement.closest("details"));
    }
    show(found);
    for (const fold of [...withHits]) {
      const outer = fold?.parentElement.closest("details");
      if (outer) withHits.add(outer);
    }
    for (const fold of folds) {
      fold.hidden = !withHits.has(fold);
      fold.open = withHits.has(fold);
    }
    hits.textContent = found.length === 1 ? "1 row" : `${found.length.toLocaleString("en")} rows`;
    mark(query, isExact);
  };

  const move = (by) => {
    if (!found.length) return;
    found[at]?.row.classList.remove("at");
    at = at < 0 ? (by < 0 ? found.length - 1 : 0) : (at + by + found.length) % found.length;
    found[at].row.classList.add("at");
    reveal(found[at].row);
    hits.textContent = `row ${at + 1} of ${found.length.toLocaleString("en")}`;
  };

  const follow = () => {
    const target = document.querySelector(":target");
    if (!target) return;
    if (search.value) {
      search.value = "";
      filter();
    }
    reveal(target);
  };

  let timer = 0;
  search.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      move(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      search.value = "";
      filter();
    }
  });
  addEventListener("keydown", (event) => {
    const isTyping = event.target.matches?.("input, textarea");
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
  });
  // A link to the same row again changes no address.
  addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link && link.hash === location.hash) follow();
  });
  addEventListener("hashchange", follow);
  id("unfold").addEventListener("click", () => folds.forEach((fold) => (fold.open = true)));
  id("fold").addEventListener("click", () => folds.forEach((fold) => (fold.open = false)));
  id("tools").hidden = false;
  follow();
})();
