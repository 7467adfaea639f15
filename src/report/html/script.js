"use strict";
// Adds a search to the filters; everything else works without a script.
(() => {
  const place = document.getElementById("search-place");
  if (!place) return;
  const label = document.createElement("label");
  label.textContent = "Search ";
  const input = document.createElement("input");
  input.type = "search";
  input.autocomplete = "off";
  input.placeholder = "path, token id, commit, author";
  label.append(input);
  place.append(label);
  const findings = [...document.querySelectorAll(".finding")];
  let texts;
  const search = () => {
    texts ??= findings.map((it) => it.textContent.toLowerCase());
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    findings.forEach((it, at) => {
      it.hidden = !words.every((word) => texts[at].includes(word));
    });
  };
  let timer;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 120);
  });
  // The section of suppressed findings is folded: unfold it when its filter is chosen.
  document.getElementById("state-known")?.addEventListener("change", () => {
    const fold = document.querySelector("#suppressed details");
    if (fold) fold.open = true;
  });
})();
