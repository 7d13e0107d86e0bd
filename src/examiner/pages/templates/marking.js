// Marking by the keyboard: which answer is shown, its mark and comment, kept in this browser until they are saved.
const at = id => document.getElementById(id);
const answers = [...document.querySelectorAll("article")];
const place = "workshop-marks";
let kept = {}, now = 0, list = [];
try { kept = JSON.parse(localStorage.getItem(place)) || {}; } catch { /* a browser that keeps nothing */ }
const keep = () => { try { localStorage.setItem(place, JSON.stringify(kept)); } catch { /* as above */ } };
const mine = () => kept[list[now].dataset.token] ||= { score: "", comment: "" };
const points = () => +list[now].closest("section").dataset.points;

function choose() {
  const section = at(at("question").value);
  for (const one of document.querySelectorAll("section")) one.hidden = one !== section;
  list = [...section.querySelectorAll("article")].filter(one => at("every").checked || one.dataset.waits === "yes");
  now = Math.max(0, list.findIndex(one => !(kept[one.dataset.token]?.score)));
  show();
}

function show() {
  for (const one of answers) one.hidden = one !== list[now];
  at("none").hidden = list.length > 0;
  at("desk").hidden = list.length === 0;
  const done = list.filter(one => kept[one.dataset.token]?.score).length;
  at("where").textContent = list.length ? `Answer ${now + 1} of ${list.length}, ${done} marked` : "";
  if (!list.length) return;
  at("score").textContent = mine().score === "" ? "–" : mine().score;
  at("points").textContent = points();
  at("comment").value = mine().comment;
  phrases();
  window.scrollTo(0, 0);
}

function mark(score) {
  if (score > points()) return;
  mine().score = String(score);
  keep();
  show();
}

function step(by) {
  now = Math.min(list.length - 1, Math.max(0, now + by));
  show();
}

function phrases() {
  const used = {};
  for (const one of list) {
    for (const line of (kept[one.dataset.token]?.comment || "").split("\n")) {
      if (line.trim()) used[line.trim()] = (used[line.trim()] || 0) + 1;
    }
  }
  const often = Object.keys(used).sort((a, b) => used[b] - used[a]).slice(0, 9);
  at("phrases").replaceChildren(...often.map((text, i) => {
    const button = document.createElement("button");
    button.textContent = `Alt+${i + 1}  ${text}`;
    button.addEventListener("click", () => add(text));
    button.dataset.text = text;
    return button;
  }));
}

function add(text) {
  const lines = mine().comment.split("\n").filter(line => line.trim());
  if (!lines.includes(text)) mine().comment = [...lines, text].join("\n");
  keep();
  show();
}

document.addEventListener("keydown", event => {
  if (event.altKey && /^Digit[1-9]$/.test(event.code)) {
    at("phrases").children[+event.code.slice(5) - 1]?.click();
    return event.preventDefault();
  }
  if (event.key === "Escape") return event.target.blur();
  const typing = /INPUT|TEXTAREA|SELECT/.test(event.target.tagName) || (event.target.tagName === "BUTTON" && event.key === "Enter");
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !list.length) return;
  const acts = { Enter: () => step(1), ArrowRight: () => step(1), ArrowLeft: () => step(-1), c: () => at("comment").focus() };
  if (/^[0-9]$/.test(event.key)) mark(+event.key);
  else if (event.key === ".") mark((+mine().score || 0) + 0.5);
  else if (event.key === "Backspace") mark("");
  else if (acts[event.key]) acts[event.key]();
  else return;
  event.preventDefault();
});
at("comment").addEventListener("input", () => { mine().comment = at("comment").value; keep(); });
at("comment").addEventListener("change", phrases);
at("question").addEventListener("change", () => { choose(); at("question").blur(); });
at("every").addEventListener("change", () => { choose(); at("every").blur(); });
at("next").addEventListener("click", () => step(1));
at("back").addEventListener("click", () => step(-1));
at("marker").value = kept.marker || "";
at("marker").addEventListener("input", () => { kept.marker = at("marker").value; keep(); });
at("save").addEventListener("click", () => {
  const marker = at("marker").value.trim();
  if (!marker) {
    at("where").textContent = "Who are you? Two markers are told apart by it.";
    return at("marker").focus();
  }
  const cell = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  const rows = answers.filter(one => kept[one.dataset.token]?.score).map(one => {
    const { assignment, question } = one.closest("section").dataset, { score, comment } = kept[one.dataset.token];
    return [assignment, question, one.dataset.token, score, comment, marker].map(cell).join(",");
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["assignment,question,answer,score,comment,marker\n", rows.join("\n"), "\n"], { type: "text/csv" }));
  link.download = `marks_${marker.replace(/[^\w-]+/g, "_")}.csv`;
  link.click();
  const unmarked = answers.filter(one => kept[one.dataset.token]?.comment.trim() && !kept[one.dataset.token].score).length;
  at("where").textContent = `Saved ${rows.length} marks.${unmarked ? ` Not saved: comments without a mark, ${unmarked} of them.` : ""}`;
});
if (answers.length) choose();
