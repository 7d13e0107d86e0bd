// The live demo and the nudge: what is asked, by whom it is answered, and what is seen.
//
// A Demo asks for one picture after the other, of the notebook's kernel, which uses the student's functions, or of the page's
// own engine where there is no kernel. Its views paint them in animation frames, and only while they are in sight: a page
// that is closed or scrolled away asks for nothing, and then nothing runs in the kernel either.

import { derivatives, downstream, Engine, evaluate, nudged } from "./engine.js";
import { COLOURS, drawn, fitted, make, mark, paintCurves, paintErrors, paintField, paintInside, paintPath, paintRatios, plot } from "./picture.js";

const SLOW = 0.014; // seconds of the kernel for a picture, beyond which no second one is asked for in advance
const FRAME = 1000 / 60; // milliseconds
const AGAIN = 4000; // milliseconds after which an unanswered question is asked anew: it may have been lost in a restart
const TOGETHER = 4; // pictures in one answer while it plays: an answer costs the kernel more than a picture
const PENALTIES = [0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const SPEEDS = [["0", "a step a picture"], ["1", "1 epoch a picture"], ["5", "5 epochs a picture"], ["20", "20 epochs a picture"]];
const STARTS = [["random", "random"], ["equal", "all weights equal"], ["zero", "all weights zero"]];
const UNITS = [["sigmoid", "σ"], ["tanh", "tanh"]];
const OWN = ["eta", "batch_size"]; // what two demos side by side do not share
const VIEWS = ["fresh", "discrete", "freshCurve", "inside"];
const NO_KERNEL = "No kernel: the page's own functions learn here, not yours. Run the notebook's cells to see yours.";
const LATE = "The kernel is busy with another cell, or was stopped. The demo goes on once it answers; after a restart, run the cells again.";

// What is known, and what is asked -------------------------------------------------------------------------------------

class Demo {
  // part: {key, kind, settings, data, n}. kernel: {send, lives}, or null for the page's own engine.
  constructor(part, kernel) {
    Object.assign(this, { part, kernel, key: part.key, views: new Set(), waiting: new Map(), count: 0, words: "", note: "", late: false, lost: false });
    Object.assign(this, { settings: { ...part.settings }, n: part.n, view: {}, twin: null, told: () => {} });
    Object.assign(this, { playing: false, epochs: 1, unsent: {}, deeds: ["train"], queue: [], more: false, fine: true });
    this.forget();
    Object.assign(this, { ghost: [], seconds: 0.01, still: 0, changed: -1e9, trip: 40 });
  }

  forget() {
    Object.assign(this, { have: {}, curve: [], freshCurve: [], path: [], engine: null });
    this.waiting.clear();
    this.queue.length = 0;
  }

  // Go on without a kernel, with the page's own functions.
  leaveKernel() {
    Object.assign(this, { kernel: null, note: NO_KERNEL, late: false, words: "" });
    this.forget();
    if (!this.playing) this.deeds = ["train"];
    this.twin?.leaveKernel();
  }

  set(name, value) {
    if (!OWN.includes(name)) this.twin?.set(name, value);
    if (this.settings[name] === value || value == null) return;
    if (!this.playing && !this.more && this.curve.length > 1) this.ghost = this.curve.slice();
    this.settings[name] = this.unsent[name] = value;
    this.changed = performance.now();
    this.told(name, value);
    if (!this.playing) this.pump();
    else if (this.kernel) this.playOn(true);
    this.showControls();
  }

  // Show more or less: one of VIEWS, on or off.
  look(name, on) {
    this.view[name] = on;
    this.repaint();
    this.showControls();
  }

  play(on = !this.playing) {
    this.twin?.play(on);
    if (on === this.playing) return;
    this.playing = on;
    if (on) this.words = "";
    else this.fine = false; // a last, fine picture follows
    this.told("playing", on);
    this.pump();
    this.repaint();
    this.showControls();
  }

  do(deed) {
    this.twin?.do(deed);
    this.play(false);
    if (deed === "restart") this.ghost = [];
    this.deeds.push(deed);
    this.pump();
  }

  // A second demo beside it, with the same data and the same start.
  compare(on) {
    if (on === Boolean(this.twin)) return;
    if (on) {
      this.play(false);
      this.twin = new Demo({ ...this.part, key: `${this.key}-b`, settings: { ...this.settings, eta: this.settings.eta / 10 } }, this.kernel);
      Object.assign(this.twin, { views: this.views, epochs: this.epochs, note: this.note });
      this.twin.unsent = { ...this.twin.settings };
      this.do("restart");
    } else this.twin = null;
    for (const view of this.views) view.arrange();
    this.showControls();
  }

  ask(message) {
    const id = ++this.count;
    const settings = this.unsent;
    this.unsent = {};
    const whole = { key: this.key, id, settings, have: this.have, ...message };
    this.waiting.set(id, { at: performance.now(), pictures: message.pictures ?? 1, settings });
    if (this.kernel) return this.kernel.send(whole);
    this.engine ??= new Engine(this.part.kind, this.settings);
    const { content, buffers } = this.engine.reply(whole);
    this.receive(content, buffers);
  }

  // Send what is due, if there is room for it.
  pump() {
    if (this.playing) return; // playOn() asks
    if (this.waiting.size >= (this.seconds < 0.05 ? 2 : 1)) return;
    if (this.deeds.length) this.ask({ do: this.deeds.shift() });
    else if (Object.keys(this.unsent).length) this.ask({ do: "look" });
    else if (this.more && !this.waiting.size) this.ask({ do: "look" });
    else if (!this.fine && !this.waiting.size && performance.now() - this.still > 250) {
      this.fine = true;
      this.ask({ do: "look", fine: true });
    }
  }

  // One animation frame: show one picture, and ask for more while few are left. While a slider moves, pictures are made
  // one by one and shown at once, the newest only.
  tick(now) {
    if (now === this.ticked) return; // another view of it was first
    this.ticked = now;
    this.twin?.tick(now);
    if (this.kernel && !this.kernel.lives()) this.leaveKernel();
    if (!this.kernel) {
      if (this.playing) this.ask({ do: "play", epochs: this.epochs });
      else this.pump();
      return;
    }
    // A kernel that does something else first answers late; one that was stopped never does.
    for (const [id, { at, settings }] of this.waiting) {
      if (now - at < AGAIN) continue;
      this.waiting.delete(id);
      Object.assign(this, { unsent: { ...settings, ...this.unsent }, more: true, lost: true });
    }
    const late = this.lost || [...this.waiting.values()].some(({ at }) => now - at > 1500);
    if (late !== this.late) {
      this.late = late;
      this.repaint();
    }
    const hurry = now - this.changed < 300;
    do if (this.queue.length) this.take(this.queue.shift());
    while (this.queue.length > (hurry ? 0 : 2 * TOGETHER));
    if (this.playing) this.playOn(hurry);
    else this.pump();
  }

  // Ask for the next pictures, unless enough are on their way.
  playOn(hurry) {
    const together = hurry ? 1 : Math.max(1, Math.min(TOGETHER, Math.floor(SLOW / this.seconds)));
    const coming = [...this.waiting.values()].reduce((sum, { pictures }) => sum + pictures, this.queue.length);
    const enough = hurry ? 1 : Math.min(12, this.trip / FRAME + 1);
    if (this.waiting.size && (this.seconds > SLOW || coming > enough)) return;
    this.ask({ do: "play", epochs: this.epochs, pictures: together });
  }

  receive(content, buffers) {
    const asked = this.waiting.get(content.id);
    this.lost = false;
    if (!asked) return; // it was asked anew since
    this.trip += 0.2 * (performance.now() - asked.at - this.trip);
    this.waiting.delete(content.id);
    let used = 0;
    for (const picture of content.pictures) {
      const end = used + picture.order.length;
      this.queue.push([picture, buffers.slice(used, end)]);
      used = end;
    }
    if (!this.playing || !this.kernel) while (this.queue.length) this.take(this.queue.shift());
    if (!this.kernel) return; // the next frame asks again
    if (this.playing && Object.keys(this.unsent).length) this.playOn(true);
    else this.pump();
  }

  take([content, buffers]) {
    const array = {};
    content.order.forEach((name, i) => (array[name] = aligned(buffers[i])));
    this.seconds += 0.3 * (content.seconds - this.seconds);
    this.more = content.more;
    this.still = performance.now();
    if (!Object.keys(this.unsent).length && !this.waiting.size) {
      const moved = Object.keys(content.settings).some((name) => content.settings[name] !== this.settings[name]) || this.n !== content.n;
      this.settings = { ...content.settings };
      this.n = content.n;
      if (moved) {
        for (const [name, value] of Object.entries(this.settings)) this.told(name, value);
        this.showControls();
      }
    }
    if (content.words && this.playing) {
      this.playing = false;
      this.told("playing", false);
    }
    this.words = content.words;
    this.lacks = content.waiting;
    if (array.points) this.points = new Float32Array(array.points);
    if (array.freshPoints) this.freshPoints = new Float32Array(array.freshPoints);
    this.radius = content.radius;
    this.have.points = content.points;
    if (array.field) {
      this.fine = content.fine;
      this.shown = content.settings;
      this.field = new Uint16Array(array.field);
      for (const name of ["side", "step", "epoch", "objective", "accuracy", "fresh", "lines", "weights", "wide", "place"]) this[name] = content[name];
      for (const name of ["curve", "freshCurve", "path"]) this.extend(name, content[name], new Float32Array(array[name]));
      if (!this.kernel) for (const name of ["step", "objective", "accuracy"]) this.told(name, this[name]);
    }
    if (array.contours) {
      this.contours = { ...content.contours, values: new Float32Array(array.contours) };
      this.have.contours = content.contours.now;
    }
    this.repaint();
    if (content.words) this.showControls();
  }

  extend(name, { now, from }, numbers) {
    const rows = this[name];
    if (String(this.have[name]?.[0]) !== String(now[0])) rows.length = 0;
    rows.length = Math.min(rows.length, from);
    for (let i = 0; i < numbers.length; i += 2) rows.push([numbers[i], numbers[i + 1]]);
    this.have[name] = now;
  }

  repaint() {
    for (const view of this.views) view.stale = true;
  }

  showControls() {
    for (const view of this.views) view.showControls();
  }

  // Everything that makes this state, as the end of an address: what differs from the beginning.
  address() {
    const words = new URLSearchParams();
    for (const [name, value] of Object.entries(this.settings)) if (value !== this.part.settings[name]) words.set(name, value);
    for (const name of VIEWS) if (this.view[name]) words.set(name, 1);
    if (this.epochs !== 1) words.set("epochs", this.epochs);
    if (this.twin) for (const name of OWN) words.set(`${name}_b`, this.twin.settings[name]);
    return String(words).replaceAll("%2C", ",");
  }

  // Take the state of such an address; what it does not name is as at the beginning. Numbers out of range are cut.
  go(address) {
    const words = new URLSearchParams(address);
    const read = (name, usual) => {
      if (!words.has(name)) return usual;
      const { least, most, all } = RANGES[name.replace("_b", "")] ?? {};
      if (all) return all.includes(words.get(name)) ? words.get(name) : usual;
      const number = Number(words.get(name));
      return Number.isFinite(number) ? Math.min(Math.max(number, least), most) : usual;
    };
    for (const [name, usual] of Object.entries(this.part.settings)) if (RANGES[name]) this.set(name, read(name, usual));
    for (const name of VIEWS) this.look(name, words.get(name) === "1");
    this.epochs = SPEEDS.some(([speed]) => speed === words.get("epochs")) ? Number(words.get("epochs")) : 1;
    this.compare(words.has("eta_b"));
    if (this.twin) for (const name of OWN) this.twin.set(name, read(`${name}_b`, this.twin.settings[name]));
    this.showControls();
  }
}

// What an address may say of each setting.
const RANGES = {
  eta: { least: 0.001, most: 31.6 }, batch_size: { least: 1, most: 80 }, lam: { least: 0, most: 1 }, noise: { least: 0.1, most: 2.5 },
  gap: { least: 0, most: 10 }, n_hidden: { least: 1, most: 16 }, seed: { least: 0, most: 99 },
  dataset: { all: ["s_shape", "blobs", "moons", "circles", "xor", "spiral"] }, start: { all: STARTS.map(([name]) => name) }, units: { all: UNITS.map(([name]) => name) },
};

// A computation graph with numbers: needs no kernel anywhere, for no function of a student is in it.
class Nudge {
  constructor({ key, graph, reach }) {
    Object.assign(this, { key, graph, reach, views: new Set(), delta: 0.5, tiny: false });
    this.before = evaluate(graph);
    this.gradients = derivatives(graph, this.before);
    this.set(graph.edges[0].weight, 0.5);
  }

  loss(delta) {
    return nudged(this.graph, this.before, this.name, delta).L;
  }

  // ΔL/δ to one side and to both, for some δ.
  sides(delta) {
    const [at, up, down] = [this.before.L, this.loss(delta), this.loss(-delta)];
    return { delta, oneSided: (up - at) / delta, central: (up - down) / (2 * delta) };
  }

  set(name, delta, tiny = this.tiny) {
    Object.assign(this, { name, delta, tiny });
    this.now = nudged(this.graph, this.before, name, delta);
    this.moving = delta ? downstream(this.graph, name) : [];
    this.gradient = this.gradients[name];
    const { oneSided, central } = delta ? this.sides(delta) : {};
    Object.assign(this, { ratio: oneSided, central });
    this.curves = Array.from({ length: 81 }, (_, i) => this.sides(this.reach * (i / 40 - 1) || 1e-6));
    this.errors = Array.from({ length: 125 }, (_, i) => this.sides(10 ** (-10 + i / 12))).map(({ delta, oneSided, central }) => ({
      delta, oneSided: Math.abs(oneSided - this.gradient), central: Math.abs(central - this.gradient),
    }));
    for (const view of this.views) view.showControls();
  }

  tick() {}

  address() {
    return String(new URLSearchParams({ nudge: this.name, delta: this.delta, ...(this.tiny ? { tiny: 1 } : {}) }));
  }

  go(address) {
    const words = new URLSearchParams(address);
    const name = words.get("nudge");
    const delta = Number(words.get("delta") ?? 0.5);
    const known = name in this.before && name !== "L" && name !== "one";
    this.set(known ? name : this.graph.edges[0].weight, Number.isFinite(delta) ? Math.min(Math.max(delta, -this.reach), this.reach) : 0.5, words.get("tiny") === "1");
  }
}

// What is seen: building blocks ----------------------------------------------------------------------------------------

// A labelled slider; `read` turns its position into the value, `place` the value into its position, `say` into words.
function slider(label, { min, max, step = 1, read = Number, place = Number, say = String }, changed) {
  const input = make("input", { type: "range", min, max, step, oninput: () => changed(read(input.value)) });
  const output = make("b", { "aria-hidden": "true" });
  const name = make("span", {}, label);
  const element = make("label", { class: "slider" }, make("span", {}, name, output), input);
  const show = (value) => {
    const words = say(value);
    if (read(input.value) !== value) input.value = place(value);
    write(output, words);
    input.setAttribute("aria-label", name.textContent);
    if (input.getAttribute("aria-valuetext") !== words) input.setAttribute("aria-valuetext", words);
    input.style.setProperty("--filled", `${(100 * (input.value - input.min)) / (input.max - input.min)}%`);
  };
  return { element, input, name, show };
}

function menu(label, options, changed) {
  const select = make("select", { "aria-label": label, onchange: () => changed(select.value) });
  for (const [value, words] of options) select.append(make("option", { value }, words));
  return { element: make("label", { class: "menu" }, label, select), select };
}

function tick(label, changed) {
  const input = make("input", { type: "checkbox", onchange: () => changed(input.checked) });
  return { element: make("label", { class: "tick" }, input, label), input };
}

// Put the words into an element that holds nothing else, without making new nodes: JupyterLab's page is slow at those.
function write(element, words) {
  if (!element.firstChild) element.append(words);
  else if (element.firstChild.data !== words) element.firstChild.data = words;
}

// The bytes as a buffer of their own: a view into a message need not begin where numbers may.
function aligned(view) {
  return view.buffer ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : view;
}

const minus = (text) => text.replaceAll("-", "−");

function short(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return mark(Number(value.toPrecision(2)));
  return minus(value.toFixed(size >= 100 ? 0 : digits));
}

const rounded = (value, digits) => minus(value.toFixed(digits)).replace(/^−(0(\.0*)?)$/, "$1");
const signed = (value, digits) => (rounded(value, digits).startsWith("−") ? "" : "+") + rounded(value, digits);

// All the digits that a check by hand needs.
function precise(value) {
  if (value == null || !Number.isFinite(value)) return value === Infinity ? "∞" : value === -Infinity ? "−∞" : "undefined";
  if (value === 0) return "0";
  const [digits, power] = value.toExponential(8).split("e");
  if (power >= -4 && power < 6) return minus(value.toPrecision(9));
  return `${minus(digits)}·10${[...String(Number(power))].map((one) => (one === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[one])).join("")}`;
}

const rate = (value) => String(Number(value.toPrecision(2)));
const percent = (value) => (value == null ? "—" : `${(100 * value).toFixed(1)} %`);

function nearest(values, wanted) {
  return values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
}

// What is seen: the views ----------------------------------------------------------------------------------------------

// What a view has in common: it is painted in animation frames while it is in sight.
class View {
  constructor(asker, className) {
    this.asker = asker;
    this.stale = true;
    this.panel = make("div", { class: `demo-panel ${className}` });
    this.words = make("p", { class: "words", role: "status" });
    this.spoken = make("p", { class: "spoken", role: "status" });
    this.spokenAt = 0;
    this.moved = () => {}; // hears that the state changed
    asker.views.add(this);
  }

  // Called in each animation frame in sight. `look` holds colours and type of the surroundings.
  frame(now, look) {
    this.asker.tick(now);
    const { playing, changed } = this.asker;
    if (this.owed && !playing && !(now - changed < 300)) this.stale = true;
    if (this.stale) {
      this.stale = false;
      this.say();
      this.paint(look, now);
      this.unspoken = true;
    }
    if (this.unspoken && !this.asker.playing && now - this.spokenAt > 1000) {
      this.unspoken = false;
      this.spokenAt = now;
      write(this.spoken, this.summary());
    }
  }

  // The line of words is always there, so that nothing moves when something is to be said.
  say() {
    const { late, words, twin, note } = this.asker;
    const told = late ? LATE : words || twin?.words;
    const text = told || note || this.hint || "";
    if (text === this.said) return;
    this.said = text;
    this.words.classList.toggle("trouble", Boolean(told));
    this.words.replaceChildren(...text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part)));
  }

  leave() {
    this.asker.views.delete(this);
  }
}

