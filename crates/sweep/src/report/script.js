"use strict";
// Shows the tokens of the page's data in pages, with filters, search and sorting.
(() => {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const list = find("list");
  if (!list) return;
  const SIZE = 100;
  const number = new Intl.NumberFormat("en");
  const VERDICTS = ["live", "unknown", "dead"];
  const REACHES = ["in HEAD", "in history", "in unreachable objects"];
  const CHANGES = ["", "new", "open", "back"];
  const text = (index) => (index < 0 ? "" : data.texts[index]);
  const total = data.fingerprints.length;

  // The columns have an entry for each token; a token is its index. The repositories and the places of a token have
  // five numbers each.
  const forEachRepository = (token, call) => {
    const column = data.places[token];
    for (let at = 0; at < column.length; at += 5 + column[at + 4] * 5) call(column, at);
  };
  const occurrences = (token) => {
    const found = [];
    forEachRepository(token, (column, at) => {
      const [repository, first, owners, total, listed] = column.slice(at, at + 5);
      found.push({ repository: data.repositories[repository], outdated: data.outdated[repository], first, owners, total, listed, from: at + 5 });
    });
    return found;
  };
  const base = (url) => url.replace(/\.git$/, "");
  const expandUrl = (index, repository, commit, path, line) =>
    index < 0 ? null : data.urls[index].replace("\u0001", () => base(repository)).replace("\u0002", () => commit).replace("\u0003", () => path).replace("\u0004", line);

  // A repository as people read it.
  const label = (url) => url.replace(/^https:\/\//, "").replace(/\.git$/, "");
  // The places of an occurrence, from the first one on.
  const listedPlaces = (token, { repository, from, listed }, limit = listed) => {
    const column = data.places[token];
    const found = [];
    for (let at = from; found.length < Math.min(listed, limit); at += 5) {
      const [name, line, url, reach, commitIndex] = column.slice(at, at + 5);
      const commit = commitIndex < 0 ? "" : data.commits[commitIndex];
      const path = name < 0 ? null : text(name);
      found.push({
        name: path === null ? `${text(-2 - name)} ${commit.slice(0, 12)}` : `${path}:${line}`,
        url: expandUrl(url, repository, commit, path ?? "", String(line)),
        reach: REACHES[reach],
      });
    }
    return found;
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

  const verdict = (token) => VERDICTS[data.verdicts[token]];
  const kind = (token) => data.kinds[data.kind[token]];
  // The most urgent reach: that of the first place.
  const reach = (token) => data.places[token][8] ?? 2;
  // The owners in all repositories, as indices of their texts.
  const owners = (token) => {
    const found = new Set();
    forEachRepository(token, (column, at) => data.owners[column[at + 2]].forEach((it) => found.add(it)));
    return [...found];
  };
  const firstCommit = ({ repository, first }) => {
    if (first < 0) return [];
    const [commit, name, email, day, url] = data.firsts[first];
    const id = data.commits[commit];
    return [link(expandUrl(url, repository, id, "", ""), make("code", "", id.slice(0, 12))), ` ${text(name)} <${text(email)}>, ${text(day)}`];
  };

  // A list of facts: each has a name and a value, which may be empty.
  const facts = (...pairs) => {
    const known = pairs.filter(([, ...value]) => value.some((it) => it !== null && it !== ""));
    return make("dl", "facts", ...known.map(([name, ...value]) => make("div", "", make("dt", "", name), make("dd", "", ...value))));
  };
  const place = (it) => make("li", "", link(it.url, make("code", "", it.name)), make("span", "soft", ` ${it.reach}`));
  const details = (token) => {
    const [reason, login] = (data.answers[token] || [-1, -1]).map(text);
    const body = make("div", "body", facts(
      ["Token", make("code", "", data.redacted[token])],
      ["Token id", data.ids[token] || ""],
      ["Fingerprint", make("code", "", data.fingerprints[token])],
      ["State", verdict(token) + (reason ? `: ${reason}` : "")],
      ["Account", login],
      ["What to do", text(kind(token)[2])],
    ));
    const found = occurrences(token);
    for (const it of found.slice(0, 50)) {
      const asOf = it.outdated ? make("span", "soft", ` as of ${it.outdated}: not scanned since`) : null;
      body.append(make("h3", "", link(it.repository, document.createTextNode(label(it.repository))), asOf));
      body.append(facts(["First commit", ...firstCommit(it)], ["Owners", data.owners[it.owners].map(text).join(", ")]));
      const items = make("ul", "places", ...listedPlaces(token, it).map(place));
      if (it.total > it.listed) items.append(make("li", "soft", `and ${plural(it.total - it.listed, "place")}`));
      body.append(items);
    }
    if (found.length > 50) body.append(make("p", "soft", `and ${plural(found.length - 50, "repository")}`));
    return body;
  };
  const row = (token) => {
    const found = occurrences(token);
    const { repository, outdated, total: places } = found[0];
    const path = listedPlaces(token, found[0], 1)[0]?.name ?? "";
    const others = found.length - 1;
    const more = others > 0 ? `+${plural(others, "repository")}` : places > 1 ? `+${plural(places - 1, "place")}` : "";
    const state = make("div", "state", make("span", `pill ${verdict(token)}`, verdict(token)), make("span", "soft", REACHES[reach(token)]));
    if (outdated) state.append(make("span", "soft", `as of ${outdated}`));
    const change = CHANGES[data.changes[token]];
    if (change && change !== "open") state.append(make("span", "pill change", change));
    const where = make("div", "what",
      make("div", "path", label(repository), " ", make("code", "", path), " ", make("span", "soft", more)),
      make("div", "meta", make("span", "", text(kind(token)[1])), make("code", "", data.redacted[token]), make("span", "", owners(token).slice(0, 3).map(text).join(", "))));
    const days = data.ages[token];
    const age = make("div", "age", days < 0 ? "" : days === 0 ? "today" : plural(days, "day"));
    const it = make("details", "token", make("summary", "", state, where, age));
    it.addEventListener("toggle", () => {
      if (it.open && it.childElementCount === 1) it.append(details(token));
    });
    return it;
  };

  // For each filter: the names of its values, and a function that calls another one with each value of a token.
  const picks = {
    state: [VERDICTS, (token, call) => call(+data.verdicts[token])],
    reach: [REACHES, (token, call) => call(reach(token))],
    change: [CHANGES, (token, call) => data.changes[token] !== "0" && call(+data.changes[token])],
    rule: [data.texts, (token, call) => call(kind(token)[0])],
    repository: [data.repositories.map(label), (token, call) => forEachRepository(token, (column, at) => call(column[at]))],
    owner: [data.texts, (token, call) => owners(token).forEach(call)],
  };
  for (const [id, [names, each]] of Object.entries(picks)) {
    const counts = new Map();
    const add = (value) => counts.set(value, (counts.get(value) ?? 0) + 1);
    for (let token = 0; token < total; token += 1) each(token, add);
    if (counts.size < 2) {
      find(id).parentElement.hidden = true;
      continue;
    }
    const sorted = [...counts].sort((one, two) => two[1] - one[1] || (names[one[0]] < names[two[0]] ? -1 : 1));
    const options = document.createDocumentFragment();
    for (const [value, amount] of sorted) {
      const option = make("option", "", `${names[value]} (${number.format(amount)})`);
      option.value = value;
      options.append(option);
    }
    find(id).append(options);
  }

  // Returns a function that returns true for tokens whose texts contain a word. Each text is searched once.
  const search = (word) => {
    const has = (it) => it.toLowerCase().includes(word);
    const texts = Uint8Array.from(data.texts, has);
    const repositories = Uint8Array.from(data.repositories, has);
    const commits = /^[0-9a-f]+$/.test(word) ? Uint8Array.from(data.commits, has) : new Uint8Array(data.commits.length);
    const firsts = Uint8Array.from(data.firsts, ([commit, author, email]) => commits[commit] || texts[author] || texts[email]);
    const sets = Uint8Array.from(data.owners, (indices) => indices.some((index) => texts[index]));
    const isIn = (token) => {
      const [rule, name] = kind(token);
      const [reason, login] = data.answers[token] || [-1, -1];
      if (has(data.fingerprints[token]) || has(data.redacted[token]) || has(data.ids[token] || "")) return true;
      if ([rule, name, reason, login].some((index) => texts[index])) return true;
      const column = data.places[token];
      for (let at = 0; at < column.length; ) {
        const [repository, first, owners, , listed] = column.slice(at, at + 5);
        if (repositories[repository] || firsts[first] || sets[owners]) return true;
        const end = at + 5 + listed * 5;
        for (at += 5; at < end; at += 5) if (texts[column[at]] || commits[column[at + 4]]) return true;
      }
      return false;
    };
    return isIn;
  };
  const ages = data.ages;
  const spread = (token) => {
    let amount = 0;
    picks.repository[1](token, () => (amount += 1));
    return amount;
  };
  const youngest = (token) => (ages[token] < 0 ? Infinity : ages[token]);
  // The index of a token is its rank by urgency.
  const compare = {
    urgency: (one, two) => one - two,
    newest: (one, two) => (youngest(one) < youngest(two) ? -1 : youngest(one) > youngest(two) ? 1 : one - two),
    oldest: (one, two) => ages[two] - ages[one] || one - two,
    spread: (one, two) => spread(two) - spread(one) || one - two,
  };
  const all = Array.from({ length: total }, (_, token) => token);
  let shown = all;
  let page = 0;
  const render = () => {
    const from = page * SIZE;
    const part = shown.slice(from, from + SIZE);
    list.replaceChildren(...(part.length ? part.map(row) : [make("p", "empty", "No token matches the filters.")]));
    const of = shown.length === total ? "" : ` of ${number.format(total)}`;
    find("status").textContent = `${number.format(shown.length)}${of} ${shown.length === 1 && !of ? "token" : "tokens"}`;
    find("pager").hidden = shown.length <= SIZE;
    find("position").textContent = `${number.format(from + 1)}–${number.format(from + part.length)} of ${number.format(shown.length)}`;
    find("previous").disabled = page === 0;
    find("next").disabled = from + SIZE >= shown.length;
  };
  const apply = () => {
    const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean).map(search);
    const wanted = Object.entries(picks).filter(([id]) => find(id).value !== "").map(([id, [, each]]) => [+find(id).value, each]);
    shown = all.filter((token) => {
      for (const [value, each] of wanted) {
        let found = false;
        each(token, (it) => (found ||= it === value));
        if (!found) return false;
      }
      return words.every((isIn) => isIn(token));
    });
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
      find("repository").value = it.dataset.repository;
      apply();
      find("tokens").scrollIntoView();
    });
  }
  find("toolbar").hidden = false;
  render();
})();
