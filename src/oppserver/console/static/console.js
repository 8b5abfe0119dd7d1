"use strict";
// The console's script: keys, live rows, copies, questions, files. Pages work without it.

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const token = () => $("meta[name=csrf-token]").content;

// --- the connection

const banner = () => $("#connection");
function lost(isLost) { if (banner()) banner().hidden = !isLost; }
addEventListener("offline", () => lost(true));
addEventListener("online", () => lost(false));
document.addEventListener("htmx:configRequest", event => { event.detail.headers["X-CSRF-Token"] = token(); });
document.addEventListener("htmx:sendError", () => lost(true));
document.addEventListener("htmx:afterOnLoad", () => lost(false));
document.addEventListener("htmx:beforeSwap", event => {  // the page of an error is a page
  const type = event.detail.xhr.getResponseHeader("Content-Type") || "";
  if (event.detail.xhr.status >= 400 && type.startsWith("text/html")) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

// --- live rows: <tbody data-live="URL" data-live-max="200">

function follow(rows) {
  let url = rows.dataset.live, source = null, isPaused = false, waiting = [];
  const pause = $(`[data-pause="${rows.id}"]`);
  const state = $(`[data-live-state="${rows.id}"]`);
  const most = Number(rows.dataset.liveMax || 200);
  const say = text => { if (state) state.textContent = text; };
  function add(html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    const fresh = [...made.content.querySelectorAll("tr")];
    for (const row of fresh) row.classList.add("fresh");
    rows.prepend(...fresh);
    while (rows.rows.length > most) rows.rows[rows.rows.length - 1].remove();
    const empty = $(`[data-empty-of="${rows.id}"]`);
    if (empty) empty.hidden = true;
    const table = rows.closest("[hidden]");
    if (table) table.hidden = false;
  }
  function open() {
    source = new EventSource(url);
    source.onopen = () => { lost(false); say(isPaused ? "Paused" : "Live"); };
    source.onerror = () => { lost(true); say("Not connected"); };
    source.onmessage = event => {
      if (isPaused) { waiting.push(event.data); say(`Paused, ${waiting.length} new`); waiting = waiting.slice(-most); }
      else add(event.data);
    };
  }
  if (pause) pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? "Go on" : "Pause";
    pause.setAttribute("aria-pressed", String(isPaused));
    say(isPaused ? "Paused" : "Live");
    if (!isPaused) { waiting.forEach(add); waiting = []; }
  });
  rows.follow = next => { if (next !== url) { url = next; source.close(); open(); } };
  rows.unfollow = () => source.close();
  open();
}
function followAll(root) {
  for (const rows of all("[data-live]", root)) if (!rows.follow) follow(rows);
}
document.addEventListener("htmx:beforeCleanupElement", event => { if (event.target.unfollow) event.target.unfollow(); });
document.addEventListener("htmx:load", event => followAll(event.target.parentNode || document));
addEventListener("pagehide", () => all("[data-live]").forEach(rows => rows.unfollow && rows.unfollow()));

// --- copies, questions, files

document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = $(`#${CSS.escape(button.dataset.copy)}`).textContent;
  try { await navigator.clipboard.writeText(text); }
  catch {  // no permission, or plain HTTP: select it, so that a key copies it
    const range = document.createRange();
    range.selectNodeContents($(`#${CSS.escape(button.dataset.copy)}`));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = "Selected";
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
});

document.addEventListener("submit", event => {
  const form = event.target;
  if (!form.dataset.confirm || form.dataset.isConfirmed) return;
  event.preventDefault();
  const box = document.createElement("dialog");
  const text = document.createElement("p");
  text.textContent = form.dataset.confirm;
  text.id = "question";
  const row = document.createElement("div");
  row.className = "row";
  const no = document.createElement("button"), yes = document.createElement("button");
  no.textContent = "Cancel";
  yes.textContent = (event.submitter || $("button", form)).textContent;
  yes.className = "primary";
  row.append(no, yes);
  box.setAttribute("aria-labelledby", "question");
  box.append(text, row);
  document.body.append(box);
  no.addEventListener("click", () => box.close());
  yes.addEventListener("click", () => { form.dataset.isConfirmed = "yes"; box.close(); form.requestSubmit(event.submitter); });
  box.addEventListener("close", () => box.remove());
  box.showModal();
});

// <form data-upload="URL"> sends its file as it is; <input type=file data-into="ID"> reads text into a field.
document.addEventListener("submit", async event => {
  const form = event.target;
  if (!form.dataset.upload) return;
  event.preventDefault();
  const file = $("input[type=file]", form).files[0];
  const state = $("[data-upload-state]", form);
  if (!file) { state.textContent = "Choose a file first."; return; }
  state.textContent = `Sending ${file.name}…`;
  try {
    const answer = await fetch(`${form.dataset.upload}?name=${encodeURIComponent(file.name)}`, {
      method: "POST", body: file,
      headers: {"X-CSRF-Token": token(), "Content-Type": "application/octet-stream"}});
    if (answer.redirected) { location.assign(answer.url); if (new URL(answer.url).pathname === location.pathname) location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    state.textContent = (page.querySelector(".wrong-text, .error") || page.body).textContent.trim();
  } catch (error) { state.textContent = `Not sent: ${error.message}. Try again.`; }
});
document.addEventListener("change", async event => {
  const input = event.target.closest("input[type=file][data-into]");
  if (input && input.files[0]) $(`#${CSS.escape(input.dataset.into)}`).value = await input.files[0].text();
});
for (const kind of ["dragover", "drop"]) document.addEventListener(kind, async event => {
  const field = event.target.closest && event.target.closest("textarea[data-drop]");
  if (!field) return;
  event.preventDefault();
  if (kind === "drop" && event.dataTransfer.files[0]) field.value = await event.dataTransfer.files[0].text();
});

// --- tabs: buttons with aria-controls in [role=tablist]

document.addEventListener("click", event => {
  const tab = event.target.closest("[role=tab]");
  if (tab) choose(tab);
});
function choose(tab) {
  for (const one of all("[role=tab]", tab.parentNode)) {
    const isChosen = one === tab;
    one.setAttribute("aria-selected", String(isChosen));
    one.tabIndex = isChosen ? 0 : -1;
    $(`#${CSS.escape(one.getAttribute("aria-controls"))}`).hidden = !isChosen;
  }
}

// --- keys: / searches, j and k go from row to row, Enter opens, Esc leaves

function isTyping(target) { return target.closest("input, textarea, select, [contenteditable]") !== null; }
function step(by) {
  const links = all("[data-row]").filter(link => link.offsetParent !== null);
  if (!links.length) return;
  const at = links.indexOf(document.activeElement);
  const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? (by > 0 ? 0 : links.length - 1) : at + by))];
  next.focus();
  next.scrollIntoView({block: "nearest"});
}
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.key === "Escape") { if (document.activeElement) document.activeElement.blur(); return; }
  const tab = event.target.closest && event.target.closest("[role=tab]");
  if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const tabs = all("[role=tab]", tab.parentNode);
    const next = tabs[(tabs.indexOf(tab) + (event.key === "ArrowRight" ? 1 : tabs.length - 1)) % tabs.length];
    choose(next);
    next.focus();
    return;
  }
  if (isTyping(event.target)) return;
  if (event.key === "/") { const search = $("[data-search]"); if (search) { event.preventDefault(); search.focus(); search.select(); } }
  else if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
});
followAll(document);