// Which sign is which class.
const classes = () => make("span", { class: "classes" }, make("span", {}, "class 0"), " ", make("span", {}, "class 1"));

class DescentView extends View {
  constructor(demo) {
    super(demo, demo.part.kind);
    const network = demo.part.kind === "network";
    this.buttons = {
      play: make("button", { type: "button", class: "primary", onclick: () => demo.play(!this.playing()) }),
      step: make("button", { type: "button", onclick: () => demo.do("step"), title: "One step: one mini-batch (right arrow)" }, "Step"),
      restart: make("button", { type: "button", onclick: () => demo.do("restart"), title: "Back to the start (R)" }, "Restart"),
      compare: make("button", { type: "button", onclick: () => demo.compare(!demo.twin), title: "Two settings side by side: same data, same start" }, "Compare"),
      more: make("button", { type: "button", onclick: () => this.open(this.more.hidden) }, "More"),
    };
    this.data = menu("Data", Object.entries(demo.part.data), (value) => demo.set("dataset", value));
    this.plots = {
      plane: plot("Boundary", classes(), true), other: plot("Boundary B", "", true),
      path: plot("Path of w", "−4 to 4", true), inside: plot("Hidden units", "", true), curve: plot("Objective", "by epoch", false),
    };
    this.plots.plane.canvas.tabIndex = 0;
    for (const one of Object.values(this.plots)) one.resized = () => (this.stale = true);
    this.numbers = {};
    const readout = make("dl", { class: "readout" });
    for (const [key, label] of [["step", "step"], ["epoch", "epoch"], ["objective", "objective"], ["accuracy", "accuracy"], ["fresh", "fresh"]]) {
      this.numbers[key] = make("dd", { class: key }, "—");
      readout.append(make("div", {}, make("dt", {}, label), this.numbers[key]));
    }
    this.sliders = { a: this.mainSliders(demo, demo), b: this.mainSliders(demo, null) };
    this.makeMore(demo, network);
    const of = (sliders) => Object.values(sliders).map(({ element }) => element);
    this.sliderBox = make("div", { class: "sliders" }, ...of(this.sliders.a), ...of(this.sliders.b));
    this.panel.append(
      make("div", { class: "bar" }, this.buttons.play, this.buttons.step, this.buttons.restart, this.data.element, make("span", { class: "gap" }), this.buttons.compare, this.buttons.more),
      this.words,
      make("div", { class: "plots" }, ...Object.values(this.plots).map(({ element }) => element)),
      readout,
      this.sliderBox,
      this.more,
      this.spoken,
    );
    this.panel.addEventListener("pointerenter", () => demo.lacks && !demo.waiting.size && demo.do("train")); // written by now?
    this.open(false);
    this.arrange();
    this.showControls();
  }

