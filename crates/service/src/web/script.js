// Progressive enhancement of pages that work without it: local times, copying, live filters,
// selections, and the warning before a token that was not copied is left.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const one = (selector, root = document) => root.querySelector(selector);
  const plural = (number, thing) => `${number} ${thing}${number === 1 ? "" : "s"}`;

  const localize = (root) => {
    const formats = {
      "": new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }),
      date: new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }),
      exact: new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" }),
    };
    for (const time of all("time[data-local]", root)) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) time.textContent = formats[time.dataset.local].format(at);
    }
  };
  localize(document);

  // Copying a secret, which is removed from the page when the page is left.
  let copied = true;
  for (const button of all("[data-copy]")) {
    const input = document.getElementById(button.dataset.copy);
    const status = one("[data-copied]", button.closest(".secret"));
    const done = () => {
      copied = true;
      status.textContent = "Copied.";
    };
    copied = false;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(input.value);
        done();
      } catch {
        input.select();
        status.textContent = "Press Ctrl+C or ⌘C to copy the selected text.";
      }
    });
    input.addEventListener("focus", () => input.select());
    input.addEventListener("copy", done);
    addEventListener("pagehide", () => {
      input.value = "";
      for (const example of all("pre", input.closest(".created"))) example.textContent = "";
    });
  }
  addEventListener("beforeunload", (event) => {
    if (!copied) event.preventDefault();
  });

  // The scopes of a token.
  for (const picker of all("[data-scopes]")) {
    const form = picker.closest("form");
    const filter = one("#scope-filter", picker);
    const read = one("#scope-read", picker);
    const chosen = one("#scope-chosen", picker);
    const status = one("[data-scope-status]", picker);
    const none = one("[data-scope-none]", picker);
    const scopes = all(".scope", picker).map((label) => ({
      label,
      box: one("input", label),
      isRead: one(".access", label).classList.contains("read"),
    }));
    for (const hidden of all("[data-script]", picker)) hidden.hidden = false;
    const show = () => {
      const words = filter.value.toLowerCase().split(/[\s_]+/).filter(Boolean);
      let shown = 0;
      for (const { label, box, isRead } of scopes) {
        const matches = words.every((word) => box.value.includes(word));
        label.hidden = !matches || (read.checked && !isRead) || (chosen.checked && !box.checked);
        shown += label.hidden ? 0 : 1;
      }
      for (const group of all(".scope-group", picker)) {
        group.hidden = !all(".scope", group).some((label) => !label.hidden);
      }
      none.hidden = shown > 0;
    };
    const summarize = () => {
      const checked = scopes.filter(({ box }) => box.checked);
      const writing = checked.filter(({ isRead }) => !isRead).length;
      status.textContent = `${plural(checked.length, "scope")} selected`;
      const text = checked.length ? `${checked.length} (${writing} with write access)` : "none yet";
      const put = (name, value) => {
        const place = one(`[data-summary=${name}]`, form);
        if (place) place.textContent = value;
      };
      put("scopes", text);
      put("name", one("#name", form).value.trim() || "–");
      const lifetime = one("input[name=lifetime]:checked", form);
      if (lifetime) {
        const date = one("input[name=date]", form).value;
        const label = one("span", lifetime.parentElement).textContent;
        const words = { date: date ? `end of ${date}` : "–", never: "never" };
        put("expiry", words[lifetime.value] ?? `in ${label}`);
      }
    };
    filter.addEventListener("input", show);
    filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
    read.addEventListener("change", show);
    chosen.addEventListener("change", show);
    form.addEventListener("input", summarize);
    form.addEventListener("change", (event) => {
      if (event.target.name === "date") one("input[name=lifetime][value=date]", form).checked = true;
      summarize();
    });
    summarize();
  }

  // Rows that can be selected.
  for (const form of all("[data-select]")) {
    const boxes = all("input[name=token]", form);
    const every = one("[data-select-all]", form);
    const status = one("[data-selected]", form);
    const button = one("button.danger:not(.small)", form);
    const count = () => {
      const number = boxes.filter((box) => box.checked).length;
      status.textContent = number ? `${plural(number, "token")} selected` : "";
      button.disabled = number === 0;
      every.checked = number > 0 && number === boxes.length;
      every.indeterminate = number > 0 && number < boxes.length;
    };
    every.hidden = boxes.length === 0;
    every.addEventListener("change", () => {
      for (const box of boxes) box.checked = every.checked;
      count();
    });
    form.addEventListener("change", count);
    count();
  }

  // The time range of the audit trail.
  const range = one("#range");
  if (range) {
    range.addEventListener("change", () => {
      for (const field of all("[data-custom-range]")) field.hidden = range.value !== "custom";
    });
  }

  // New events of the audit trail.
  const follow = one("[data-follow]");
  if (follow) {
    setInterval(async () => {
      if (document.hidden || one("details[open]", follow)) return;
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = one("[data-follow]", page);
      if (!fresh) return;
      localize(fresh);
      follow.replaceChildren(...fresh.childNodes);
    }, 5000);
  }
})();
