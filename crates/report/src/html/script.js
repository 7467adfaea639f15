"use strict";
// Adds filters, search, sorting and pages to the findings; the list is readable without it.
(() => {
  const find = (id) => document.getElementById(id);
  const clock = (text) => text.replace("T", " ").replace(/\.\d+Z$/, " UTC");
  const times = [...document.querySelectorAll("#times time")].map((it) => it.dateTime);
  if (times.length > 0 && times.every((it) => !Number.isNaN(Date.parse(it)))) {
    const took = times.length > 1 ? (Date.parse(times[1]) - Date.parse(times[0])) / 1000 : NaN;
    const span = took < 60 ? `${took.toFixed(1)} s` : `${Math.floor(took / 60)} min ${Math.round(took % 60)} s`;
    find("times").textContent = clock(times[0]) + (took >= 0 ? `, took ${span}` : "");
  }
  const unfold = (element) => {
    for (let it = element; it; it = it.parentElement) if (it.tagName === "DETAILS") it.open = true;
  };
  for (const it of document.querySelectorAll("#next-steps .next pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.title = it.textContent;
    let timer;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(it.textContent);
        button.textContent = "Copied";
      } catch {
        // The user can copy what is selected.
        getSelection().selectAllChildren(it);
        button.textContent = "Selected";
      }
      clearTimeout(timer);
      timer = setTimeout(() => (button.textContent = "Copy"), 2000);
    });
    it.before(button);
  }
  const list = find("list");
  if (!list) {
    return;
  }
  const SIZE = 100;
  const START = '<details class="finding"';
  const GROUP = '<h3 class="group"';
  const WHERE = ["head", "history", "unreachable"];
  const WORDS = ["in HEAD or files", "in history", "unreachable"];
  const number = new Intl.NumberFormat("en");
  const template = document.createElement("template");

  // The markup of the findings that are not in the initial DOM is the text of the noscript element.
  const present = [...list.querySelectorAll(":scope > details")];
  const rest = list.querySelector("noscript")?.textContent ?? "";
  const pieces = rest.split(START).slice(1).map((it) => START + it.split(GROUP)[0]);
  const numbers = (text) => (text === "" ? [] : text.split(" ").map(Number));
  const items = [...present, ...pieces].map((it, at) => {
    const html = typeof it === "string" ? it : it.outerHTML;
    const tag = html.slice(0, html.indexOf(">"));
    const value = (name) => tag.match(` data-${name}="([^"]*)"`)[1];
    return {
      at,
      html,
      node: typeof it === "string" ? null : it,
      state: value("state"),
      where: [value("where")],
      repository: value("repository").split(" "),
      rule: [value("rule")],
      owner: value("owner").split(" "),
      ranks: numbers(value("ranks")),
    };
  });
  const node = (item) => {
    if (!item.node) {
      template.innerHTML = item.html;
      item.node = template.content.firstElementChild;
    }
    return item.node;
  };
  const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
  const text = (item) => (item.text ??= item.html.replace(/<[^>]*>/g, " ").replaceAll('"', "&quot;").toLowerCase());

  const picks = ["where", "repository", "rule", "owner"].map(find).filter(Boolean);
  const search = find("search");
  const order = find("order");
  const status = find("status");
  let shown = items;
  let page = 0;

  const chosen = () => document.querySelector("input[name=state]:checked")?.value ?? "";
  const group = (item) => {
    if (order && order.value !== "urgency") return `By ${order.selectedOptions[0].text.toLowerCase()}`;
    const state = item.state[0].toUpperCase() + item.state.slice(1);
    return `${state}, ${WORDS[WHERE.indexOf(item.where[0])]}`;
  };
  const heading = (title) => {
    const it = document.createElement("h3");
    it.className = "group";
    it.textContent = title;
    return it;
  };
  const render = () => {
    const from = page * SIZE;
    const part = shown.slice(from, from + SIZE);
    const nodes = [];
    let last = null;
    for (const item of part) {
      const title = group(item);
      if (title !== last) nodes.push(heading(title));
      last = title;
      nodes.push(node(item));
    }
    if (part.length === 0) {
      const empty = document.createElement("p");
      empty.className = "empty";
      empty.textContent = "No finding matches the filters.";
      nodes.push(empty);
    }
    list.replaceChildren(...nodes);
    const range = `${number.format(from + 1)}–${number.format(from + part.length)}`;
    const all = number.format(items.length);
    const of = shown.length === items.length ? "" : ` (of ${all})`;
    const noun = shown.length === 1 ? "finding" : "findings";
    status.textContent = `${number.format(shown.length)} ${noun}${of}` + (shown.length > SIZE ? `, ${range} shown` : "");
    find("pager").hidden = shown.length <= SIZE;
    find("position").textContent = `${range} of ${number.format(shown.length)}`;
    find("previous").disabled = page === 0;
    find("next").disabled = from + SIZE >= shown.length;
  };
  const compare = {
    newest: (one, two) => one.ranks[0] - two.ranks[0],
    oldest: (one, two) => two.ranks[0] - one.ranks[0],
    path: (one, two) => one.ranks[1] - two.ranks[1],
    rule: (one, two) => one.ranks[2] - two.ranks[2],
    author: (one, two) => one.ranks[3] - two.ranks[3],
  };
  const apply = () => {
    const state = chosen();
    const words = escape(search?.value.toLowerCase() ?? "").split(/\s+/).filter(Boolean);
    const wanted = picks.filter((it) => it.value !== "").map((it) => [it.id, it.value]);
    shown = items.filter((item) =>
      (state === "" || item.state === state) &&
      wanted.every(([name, value]) => item[name].includes(value)) &&
      words.every((word) => text(item).includes(word)));
    if (order && order.value !== "urgency") shown.sort(compare[order.value]);
    page = 0;
    render();
    const reset = find("reset");
    if (reset) reset.hidden = state === "" && wanted.length === 0 && words.length === 0;
    const repository = find("repository")?.value ?? "";
    for (const it of document.querySelectorAll("[data-repository][type=button]")) {
      it.setAttribute("aria-pressed", String(it.dataset.repository === repository));
    }
  };
  const reset = () => {
    for (const it of picks) it.value = "";
    if (search) search.value = "";
    const all = document.querySelector("input[name=state]");
    if (all) all.checked = true;
    apply();
  };
  const turn = (by) => {
    page += by;
    render();
    find("findings").scrollIntoView();
    list.querySelector("summary")?.focus({ preventScroll: true });
  };
  // Shows the finding of a link such as #f12.
  const follow = () => {
    const at = Number(location.hash.match(/^#f(\d+)$/)?.[1]) - 1;
    const item = items[at];
    if (!item) {
      const target = location.hash.length > 1 && find(location.hash.slice(1));
      if (!target) return;
      unfold(target.closest("details") ?? (target.id === "issues" ? target.querySelector("details") : null));
      target.scrollIntoView();
      return;
    }
    if (!shown.includes(item)) reset();
    page = Math.floor(shown.indexOf(item) / SIZE);
    render();
    node(item).open = true;
    node(item).scrollIntoView();
  };

  const toolbar = find("toolbar");
  if (toolbar) {
    toolbar.hidden = false;
    toolbar.addEventListener("change", (event) => {
      if (event.target !== search) apply();
    });
    let timer;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(apply, 150);
    });
    find("reset").addEventListener("click", () => {
      reset();
      search.focus();
    });
  }
  for (const it of document.querySelectorAll("button[data-repository]")) {
    it.disabled = !find("repository");
    it.setAttribute("aria-pressed", "false");
    it.addEventListener("click", () => {
      const pick = find("repository");
      pick.value = pick.value === it.dataset.repository ? "" : it.dataset.repository;
      apply();
      status.scrollIntoView({ block: "start" });
    });
  }
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", follow);
  if (toolbar || items.length > SIZE) apply();
  if (items.length <= 3) for (const item of items) node(item).open = true;
  follow();
})();