  playing() {
    return this.asker.playing || Boolean(this.asker.twin?.playing);
  }

  // η and batch size of the demo, or, where `fixed` is null, of its twin.
  mainSliders(demo, fixed) {
    const to = (name) => (value) => (fixed ?? demo.twin).set(name, value);
    const said = (n) => (n === 1 ? "1: online" : n === demo.n ? `${n}: all` : String(n));
    return {
      eta: slider("Step size η", { min: -3, max: 1.5, step: 0.05, read: (p) => Number((10 ** Number(p)).toPrecision(3)), place: Math.log10, say: rate }, to("eta")),
      batch_size: slider("Batch size", { min: 1, max: demo.n, say: said }, to("batch_size")),
    };
  }

  // What the lesson does not need at once is one click away.
  makeMore(demo, network) {
    const to = (name) => (value) => demo.set(name, value);
    this.others = {
      lam: slider("Penalty λ", { min: 0, max: PENALTIES.length - 1, read: (p) => PENALTIES[p], place: (v) => nearest(PENALTIES, v) }, to("lam")),
      noise: slider("Noise", { min: 0.1, max: 2.5, step: 0.1, say: (v) => `× ${v.toFixed(1)}` }, to("noise")),
      seed: slider("Seed", { min: 0, max: 99 }, to("seed")),
      ...(network && { n_hidden: slider("Hidden units", { min: 1, max: 16 }, to("n_hidden")) }),
    };
    this.menus = network ? { start: menu("Start", STARTS, to("start")), units: menu("Units", UNITS, to("units")) } : {};
    this.speed = menu("Speed", SPEEDS, (value) => [demo, demo.twin].forEach((one) => one && (one.epochs = Number(value))));
    const names = { fresh: "fresh points", discrete: "0 or 1 only", freshCurve: "objective on fresh points", ...(network && { inside: "hidden units" }) };
    this.ticks = Object.fromEntries(Object.entries(names).map(([name, label]) => [name, tick(label, (on) => demo.look(name, on))]));
    const all = [this.others, this.menus, { speed: this.speed }, this.ticks].flatMap(Object.values).map(({ element }) => element);
    this.more = make("div", { class: "more", role: "group", "aria-label": "More settings" }, ...all);
  }

