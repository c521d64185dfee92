/**
 * Script of the pages, in plain JavaScript. It only adds: tabs that change together, copy buttons, a search and the mark of the
 * current section. It runs in the head, so that the page has its final size when it is first painted.
 */
export const SCRIPT = String.raw`
(() => {
  const root = document.documentElement;
  const KEY = "docs-language";
  const stored = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  root.classList.add("js");
  root.dataset.language = ["curl", "typescript", "python"].find((each) => each === stored()) ?? "curl";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const markTabs = () => {
    for (const input of all(".tabs input")) input.checked = input.value === root.dataset.language;
    for (const fieldset of all(".programs .tabs")) {
      if (!fieldset.querySelector(":checked")) fieldset.querySelector("input").checked = true;
    }
  };

  document.addEventListener("change", ({ target }) => {
    if (!target.matches(".tabs input")) return;
    const top = target.getBoundingClientRect().top;
    root.dataset.language = target.value;
    try { localStorage.setItem(KEY, target.value); } catch {}
    markTabs();
    scrollBy(0, target.getBoundingClientRect().top - top);
  });

  document.addEventListener("click", async ({ target }) => {
    if (!target.matches(".copy")) return;
    const block = all("pre", target.closest(".card")).find((each) => each.offsetParent !== null);
    try {
      await navigator.clipboard.writeText(block.textContent + "\n");
      target.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      target.textContent = "Selected";
    }
    setTimeout(() => { target.textContent = "Copy"; }, 2000);
  });

  let readAt = 0;
  document.addEventListener("click", (event) => {
    if (event.target.matches(".open-contents")) readAt = scrollY;
    if (!event.target.matches(".close")) return;
    event.preventDefault();
    location.hash = "";
    scrollTo(0, readAt);
  });

  const followSections = () => {
    const links = new Map(all("#contents a[href^='#']").map((link) => [link.hash.slice(1), link]));
    const visible = new Set();
    let current = null;
    const observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (isIntersecting) visible.add(target);
        else visible.delete(target);
      }
      const [first] = [...visible].sort((a, b) => (a.compareDocumentPosition(b) & 4 ? -1 : 1)).slice(-1);
      const link = first && links.get(first.id);
      if (!link || link === current) return;
      current?.removeAttribute("aria-current");
      current = link;
      link.setAttribute("aria-current", "true");
      const group = link.closest("details");
      if (group) group.open = true;
      const list = document.getElementById("contents");
      const offset = link.getBoundingClientRect().top - list.getBoundingClientRect().top;
      if (offset < 40 || offset > list.clientHeight - 80) list.scrollTop += offset - list.clientHeight / 3;
    }, { rootMargin: "-80px 0px -75% 0px" });
    for (const id of links.keys()) {
      const section = document.getElementById(id);
      if (section) observer.observe(section);
    }
  };

  const prepareSearch = (input) => {
    const results = document.getElementById("results");
    const status = document.getElementById("found");
    let index = null;
    const entriesOf = (page, address) => all("main [id]", page).filter((each) => each.matches("section, article, h3, tr")).map((each) => {
      const heading = each.matches("h3") ? each : each.querySelector("h2, h3, th");
      const text = each.matches("h3") ? "" : each.textContent.replace(/\s+/g, " ");
      return { to: address + "#" + each.id, title: (heading ?? each).textContent, text, low: text.toLowerCase() };
    });
    const loadOther = async () => {
      const other = ["/docs/", "/docs/schemas/"].find((each) => each !== location.pathname);
      try {
        const html = await (await fetch(other)).text();
        index.push(...entriesOf(new DOMParser().parseFromString(html, "text/html"), other));
        show();
      } catch {}
    };
    const find = (words) => {
      const rated = index.flatMap((entry) => {
        const title = entry.title.toLowerCase();
        if (words.every((word) => title.includes(word))) return [{ entry, rate: title.startsWith(words[0]) ? 0 : 1 }];
        return words.every((word) => title.includes(word) || entry.low.includes(word)) ? [{ entry, rate: 2 }] : [];
      });
      return rated.sort((a, b) => a.rate - b.rate).slice(0, 12).map(({ entry }) => entry);
    };
    const excerpt = ({ text, low }, word) => {
      const at = low.indexOf(word);
      return at < 0 ? text.slice(0, 90) : text.slice(Math.max(0, at - 40), at + 60);
    };
    const show = () => {
      const words = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      if (index === null) {
        index = entriesOf(document, "");
        loadOther();
      }
      const found = words.length === 0 ? [] : find(words);
      results.replaceChildren(...found.map((entry) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        const title = document.createElement("strong");
        const place = document.createElement("span");
        link.href = entry.to;
        title.textContent = entry.title;
        place.textContent = excerpt(entry, words[0]);
        link.append(title, place);
        item.append(link);
        return item;
      }));
      results.hidden = words.length === 0;
      status.textContent = words.length === 0 ? "" : found.length === 0 ? "No results" : found.length + " results";
      if (words.length > 0 && found.length === 0) {
        const none = document.createElement("li");
        none.textContent = "No results. Search for a word of a heading, a field or a code.";
        results.append(none);
      }
    };
    const close = () => { results.hidden = true; };
    input.addEventListener("input", show);
    input.addEventListener("focus", show);
    results.addEventListener("click", close);
    document.addEventListener("click", ({ target }) => { if (!target.closest(".search")) close(); });
    document.addEventListener("keydown", (event) => {
      const within = event.target.closest?.(".search");
      if (event.key === "/" && !event.target.matches("input, textarea")) {
        event.preventDefault();
        input.focus();
      } else if (within && event.key === "Escape") {
        close();
        input.focus();
      } else if (within && event.key === "Enter" && event.target === input) {
        results.querySelector("a")?.click();
      } else if (within && ["ArrowDown", "ArrowUp"].includes(event.key)) {
        event.preventDefault();
        const places = [input, ...all("a", results)];
        const next = places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
        places[Math.min(Math.max(next, 0), places.length - 1)].focus();
      }
    });
  };

  document.addEventListener("DOMContentLoaded", () => {
    markTabs();
    const input = document.getElementById("search");
    if (input) prepareSearch(input);
    if (document.getElementById("contents")) followSections();
  });
})();
`
  .trim()
  .replaceAll(/\n\s+/g, "\n");
