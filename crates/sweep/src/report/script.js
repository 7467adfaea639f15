"use strict";
// Shows the tokens of the page's data in pages, with filters, search and sorting.
(() => {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const list = find("list");
  if (!list) return;
  const SIZE = 100;
  const number = new Intl.NumberFormat("en");
  const REACHES = ["head", "history", "unreachable"];
  const REACH = { head: "in HEAD", history: "in history", unreachable: "unreachable" };
  const text = (index) => (index === null ? "" : data.texts[index]);
  const tokens = data.rows.map((row, at) => ({
    at,
    fingerprint: row[0],
    state: row[1],
    reach: row[2],
    change: row[3],
    rule: text(row[4]),
    name: text(row[5]),
    redacted: row[6],
    id: row[7],
    reason: text(row[8]),
    login: row[9],
    commit: text(row[10]),
    author: text(row[11]),
    date: row[12] ?? "",
    age: row[13],
    owners: row[14].map(text),
    advice: text(row[15]),
    places: row[16].map(([repository, total, places]) => ({ repository: data.repositories[repository], total, places })),
    url: row[17],
  }));

  // A repository as people read it.
  const label = (url) => url.replace(/^https:\/\//, "").replace(/\.git$/, "");
  const expand = (repository, [path, line, url, reach, commit, part]) => {
    const place = { path: path === null ? null : text(path), line, reach: REACHES[reach], commit: text(commit), part };
    const base = repository.replace(/\.git$/, "");
    place.url = url?.replace("\u0001", () => base).replace("\u0002", () => place.commit).replace("\u0003", () => place.path);
    place.name = place.path === null ? `${part} ${place.commit.slice(0, 12)}` : `${place.path}:${line}`;
    return place;
  };

  // Elements are made of text nodes only; nothing of the data is parsed as markup.
  const make = (tag, name, ...children) => {
    const it = document.createElement(tag);
    if (name) it.className = name;
    it.append(...children.filter((child) => child !== null && child !== ""));
    return it;
  };
  const link = (url, child) => {
    if (!url || !/^https?:\/\//.test(url)) return child;
    const it = make("a", "", child);
    it.href = url;
    it.rel = "noreferrer noopener";
    return it;
  };
  const plural = (amount, noun) => {
    const many = noun === "repository" ? "repositories" : `${noun}s`;
    return `${number.format(amount)} ${amount === 1 ? noun : many}`;
  };
  const day = (date) => date.slice(0, 10);

  const place = (it) => make("li", "", link(it.url, make("code", "", it.name)), make("span", "soft", ` ${REACH[it.reach]}`));
  const details = (token) => {
    const body = make("div", "body");
    const facts = make("dl", "facts");
    const fact = (name, ...value) => {
      if (value.some((it) => it !== null && it !== "")) {
        facts.append(make("div", "", make("dt", "", name), make("dd", "", ...value)));
      }
    };
    fact("Token", make("code", "", token.redacted));
    fact("Token id", token.id ?? "");
    fact("Fingerprint", make("code", "", token.fingerprint));
    fact("State", token.state + (token.reason ? `: ${token.reason}` : ""));
    fact("Account", token.login ?? "");
    if (token.commit) fact("First commit", link(token.url, make("code", "", token.commit.slice(0, 12))), ` ${token.author}, ${day(token.date)}`);
    fact("Owners", token.owners.join(", "));
    fact("What to do", token.advice);
    body.append(facts);
    for (const { repository, total, places } of token.places.slice(0, 50)) {
      body.append(make("h3", "", link(repository, document.createTextNode(label(repository)))));
      const items = make("ul", "places", ...places.map((it) => place(expand(repository, it))));
      if (total > places.length) items.append(make("li", "soft", `and ${plural(total - places.length, "place")}`));
      body.append(items);
    }
    if (token.places.length > 50) body.append(make("p", "soft", `and ${plural(token.places.length - 50, "repository")}`));
    return body;
  };
  const row = (token) => {
    const { repository, total, places } = token.places[0];
    const path = places.length ? expand(repository, places[0]).name : "";
    const others = token.places.length - 1;
    const more = others > 0 ? `+${plural(others, "repository")}` : total > 1 ? `+${plural(total - 1, "place")}` : "";
    const state = make("div", "state", make("span", `pill ${token.state}`, token.state), make("span", "soft", REACH[token.reach]));
    if (token.change && token.change !== "open") state.append(make("span", "pill change", token.change));
    const where = make("div", "what",
      make("div", "path", label(repository), " ", make("code", "", path), " ", make("span", "soft", more)),
      make("div", "meta", make("span", "", token.name), make("code", "", token.redacted), make("span", "", token.owners.slice(0, 3).join(", "))));
    const age = make("div", "age", token.age === null ? "" : token.age === 0 ? "today" : plural(token.age, "day"));
    const summary = make("summary", "", state, where, age);
    const it = make("details", "token", summary);
    it.addEventListener("toggle", () => {
      if (it.open && it.childElementCount === 1) it.append(details(token));
    });
    return it;
  };

  const picks = {
    state: (token) => [token.state],
    reach: (token) => [REACH[token.reach]],
    change: (token) => (token.change ? [token.change] : []),
    rule: (token) => [token.rule],
    repository: (token) => token.places.map((it) => it.repository),
    owner: (token) => token.owners,
  };
  for (const [id, values] of Object.entries(picks)) {
    const counts = new Map();
    for (const token of tokens) for (const value of new Set(values(token))) counts.set(value, (counts.get(value) ?? 0) + 1);
    if (counts.size < 2) {
      find(id).parentElement.hidden = true;
      continue;
    }
    const sorted = [...counts].sort((one, two) => two[1] - one[1] || (one[0] < two[0] ? -1 : 1));
    const options = document.createDocumentFragment();
    for (const [value, amount] of sorted) {
      const option = make("option", "", `${id === "repository" ? label(value) : value} (${number.format(amount)})`);
      option.value = value;
      options.append(option);
    }
    find(id).append(options);
  }

  const haystack = (token) =>
    (token.text ??= [
      token.fingerprint, token.redacted, token.id, token.name, token.rule, token.author, token.commit, token.login, ...token.owners,
      ...token.places.flatMap((it) => [it.repository, ...it.places.map(([path]) => text(path))]),
    ].join(" ").toLowerCase());
  const compare = {
    urgency: (one, two) => one.at - two.at,
    newest: (one, two) => (one.age ?? Infinity) - (two.age ?? Infinity) || one.at - two.at,
    oldest: (one, two) => (two.age ?? -1) - (one.age ?? -1) || one.at - two.at,
    spread: (one, two) => two.places.length - one.places.length || one.at - two.at,
  };
  let shown = tokens;
  let page = 0;
  const render = () => {
    const from = page * SIZE;
    const part = shown.slice(from, from + SIZE);
    list.replaceChildren(...(part.length ? part.map(row) : [make("p", "empty", "No token matches the filters.")]));
    const of = shown.length === tokens.length ? "" : ` of ${number.format(tokens.length)}`;
    find("status").textContent = `${number.format(shown.length)}${of} ${shown.length === 1 && !of ? "token" : "tokens"}`;
    find("pager").hidden = shown.length <= SIZE;
    find("position").textContent = `${number.format(from + 1)}–${number.format(from + part.length)} of ${number.format(shown.length)}`;
    find("previous").disabled = page === 0;
    find("next").disabled = from + SIZE >= shown.length;
  };
  const apply = () => {
    const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.entries(picks).filter(([id]) => find(id).value !== "").map(([id, values]) => [find(id).value, values]);
    shown = tokens.filter((token) =>
      wanted.every(([value, values]) => values(token).includes(value)) &&
      words.every((word) => haystack(token).includes(word)));
    shown.sort(compare[find("order").value]);
    page = 0;
    render();
  };
  for (const id of [...Object.keys(picks), "order"]) find(id).addEventListener("change", apply);
  let timer;
  find("search").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(apply, 120);
  });
  find("reset").addEventListener("click", () => {
    for (const id of Object.keys(picks)) find(id).value = "";
    find("search").value = "";
    find("order").value = "urgency";
    apply();
  });
  const turn = (by) => {
    page += by;
    render();
    find("status").scrollIntoView();
  };
  find("previous").addEventListener("click", () => turn(-1));
  find("next").addEventListener("click", () => turn(1));
  for (const it of document.querySelectorAll("button[data-repository]")) {
    it.addEventListener("click", () => {
      find("repository").value = data.repositories[it.dataset.repository];
      apply();
      find("tokens").scrollIntoView();
    });
  }
  find("toolbar").hidden = false;
  render();
})();