  open(on) {
    this.more.hidden = !on;
    this.buttons.more.setAttribute("aria-expanded", on);
  }

  // Which pictures stand side by side.
  arrange() {
    const { asker: demo, plots } = this;
    const two = Boolean(demo.twin);
    const shown = { plane: true, other: two, path: demo.part.kind === "logistic" && !two, inside: Boolean(demo.view.inside) && !two, curve: true };
    for (const [name, on] of Object.entries(shown)) plots[name].element.hidden = !on;
    this.panel.dataset.columns = Object.values(shown).filter(Boolean).length;
    this.panel.classList.toggle("two", two);
    for (const { element } of Object.values(this.sliders.b)) element.hidden = !two;
    for (const [key, sliders] of Object.entries(this.sliders)) {
      const of = two ? `${key.toUpperCase()}: ` : "";
      write(sliders.eta.name, `${of}${two ? "" : "Step size "}η`);
      write(sliders.batch_size.name, `${of}${two ? "batch" : "Batch size"}`);
    }
    write(plots.plane.element.querySelector("figcaption"), two ? "A " : "Boundary ");
    write(plots.other.element.querySelector("figcaption"), "B ");
    this.stale = true;
    this.lastLook = null;
  }

  showControls() {
    const demo = this.asker;
    const playing = this.playing();
    write(this.buttons.play, playing ? "Pause" : "Play");
    this.buttons.play.classList.toggle("playing", playing);
    this.buttons.compare.setAttribute("aria-pressed", Boolean(demo.twin));
    this.data.select.value = demo.settings.dataset;
    for (const [key, one] of [["a", demo], ["b", demo.twin]]) {
      if (!one) continue;
      this.sliders[key].batch_size.input.max = demo.n;
      for (const [name, { show }] of Object.entries(this.sliders[key])) show(one.settings[name]);
    }
    for (const [name, { show }] of Object.entries(this.others)) show(demo.settings[name]);
    for (const [name, { select }] of Object.entries(this.menus)) select.value = demo.settings[name];
    if (this.menus.units) this.menus.units.element.hidden = Boolean(demo.kernel); // the student's `forward` has its own
    this.speed.select.value = String(demo.epochs);
    for (const [name, { input }] of Object.entries(this.ticks)) input.checked = Boolean(demo.view[name]);
    if (this.plots.inside.element.hidden === Boolean(demo.view.inside)) this.arrange();
    this.moved();
  }

