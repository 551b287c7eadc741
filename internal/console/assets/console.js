// What the pages do better with a script. All of it works without: nothing here
// sends anything that a form or a link would not.
"use strict";
(() => {
  const dialog = document.getElementById("keys");
  const box = document.getElementById("keys-on");
  const store = "eucora.keys";
  let on = true;
  try { on = localStorage.getItem(store) !== "off"; } catch { /* then they are on */ }
  if (box) {
    box.checked = on;
    box.addEventListener("change", () => {
      on = box.checked;
      try { localStorage.setItem(store, on ? "on" : "off"); } catch { /* for this page, then */ }
    });
  }
  const button = document.querySelector("[data-keys]");
  if (button && dialog) {
    button.hidden = false;
    button.addEventListener("click", () => dialog.showModal());
  }

  const rows = [...document.querySelectorAll("[data-list] tbody tr, tr[data-row]")];
  let at = -1;
  const link = (i) => rows[i] && rows[i].querySelector("a.open");
  const go = (i) => {
    if (rows.length === 0) return;
    at = Math.max(0, Math.min(rows.length - 1, i));
    rows.forEach((row, n) => row.classList.toggle("at", n === at));
    link(at).focus();
  };
  rows.forEach((row, n) => row.addEventListener("focusin", () => {
    at = n;
    rows.forEach((other, m) => other.classList.toggle("at", m === n));
  }));

  const form = document.querySelector("form[data-decide]");
  const choose = (act) => {
    if (form) {
      const radio = form.querySelector(`input[name=act][value=${act}]`);
      if (!radio || radio.disabled) return;
      radio.checked = true;
      form.querySelector("textarea[name=rationale]").focus();
    } else if (at >= 0 && link(at)) {
      location.href = `${link(at).getAttribute("href")}?choose=${act}`;
    }
  };

  const typing = (e) => e.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, dialog");
  document.addEventListener("keydown", (e) => {
    if (!on && e.key !== "?") return;
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || typing(e)) return;
    const search = document.getElementById("q");
    const act = {
      j: () => go(at + 1),
      k: () => go(at < 0 ? 0 : at - 1),
      o: () => at >= 0 && link(at).click(),
      a: () => choose("approve"),
      r: () => choose("reject"),
      "/": () => search && search.focus(),
      "?": () => dialog && dialog.showModal(),
    }[e.key];
    if (!act) return;
    e.preventDefault();
    act();
  });

  // Somebody who has begun to write is asked before the page goes.
  if (form) {
    let written = false, sent = false;
    form.addEventListener("input", () => { written = true; });
    form.addEventListener("submit", () => { sent = true; });
    window.addEventListener("beforeunload", (e) => { if (written && !sent) e.preventDefault(); });
    // From the list with a choice made: on to what is to be written.
    if (new URLSearchParams(location.search).has("choose")) form.querySelector("textarea[name=rationale]").focus();
  }
})();
