// What Marp's page lacks: the dark version (d), a blank screen (b, or the . of a clicker), a slide by its number (digits,
// then Enter), and in the speaker's window the minutes that the notes plan. All windows of the slides keep together.
(() => {
  const root = document.documentElement;
  const view = document.body.dataset.bespokeView || "slides"; // "presenter", "next", "overview"
  const wanted = matchMedia("(prefers-color-scheme: dark)");
  const kept = (() => { // a browser may forbid a page to keep anything
    const own = {};
    return {
      get: (name) => { try { return localStorage.getItem(`slides-${name}`); } catch { return own[name] ?? null; } },
      set: (name, value) => { own[name] = value; try { localStorage.setItem(`slides-${name}`, value); } catch { /* this window only */ } },
    };
  })();
  const show = () => {
    root.dataset.theme = kept.get("theme") ?? (wanted.matches ? "dark" : "light");
    root.classList.toggle("blank", view === "slides" && kept.get("blank") === "yes");
  };
  addEventListener("storage", show);
  wanted.addEventListener("change", show);
  if (view === "slides") kept.set("blank", "no");
  show();

  let typed = "";
  let forget = 0;
  const number = document.createElement("output");
  number.className = "typed";
  number.setAttribute("aria-live", "polite");
  document.body.append(number);
  const type = (text) => {
    number.textContent = typed = text;
    clearTimeout(forget);
    if (text) forget = setTimeout(type, 3000, "");
  };
  const blank = (yes) => { kept.set("blank", yes ? "yes" : "no"); show(); };
  const act = (key) => {
    if (/^\d$/.test(key)) type((typed + key).slice(-3));
    else if (key === "Enter" && typed) {
      const last = document.querySelectorAll("svg.bespoke-marp-slide").length;
      location.hash = Math.max(1, Math.min(last, Number(typed)));
      type("");
    } else if (key === "Backspace" && typed) type(typed.slice(0, -1));
    else if (key === "d") { kept.set("theme", root.dataset.theme === "dark" ? "light" : "dark"); show(); }
    else if (key === "b" || key === ".") blank(kept.get("blank") !== "yes");
    else if (root.classList.contains("blank")) blank(false); // any other key brings the slide back, and no more
    else return false;
    return true;
  };
  addEventListener("keydown", (event) => {
    if (view === "next" || view === "overview" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, select, textarea, button, [contenteditable], [data-live] [tabindex]")) return;
    if (!act(event.key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  if (view !== "presenter") return;
  // The clock: beside Marp's own time of day and timer (click it to start again), the minutes planned to the end of this part.
  const plan = [...document.querySelectorAll(".bespoke-marp-note")].map((note) => [
    Number(note.dataset.index), Number(/Minutes: (\d+)/.exec(note.textContent)?.[1] ?? 0)]).sort(([a], [b]) => a - b);
  const clock = document.createElement("p");
  clock.className = "plan";
  const tick = () => {
    const page = /\d+/.exec(document.querySelector(".bespoke-marp-presenter-info-page")?.textContent ?? "")?.[0] ?? 1;
    const begun = plan.filter(([index]) => index < page);
    const end = begun.reduce((total, [, minutes]) => total + minutes, 0);
    const part = begun.findLast(([, minutes]) => minutes > 0)?.[1] ?? 0;
    clock.textContent = `this part: ${part} min, done by 0:${String(end).padStart(2, "0")}`.replace("0:60", "1:00");
  };
  document.querySelector(".bespoke-marp-presenter-info-container")?.append(clock);
  document.querySelector(".bespoke-marp-presenter-next")?.setAttribute("title", "The next slide");
  setInterval(tick, 500);
  tick();
})();