  key(event) {
    const on = event.target;
    const control = (...tags) => tags.includes(on.tagName) && on.type !== "range";
    if (event.key === " " && !control("BUTTON", "SELECT", "INPUT")) this.asker.play(!this.playing());
    else if (event.key.toLowerCase() === "r" && on.tagName !== "SELECT") this.asker.do("restart");
    else if (event.key === "ArrowRight" && !["SELECT", "INPUT"].includes(on.tagName) && on.getAttribute("role") !== "tab") this.asker.do("step");
    else return false;
    return true;
  }

  // The boundary moves in every frame; while it plays or a slider moves, the others take turns: eyes do not miss the rest.
  paint(look, now) {
    const demo = this.asker;
    const { plane, other, path, inside } = this.plots;
    const hurry = now - demo.changed < 300;
    this.turn = (this.playing() || hurry) && look === this.lastLook ? (this.turn + 1) % 3 : 3;
    this.lastLook = look;
    this.owed = this.turn !== 3; // a whole picture follows once nothing moves
    const paint = (plot, paintIt, ...more) => {
      if (plot.element.hidden) return;
      fitted(plot, look);
      paintIt(plot, ...more);
    };
    paint(plane, paintField, demo, look, demo.view);
    if (demo.twin) paint(other, paintField, demo.twin, look, demo.view);
    this.panel.shown = demo.shown; // the settings that the picture was made with
    if (this.turn !== 1) paint(path, paintPath, demo, look);
    write(path.small, `−${demo.wide ?? 4} to ${demo.wide ?? 4}`);
    if (this.turn !== 1) paint(inside, paintInside, demo, look);
    if (this.turn === 1 || this.turn === 3) this.paintCurves(look);
  }

  paintCurves(look) {
    const demo = this.asker;
    const { other } = COLOURS[look.theme];
    const lines = [];
    const add = (rows, colour, width, more) => lines.push({ rows, colour, width, ...more });
    if (demo.twin) {
      add(demo.curve, look.ink, 0.16, { name: "A" });
      add(demo.twin.curve, other, 0.16, { name: "B", dash: [0.6, 0.3] });
    } else {
      const ghost = demo.words ? [] : demo.ghost; // what diverged stands alone
      add(ghost, look.line, 0.14, { back: true, name: ghost.length > 1 ? "before" : "" });
      if (demo.view.freshCurve) add(demo.freshCurve, other, 0.16, { name: "fresh points", dash: [0.6, 0.3] });
      add(demo.curve, look.ink, 0.16, { name: demo.view.freshCurve ? "training points" : "" });
    }
    fitted(this.plots.curve, look);
    paintCurves(this.plots.curve, lines, look);
    write(this.numbers.step, String(demo.step ?? "—"));
    write(this.numbers.epoch, demo.epoch?.toFixed(demo.epoch % 1 ? 2 : 0) ?? "—");
    const both = (say) => (demo.twin ? `${say(demo)} | ${say(demo.twin)}` : say(demo));
    write(this.numbers.objective, both(({ objective, step }) => (step && objective === null ? "∞" : short(objective, demo.twin ? 3 : 4))));
    write(this.numbers.accuracy, both(({ accuracy }) => percent(accuracy)));
    write(this.numbers.fresh, both(({ fresh }) => percent(fresh)));
  }

  summary() {
    const demo = this.asker;
    if (demo.words || demo.step == null) return "";
    const words = `Step ${demo.step}, epoch ${demo.epoch?.toFixed(1)}, objective ${short(demo.objective, 4)}, accuracy ${percent(demo.accuracy)} on training points, ${percent(demo.fresh)} on fresh points.`;
    const label = (name, text) => this.plots[name].canvas.setAttribute("aria-label", text);
    label("plane", `The points and the decision boundary. ${words} Space plays or pauses, right arrow takes a step, R restarts.`);
    label("other", "The points and the decision boundary of the second setting.");
    label("curve", `The objective over the epochs, now ${short(demo.objective, 4)}.`);
    label("inside", `What each of ${demo.lines?.length} hidden units says of the plane, and its weights.`);
    label("path", `The path of the weights, now at ${(demo.place ?? []).slice(0, 2).map((v) => short(v, 2)).join(", ")}.`);
    return words;
  }
}

// Where the columns of a graph lie, in px of a picture 1200 px wide: the arrows with weights need most of the room.
const COLUMNS = {
  "logistic regression": { 0: 60, 2.8: 520, 4: 640, 5.2: 780, 6.4: 900, 8.2: 1130 },
  "one hidden layer": { 0: 42, 2.6: 506, 3.4: 566, 4.2: 626, 5: 686, 5.4: 745, 6.9: 884, 7.7: 944, 8.5: 1004, 9.3: 1064, 10.6: 1160 },
};
const ROWS = [33, 122, 236, 346];
const LABELS = { v11: 0.82, v12: 0.27, v21: 0.65, v22: 0.76, c1: 0.27, c2: 0.62 }; // where a weight stands on its arrow: none covers another

const [BOX, OP, PILL] = [{ w: 38, h: 31 }, 16, { w: 58, h: 17 }]; // half sizes

const unTeX = (symbol) => symbol.replace("\\hat{y}", "ŷ").replace(/_\{?(\d+)\}?/, (_, digits) => [...digits].map((d) => "₀₁₂₃₄₅₆₇₈₉"[d]).join(""));

class NudgeView extends View {
  constructor(nudge) {
    super(nudge, "nudge");
    const { graph, reach } = nudge;
    this.symbols = {};
    for (const node of graph.nodes) this.symbols[node.name] = unTeX(node.symbol);
    for (const edge of graph.edges) if (edge.weight) this.symbols[edge.weight] = unTeX(edge.symbol);
    const names = Object.keys(this.symbols).filter((name) => name !== "one" && name !== "L");
    this.quantity = menu("Nudge", names.map((name) => [name, this.symbols[name]]), (name) => nudge.set(name, nudge.delta));
    const to = (delta) => nudge.set(nudge.name, delta);
    this.linear = slider("by δ", { min: -reach, max: reach, step: 0.01, say: (v) => signed(v, 2) }, to);
    const small = { min: -10, max: Math.log10(reach), step: 0.01, read: (p) => Number((10 ** Number(p)).toPrecision(2)), place: (v) => Math.log10(Math.abs(v) || 1e-10), say: mark };
    this.log = slider("by δ", small, to);
    this.zoom = make("button", { type: "button", onclick: () => nudge.set(nudge.name, nudge.tiny ? 0.5 : 1e-5, !nudge.tiny) }, "Tiny δ");
    this.plot = plot("", "", false);
    this.plot.element.querySelector("figcaption").remove();
    this.plot.resized = () => (this.stale = true);
    this.svg = drawn("svg", { role: "group", "aria-label": `Computation graph: ${graph.name}. Pick a quantity to nudge it.`, viewBox: "0 0 1200 380" });
    this.parts = {};
    this.drawGraph(graph);
    this.numbers = {};
    const readout = make("dl", { class: "slopes" });
    for (const [key, label] of [["change", "ΔL"], ["ratio", "ΔL / δ"], ["central", "(L(+δ) − L(−δ)) / 2δ"], ["derivative", "∂L"]]) {
      this.numbers[key] = make("dd", {}, "—");
      const term = make("dt", {}, label);
      readout.append(make("div", { class: key }, term, this.numbers[key]));
      if (key === "derivative") this.term = term;
    }
    this.panel.append(
      make("div", { class: "bar" }, this.quantity.element, this.linear.element, this.log.element, this.zoom),
      make("div", { class: "graph", tabindex: -1 }, this.svg),
      make("div", { class: "foot" }, readout, this.plot.element),
      this.spoken,
    );
    this.showControls();
  }

  drawGraph({ name, nodes, edges }) {
    const columns = COLUMNS[name];
    const at = ([x, y]) => [columns[x], ROWS[y]];
    const byName = Object.fromEntries(nodes.map((node) => [node.name, node]));
    this.arrows = [];
    const arrow = (points, tail) => {
      const [end, before] = [points.at(-1), points.at(-2)];
      const angle = Math.atan2(end[1] - before[1], end[0] - before[0]);
      const back = (turn, far) => [end[0] - far * Math.cos(angle + turn), end[1] - far * Math.sin(angle + turn)];
      const shaft = [...points.slice(0, -1), back(0, 10)];
      const head = [end, back(0.4, 16), back(-0.4, 16)];
      const join = (places) => places.map((place) => place.map((value) => value.toFixed(1)).join(",")).join(" ");
      const group = drawn("g", { class: "arrow" }, drawn("polyline", { points: join(shaft) }), drawn("polygon", { points: join(head) }));
      this.svg.append(group);
      this.arrows.push({ group, ...tail });
    };
    const pills = [];
    for (const edge of edges) {
      const [from, to] = [byName[edge.source], byName[edge.target]];
      const [start, end, bends] = [at(from.at), at(to.op_at ?? to.at), (edge.via ?? []).map(at)];
      const last = bends.at(-1) ?? start;
      const points = [edgeOf(start, bends[0] ?? end, BOX), ...bends, to.op_at ? shortened(end, last, OP) : edgeOf(end, last, BOX)];
      arrow(points, edge);
      if (edge.weight) pills.push([edge, along(points, LABELS[edge.weight] ?? edge.label_at)]);
    }
    for (const node of nodes) {
      if (!node.op_at) continue;
      const [x, y] = at(node.op_at);
      arrow([[x + OP, y], edgeOf(at(node.at), [x, y], BOX)], { source: node.name, target: node.name });
      this.svg.append(drawn("circle", { class: "op", cx: x, cy: y, r: OP }), words(x, y, { "+": "+", sigmoid: "σ" }[node.op] ?? ""));
    }
    for (const [{ weight }, place] of pills) this.box(weight, place, PILL, true);
    for (const node of nodes) this.box(node.name, at(node.at), BOX, false);
  }

  // A quantity: in a box with its number below its name, or, on an arrow, on one line.
  box(name, [x, y], { w, h }, pill) {
    const symbol = this.symbols[name];
    const fixed = name === "one" || name === "L";
    const value = drawn("tspan", pill ? { class: "number", dx: 7 } : { class: "number", x, dy: "1.12em" });
    const text = words(x, pill || name === "one" ? y : y - 14, "");
    text.append(drawn("tspan", { class: "symbol" }, symbol), ...(name === "one" ? [] : [value]));
    const by = words(name === "L" ? x + w : x, name === "y_hat" ? y - h - 17 : y + h + 17, "", `by ${name}`); // above ŷ: L's stands next to it, below
    const rect = drawn("rect", { class: "box", x: x - w, y: y - h, width: 2 * w, height: 2 * h, rx: pill ? h : 8 });
    const pick = () => this.asker.set(name, this.asker.delta);
    const group = drawn("g", fixed ? { class: "fixed" } : { class: `quantity ${pill ? "weight" : "value"}`, role: "button", tabindex: 0, "data-lm-suppress-shortcuts": "true" }, rect, text, ...(pill ? [] : [by]));
    if (!fixed) {
      group.addEventListener("click", pick);
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        event.stopPropagation();
        pick();
      });
    }
    this.svg.append(group);
    const said = drawn("title", {}); // its name for a screen reader
    if (!fixed) group.prepend(said);
    this.parts[name] = { group, value, by, symbol, fixed, said };
  }

  showControls() {
    const nudge = this.asker;
    this.quantity.select.value = nudge.name;
    this.linear.element.hidden = nudge.tiny;
    this.log.element.hidden = !nudge.tiny;
    this.linear.show(nudge.delta);
    this.log.show(nudge.delta);
    this.zoom.setAttribute("aria-pressed", nudge.tiny);
    this.stale = true;
    this.moved();
  }

  key() {
    return false;
  }

  paint(look) {
    const nudge = this.asker;
    const { now, before, name: picked, delta } = nudge;
    const moves = new Set(delta ? [picked, ...nudge.moving] : []);
    for (const [name, { group, value, by, symbol, fixed, said }] of Object.entries(this.parts)) {
      const moved = moves.has(name);
      const change = now[name] - before[name];
      const known = Number.isFinite(now[name]);
      value.textContent = known ? (moved ? rounded(now[name], 2) : minus(String(Number(now[name].toFixed(2))))) : now[name] === Infinity ? "∞" : "none";
      by.textContent = moved && known ? (Math.abs(change) >= 0.0005 || !change ? signed(change, 3) : mark(Number(change.toPrecision(1)))) : "";
      group.classList.toggle("moved", moved);
      if (fixed) continue;
      group.classList.toggle("picked", name === picked);
      group.setAttribute("aria-pressed", name === picked);
      write(said, `${symbol} is ${value.textContent}${moved ? `, moved by ${precise(change)}` : ""}. Nudge it.`);
    }
    for (const { group, source, weight } of this.arrows) group.classList.toggle("moved", moves.has(source) || moves.has(weight));
    this.term.textContent = `∂L / ∂${this.symbols[picked]}`;
    write(this.numbers.change, delta ? precise(now.L - before.L) : "0");
    write(this.numbers.ratio, delta ? precise(nudge.ratio) : "—");
    write(this.numbers.central, delta ? precise(nudge.central) : "—");
    write(this.numbers.derivative, precise(nudge.gradient));
    fitted(this.plot, look);
    (nudge.tiny ? paintErrors : paintRatios)(this.plot, nudge, look);
  }

  summary() {
    const nudge = this.asker;
    const words = `${this.symbols[nudge.name]} moved by ${precise(nudge.delta)}: L moved by ${this.numbers.change.textContent}, ratio ${this.numbers.ratio.textContent}, derivative ${this.numbers.derivative.textContent}.`;
    this.plot.canvas.setAttribute("aria-label", `The ratio by the size of the nudge. ${words}`);
    return words;
  }
}

function words(x, y, text, className = "") {
  return drawn("text", { x, y, class: className }, text);
}

// The place on the edge of a box (half sizes w, h) around `from`, on the way to `towards`.
function edgeOf(from, towards, { w, h }) {
  const [dx, dy] = [towards[0] - from[0], towards[1] - from[1]];
  const t = Math.min(w / (Math.abs(dx) || 1e-9), h / (Math.abs(dy) || 1e-9));
  return [from[0] + dx * t, from[1] + dy * t];
}

// The place r before `end` on the way from `from`.
function shortened(end, from, r) {
  const length = Math.hypot(end[0] - from[0], end[1] - from[1]) || 1;
  return [end[0] + ((from[0] - end[0]) * r) / length, end[1] + ((from[1] - end[1]) * r) / length];
}

// The place at `share` of the length of a line with bends.
function along(points, share) {
  const lengths = points.slice(1).map((p, i) => Math.hypot(p[0] - points[i][0], p[1] - points[i][1]));
  let rest = share * lengths.reduce((a, b) => a + b, 0);
  for (let i = 0; i < lengths.length; i++) {
    if (rest <= lengths[i]) {
      const t = rest / lengths[i];
      return [0, 1].map((k) => points[i][k] + t * (points[i + 1][k] - points[i][k]));
    }
    rest -= lengths[i];
  }
  return points.at(-1);
}

// Where it is shown ----------------------------------------------------------------------------------------------------

// The surroundings: light or dark, colours, size of the type.
function surroundings(root) {
  const slide = root.classList.contains("slide") && root.closest("section");
  if (slide) {
    const { backgroundColor, color } = getComputedStyle(slide);
    root.style.setProperty("--paper", backgroundColor);
    root.style.setProperty("--ink", color);
  }
  const style = getComputedStyle(root);
  const [r, g, b] = (style.backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  const theme = 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light";
  root.classList.toggle("dark", theme === "dark");
  const of = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const em = Number.parseFloat(style.fontSize);
  return { theme, paper: style.backgroundColor, ink: of("--ink"), faint: of("--faint"), soft: of("--soft"), line: of("--line"), em, font: `${em}px ${style.fontFamily}` };
}

const viewOf = (asker) => (asker instanceof Nudge ? new NudgeView(asker) : new DescentView(asker));

// Show views in an element, one at a time; returns {root, views, choose, renew, leave}. className: how large; keysFrom: the
// element whose keys count; awake: whether it is to be painted now.
function show(el, askers, { className = "", keysFrom = null, awake = () => true, head = () => [] } = {}) {
  const root = make("div", { class: `workshop-demo ${className}` });
  const views = askers.map(viewOf);
  const stop = new AbortController();
  let [open, seen, look, request] = [0, true, null, 0];
  const renew = () => (look = null);
  const choose = (i) => {
    if (open !== i) askers[open].play?.(false);
    open = i;
    views.forEach((view, k) => (view.panel.hidden = k !== i));
    renew();
    views[i].moved();
  };
  root.append(...head({ choose, renew, root }), ...views.map(({ panel }) => panel));
  const frame = (now) => {
    request = requestAnimationFrame(frame);
    if (!seen || !root.isConnected) return;
    if (!awake(root)) return askers[open].playing && askers[open].play(false);
    if (!look) {
      look = surroundings(root);
      views[open].stale = true;
    }
    views[open].frame(now, look);
  };
  const sizes = new ResizeObserver(renew);
  const sight = new IntersectionObserver((entries) => (seen = entries.at(-1).isIntersecting)); // a busy page tells several at once
  const themes = new MutationObserver(renew);
  el.append(root);
  sizes.observe(root);
  sight.observe(root);
  for (const around of [document.documentElement, document.body]) themes.observe(around, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew, { signal: stop.signal });
  window.addEventListener("resize", renew, { signal: stop.signal });
  const keys = (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    if (views[open].key(event)) event.preventDefault();
  };
  (keysFrom ?? root).addEventListener("keydown", keys, { signal: stop.signal });
  // JupyterLab hears no key of a widget's; Ctrl+S and the like are its own all the same.
  const pass = (event) => {
    const deaf = (event.ctrlKey || event.metaKey) && root.contains(event.target) && event.target.closest("[data-lm-suppress-shortcuts]");
    if (!deaf) return;
    deaf.removeAttribute("data-lm-suppress-shortcuts");
    setTimeout(() => deaf.setAttribute("data-lm-suppress-shortcuts", "true"));
  };
  window.addEventListener("keydown", pass, { capture: true, signal: stop.signal });
  choose(0);
  request = requestAnimationFrame(frame);
  const leave = () => {
    cancelAnimationFrame(request);
    stop.abort();
    for (const observer of [sizes, sight, themes]) observer.disconnect();
    for (const view of views) view.leave();
    root.remove();
  };
  return { root, views, choose, renew, leave };
}

const askerOf = (part, kernel = null) => (part.kind === "nudge" ? new Nudge(part) : new Demo(part, kernel));

// A page of its own: a tab for each part; the address holds which, and its state. Keys 1, 2, ... choose a tab, T the theme.
function page(el, parts) {
  const askers = parts.map((part) => askerOf(part));
  let [open, timer, shown] = [0, 0, null];
  const note = () => {
    clearTimeout(timer);
    timer = setTimeout(() => history.replaceState(null, "", `#${[parts[open].key, askers[open].address()].filter(Boolean).join("&")}`), 250);
  };
  const tabs = parts.map(({ key, title }, i) => make("button", { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, onclick: () => choose(i) }, title));
  const choose = (i) => {
    open = i;
    tabs.forEach((tab, k) => {
      tab.setAttribute("aria-selected", k === i);
      tab.tabIndex = k === i ? 0 : -1;
    });
    shown.choose(i);
    note();
  };
  const theme = () => {
    shown.root.classList.toggle("night");
    shown.renew();
  };
  const list = make("div", { class: "tabs", role: "tablist", "aria-label": "Demos" }, ...tabs);
  const head = () => [make("header", {}, make("h1", {}, "Gradient descent, live"), list, make("button", { type: "button", onclick: theme, title: "Light or dark (T)", "aria-label": "Light or dark" }, "◐"))];
  shown = show(el, askers, { className: "large", keysFrom: document, head });
  shown.views.forEach((view, i) => {
    view.moved = note;
    view.hint = "Before you drag: what will happen? Space plays, → takes a step, R restarts.";
    for (const [name, value] of Object.entries({ role: "tabpanel", id: `panel-${parts[i].key}`, "aria-labelledby": `tab-${parts[i].key}` })) view.panel.setAttribute(name, value);
  });
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.tagName === "SELECT") return;
    const at = tabs.indexOf(event.target);
    const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (tabs[Number(event.key) - 1]) choose(Number(event.key) - 1);
    else if (event.key.toLowerCase() === "t") theme();
    else if (at >= 0 && turn) {
      choose((at + turn + tabs.length) % tabs.length);
      tabs[open].focus();
    } else return;
    event.preventDefault();
  });
  const follow = () => {
    const [key, ...rest] = location.hash.slice(1).split("&");
    const i = Math.max(0, parts.findIndex((part) => part.key === key));
    if (rest.length || askers[i].address()) askers[i].go(rest.join("&"));
    choose(i);
  };
  if (matchMedia("(prefers-color-scheme: dark)").matches) theme();
  window.addEventListener("hashchange", follow);
  follow();
}

// One part in a frame of a saved notebook.
function alone(el, parts) {
  const { views, asker = views[0].asker } = show(el, parts.map((part) => askerOf(part)));
  if (asker instanceof Demo) asker.note = NO_KERNEL;
}

// The slides: each place with `data-live` gets its demo when its slide is first shown; `data-settings` is its state, as in an
// address. In the speaker's window and on paper the still picture stays.
function slides(parts) {
  if (document.body.dataset.bespokeView && document.body.dataset.bespokeView !== "") return;
  const active = "svg.bespoke-marp-active";
  const turning = ["PageUp", "PageDown"];
  const fill = () => {
    for (const place of document.querySelectorAll(`${active} [data-live]:not(.filled)`)) {
      const name = { demo: "logistic", "demo-network": "network" }[place.dataset.live] ?? place.dataset.live;
      const part = parts.find(({ key }) => key === name);
      if (!part) continue;
      place.classList.add("filled");
      const asker = askerOf(part);
      if (place.dataset.settings) asker.go(place.dataset.settings);
      const { root, views } = show(place, [asker], { className: "slide", awake: (root) => root.closest(active) });
      views[0].hint = "Before you drag: what will happen?";
      // What was used by pointer gives the keys back to the slides, and a clicker's keys are always theirs.
      const release = () => setTimeout(() => root.contains(document.activeElement) && document.activeElement.tagName !== "SELECT" && document.activeElement.blur());
      root.addEventListener("pointerup", release);
      root.addEventListener("change", (event) => event.target.tagName === "SELECT" && event.target.blur());
      root.addEventListener("keydown", (event) => {
        if (!turning.includes(event.key)) return;
        event.preventDefault();
        event.stopPropagation();
        document.activeElement?.blur();
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, code: event.code, keyCode: event.keyCode, which: event.which, bubbles: true }));
      }, true);
      for (const kind of ["touchstart", "touchmove", "touchend", "wheel"]) root.addEventListener(kind, (event) => event.stopPropagation(), { passive: true });
    }
  };
  new MutationObserver(fill).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["class"] });
  fill();
}

// The notebook's widget: the settings and what has come of them are traits of the model, linked both ways.
const widget = () => {
  let askers = [];
  return {
    async initialize({ model, signal }) {
      const whole = await model.widget_manager?.get_model?.(model.get("me")).catch(() => null);
      const lives = () => whole?.comm_live !== false && whole?.comm !== undefined;
      // JupyterLab speaks to widgets through a subshell of the kernel, and to the same one still when the kernel has started
      // anew without it; a kernel that is spoken to so hears nothing more. The demo speaks to the main shell.
      const comm = whole?.comm?.jsServicesComm;
      comm?.subshellStarted?.then(() => (comm.commsOverSubshells = "disabled"), () => {});
      const kernel = whole && !lives() ? null : { send: (message) => model.send(message), lives: () => !whole || lives() };
      askers = model.get("parts").map((part) => askerOf(part, kernel));
      const demo = askers.find((asker) => asker instanceof Demo);
      const hear = (content, buffers) => [demo, demo?.twin].find((one) => one?.key === content.key)?.receive(content, buffers);
      model.on("msg:custom", hear);
      if (!demo) return;
      if (!kernel) demo.leaveKernel();
      for (const name of Object.keys(demo.settings)) {
        demo.settings[name] = model.get(name) ?? demo.settings[name];
        model.on(`change:${name}`, () => demo.set(name, model.get(name)));
      }
      model.on("change:playing", () => demo.play(model.get("playing")));
      demo.told = (name, value) => {
        if (model.get(name) === value) return;
        model.set(name, value);
        if (name === "playing" && demo.kernel) model.save_changes();
      };
      if (model.get("playing")) demo.play(true);
    },
    render({ el }) {
      return show(el, askers).leave;
    },
  };
};

export default widget;
