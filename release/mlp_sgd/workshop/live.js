// The live demo in the page: asks the kernel for one picture at a time, paints it on canvases, and holds the sliders.
//
// Descent and Nudge (what is known and what is asked) are one for each widget; DescentView and NudgeView (what is seen)
// one for each place where it is shown. All of it moves in animation frames, and only while it is in sight: a page that is
// closed or scrolled away asks for nothing, and then nothing runs in the kernel either.

const NS = "http://www.w3.org/2000/svg";
const SLOW = 0.014; // seconds of the kernel for a picture, beyond which no second one is asked for in advance
const FRAME = 1000 / 60; // milliseconds
const TOGETHER = 4; // pictures in one answer while it plays: an answer costs the kernel more than a picture
const PENALTIES = [0, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1];
const RECENT = 300; // places of the path that are drawn in full colour
const SPEEDS = [["0", "a step a picture"], ["1", "1 epoch a picture"], ["5", "5 epochs a picture"], ["20", "20 epochs a picture"]];

// For each theme: class 0, between, class 1 of the field; the points; their rim. Blue and vermilion are told apart by
// colour-blind eyes; the classes differ in shape as well.
const COLOURS = {
  light: { field: [[98, 170, 214], [248, 248, 248], [236, 155, 96]], points: ["#0072B2", "#D55E00"], rim: "#fff" },
  dark: { field: [[14, 82, 128], [30, 31, 34], [150, 68, 8]], points: ["#6cc4f5", "#ff9d5c"], rim: "#111" },
};

// What is known, and what is asked -------------------------------------------------------------------------------------

class Asker {
  constructor(part, send) {
    Object.assign(this, { part, send, views: new Set(), waiting: new Map(), count: 0, words: "", late: false });
  }

  ask(message) {
    const id = ++this.count;
    this.waiting.set(id, { at: performance.now(), pictures: message.pictures ?? 1 });
    this.send({ key: this.part.key, id, ...message });
  }

  // The kernel's answer: each is taken once, in the order of asking.
  answered(content) {
    this.waiting.delete(content.id);
  }

  // A kernel that does something else first answers late; one that was restarted never does.
  overdue(now) {
    const late = [...this.waiting.values()].some(({ at }) => now - at > 1500);
    if (late !== this.late) {
      this.late = late;
      this.repaint();
    }
  }

  repaint() {
    for (const view of this.views) view.stale = true;
  }
}

class Descent extends Asker {
  constructor(part, send) {
    super(part, send);
    this.settings = { ...part.settings };
    this.n = part.n;
    Object.assign(this, { playing: false, epochs: 1, unsent: false, deeds: ["train"], queue: [], more: false, fine: true });
    Object.assign(this, { have: {}, curve: [], ghost: [], path: [], seconds: 0.01, still: 0, changed: -1e9, trip: 40 });
  }

  set(name, value) {
    if (this.settings[name] === value) return;
    if (!this.playing && !this.more && this.curve.length > 1) this.ghost = this.curve.slice();
    this.settings[name] = value;
    this.unsent = true;
    this.changed = performance.now();
    if (this.playing) this.playOn(true);
    else this.pump();
    for (const view of this.views) view.showControls();
  }

  play(on = !this.playing) {
    this.playing = on;
    if (on) this.words = "";
    this.pump();
    this.repaint();
    for (const view of this.views) view.showControls();
  }

  do(deed) {
    this.play(false);
    if (deed === "restart") this.ghost = [];
    this.deeds.push(deed);
    this.pump();
  }

  // Send what is due, if the kernel has room for it. The newest settings go with every question, so none is out of date.
  pump() {
    if (this.playing) return; // playOn() asks
    if (this.waiting.size >= (this.seconds < 0.05 ? 2 : 1)) return;
    const about = { settings: this.settings, have: this.have };
    if (this.deeds.length) this.ask({ do: this.deeds.shift(), ...about });
    else if (this.unsent) this.ask({ do: "look", ...about });
    else if (this.more && !this.waiting.size) this.ask({ do: "look", ...about });
    else if (!this.fine && !this.waiting.size && performance.now() - this.still > 250) {
      this.fine = true;
      this.ask({ do: "look", fine: true, ...about });
    } else return;
    this.unsent = false;
  }

  // One animation frame: show one picture, and ask for more while few are left. While a slider moves, pictures are made
  // one by one and shown at once, the newest only.
  tick(now) {
    if (now === this.ticked) return; // another view of it was first
    this.ticked = now;
    this.overdue(now);
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
    this.ask({ do: "play", epochs: this.epochs, pictures: together, settings: this.settings, have: this.have });
    this.unsent = false;
  }

  receive(content, buffers) {
    const asked = this.waiting.get(content.id);
    if (asked) this.trip += 0.2 * (performance.now() - asked.at - this.trip);
    this.answered(content);
    let used = 0;
    for (const picture of content.pictures) {
      const end = used + picture.order.length;
      this.queue.push([picture, buffers.slice(used, end)]);
      used = end;
    }
    if (!this.playing) while (this.queue.length) this.take(this.queue.shift());
    if (this.playing && this.unsent) this.playOn(true);
    else this.pump();
  }

  take([content, buffers]) {
    const array = {};
    content.order.forEach((name, i) => (array[name] = aligned(buffers[i])));
    this.seconds += 0.3 * (content.seconds - this.seconds);
    this.more = content.more;
    this.still = performance.now();
    if (!this.unsent && !this.waiting.size) {
      const moved = content.settings.data !== this.settings.data || this.n !== content.n;
      this.settings = { ...content.settings };
      this.n = content.n;
      if (moved) for (const view of this.views) view.showControls();
    }
    if (content.words) this.playing = false;
    this.words = content.words;
    this.lacks = content.waiting;
    if (array.points) this.points = new Float32Array(array.points);
    this.radius = content.radius;
    this.have.points = content.points;
    if (array.field) {
      this.fine = content.fine;
      this.shown = content.settings;
      this.field = new Uint16Array(array.field);
      for (const name of ["side", "step", "epoch", "objective", "accuracy", "fresh", "lines", "wide", "place"]) this[name] = content[name];
      for (const name of ["curve", "path"]) this.extend(name, content[name], new Float32Array(array[name]));
    }
    if (array.contours) {
      this.contours = { ...content.contours, values: new Float32Array(array.contours) };
      this.have.contours = content.contours.now;
    }
    this.repaint();
    if (content.words) for (const view of this.views) view.showControls();
  }

  extend(name, { now, from }, numbers) {
    const rows = this[name];
    if (String(this.have[name]?.[0]) !== String(now[0])) rows.length = 0;
    rows.length = Math.min(rows.length, from);
    for (let i = 0; i < numbers.length; i += 2) rows.push([numbers[i], numbers[i + 1]]);
    this.have[name] = now;
  }
}

class Nudge extends Asker {
  constructor(part, send) {
    super(part, send);
    this.before = part.values;
    this.now = part.values;
    this.name = part.graph.edges[0].weight;
    this.delta = 0.5;
    this.downstream = [];
    this.unsent = true;
  }

  set(name, delta) {
    Object.assign(this, { name, delta, unsent: true });
    this.pump();
    for (const view of this.views) view.showControls();
  }

  pump() {
    if (!this.unsent || this.waiting.size >= 2) return;
    this.unsent = false;
    this.ask({ name: this.name, delta: this.delta });
  }

  tick(now) {
    this.overdue(now);
    this.pump();
  }

  receive(content, buffers) {
    this.answered(content);
    this.now = content.values;
    this.downstream = content.downstream;
    this.told = content;
    const numbers = new Float32Array(aligned(buffers[0]));
    const third = numbers.length / 3;
    this.curves = [0, 1, 2].map((i) => numbers.subarray(i * third, (i + 1) * third));
    this.repaint();
    this.pump();
  }
}

// What is seen: building blocks ----------------------------------------------------------------------------------------

// An element. JupyterLab takes keys away from whatever has the focus (arrows go to the next cell), unless that very
// element tells it to leave them.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (["input", "select", "button", "canvas"].includes(tag)) element.dataset.lmSuppressShortcuts = "true";
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A labelled slider; `read` turns its position into the value, `place` the value into its position, `say` into words.
function slider(label, { min, max, step = 1, read = Number, place = Number, say = String, main = false }, changed) {
  const input = make("input", { type: "range", min, max, step, "aria-label": label, oninput: () => changed(read(input.value)) });
  const output = make("b", { "aria-hidden": "true" });
  const element = make("label", { class: main ? "slider main" : "slider" }, make("span", {}, label, output), input);
  const show = (value) => {
    const words = say(value);
    if (read(input.value) !== value) input.value = place(value);
    if (output.textContent !== words || input.max !== output.max) {
      output.max = input.max;
      write(output, words);
      input.setAttribute("aria-valuetext", words);
      input.style.setProperty("--filled", `${(100 * (input.value - input.min)) / (input.max - input.min)}%`);
    }
  };
  return { element, input, show };
}

function menu(label, options, changed) {
  const select = make("select", { "aria-label": label, onchange: () => changed(select.value) });
  for (const [value, words] of options) select.append(make("option", { value }, words));
  return { element: make("label", {}, label, select), select };
}

function plot(title, more, square) {
  const small = make("small", {}, more);
  const canvas = make("canvas");
  const element = make("figure", square ? { class: "square" } : {}, make("figcaption", {}, title, " ", small), make("div", { class: "canvas" }, canvas));
  return { element, canvas, small, context: canvas.getContext("2d", { alpha: false }) };
}

// Canvas pixels for each CSS pixel. A frame does not know how far the page around it, say a slide, is enlarged.
const fineness = () => Math.max(window.devicePixelRatio || 1, window.top === window ? 1 : 2);

// Make the canvas as fine as the screen and clear it; returns its size in CSS pixels, measured anew with each new `look`.
function fitted(plot, look) {
  const { canvas, context } = plot;
  if (plot.look !== look) {
    const ratio = fineness();
    Object.assign(plot, { look, size: [canvas.clientWidth, canvas.clientHeight] });
    const [w, h] = plot.size.map((length) => Math.round(length * ratio));
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
  context.fillStyle = look.paper;
  context.fillRect(0, 0, ...plot.size);
  return plot.size;
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

function short(value, digits = 3) {
  if (value == null || !Number.isFinite(value)) return "—";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(1).replace("-", "−").replace("e−", "e-");
  return value.toFixed(size >= 100 ? 0 : digits).replace("-", "−");
}

function signed(value) {
  if (value == null) return "—";
  return (value >= 0 ? "+" : "") + short(value, Math.abs(value) < 0.1 ? 3 : 2);
}

const rate = (value) => String(Number(value.toPrecision(2)));
const percent = (value) => (value == null ? "—" : `${(100 * value).toFixed(1)} %`);

// Painting -------------------------------------------------------------------------------------------------------------

const LOGIT = Float32Array.from({ length: 65536 }, (_, i) => Math.log((i + 0.5) / (65535.5 - i)));
const tables = {};

// RGBA for each of 256 probabilities, as the bytes of an image lie in memory.
function table(theme) {
  if (tables[theme]) return tables[theme];
  const [low, middle, high] = COLOURS[theme].field;
  const colour = (i) => {
    const [from, to, t] = i < 128 ? [low, middle, i / 128] : [middle, high, (i - 128) / 127];
    return from.map((value, k) => Math.round(value + (to[k] - value) * t));
  };
  const bytes = new Uint8ClampedArray(1024);
  for (let i = 0; i < 256; i++) bytes.set([...colour(i), 255], 4 * i);
  return (tables[theme] = new Uint32Array(bytes.buffer));
}

const scratch = document.createElement("canvas");

function paintField(context, [width, height], demo, look, cache) {
  const size = Math.min(width, height);
  context.save();
  context.beginPath();
  context.rect(0, 0, size, size);
  context.clip();
  const { side, field, radius } = demo;
  const scale = size / (2 * radius);
  const at = (x, y) => [(x + radius) * scale, (radius - y) * scale];
  context.fillStyle = look.soft;
  context.fillRect(0, 0, size, size);
  if (field) {
    if (scratch.width !== side) Object.assign(scratch, { width: side, height: side });
    const image = new ImageData(side, side);
    const pixels = new Uint32Array(image.data.buffer);
    const colours = table(look.theme);
    for (let i = 0; i < pixels.length; i++) pixels[i] = colours[field[i] >> 8];
    scratch.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = true;
    context.drawImage(scratch, 0, 0, size, size);
    context.strokeStyle = look.faint;
    context.lineWidth = look.em / 11;
    context.setLineDash([look.em / 2.8, look.em / 3.5]);
    context.beginPath();
    for (const [v1, v2, c] of demo.lines) hyperplane(context, at, radius, v1, v2, c);
    context.stroke();
    context.setLineDash([]);
    context.strokeStyle = look.ink;
    context.lineWidth = look.em / 5;
    context.lineJoin = context.lineCap = "round";
    context.beginPath();
    const cell = size / side;
    contour(context, (i) => LOGIT[field[i]], side, 0, (column) => (column + 0.5) * cell, (row) => (row + 0.5) * cell);
    context.stroke();
  }
  context.restore();
  if (demo.points) context.drawImage(pointsImage(demo, size, radius, look, cache), 0, 0, size, size);
}

// The points, painted once for each set, size and theme.
function pointsImage(demo, size, radius, look, cache) {
  const key = `${demo.have.points} ${size} ${radius} ${look.theme} ${fineness()}`;
  if (cache.pointsKey !== key) {
    const scale = (size * fineness()) / (2 * radius);
    const side = Math.max(1, Math.round(size * fineness()));
    cache.points ??= document.createElement("canvas");
    Object.assign(cache.points, { width: side, height: side });
    const r = Math.max(0.3 * look.em, size / 80) * fineness();
    paintPoints(cache.points.getContext("2d"), demo.points, (x, y) => [(x + radius) * scale, (radius - y) * scale], r, look);
    cache.pointsKey = key;
  }
  return cache.points;
}

// Where v₁x₁ + v₂x₂ + c = 0 crosses the picture.
function hyperplane(context, at, radius, v1, v2, c) {
  const far = 3 * radius;
  const steep = Math.abs(v1) > Math.abs(v2);
  const [a, b] = steep ? [v1, v2] : [v2, v1];
  if (!a) return;
  for (const t of [-far, far]) {
    const other = -(b * t + c) / a;
    const [x, y] = steep ? at(other, t) : at(t, other);
    if (t < 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  }
}

function paintPoints(context, points, at, r, look) {
  const colours = COLOURS[look.theme];
  context.lineWidth = Math.max(1, r / 4);
  context.strokeStyle = colours.rim;
  for (let i = 0; i < points.length; i += 3) {
    const [x, y] = at(points[i], points[i + 1]);
    context.fillStyle = colours.points[points[i + 2] ? 1 : 0];
    context.beginPath();
    if (points[i + 2]) context.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    else context.arc(x, y, r, 0, 7);
    context.fill();
    context.stroke();
  }
}

// Add the line where value(i) = level to the path: marching squares over side × side values.
function contour(path, value, side, level, x, y) {
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const i = row * side + column;
      const [a, b, c, d] = [value(i) - level, value(i + 1) - level, value(i + side + 1) - level, value(i + side) - level];
      const kind = (a > 0) + 2 * (b > 0) + 4 * (c > 0) + 8 * (d > 0);
      if (kind === 0 || kind === 15) continue;
      const sides = [
        () => [x(column + a / (a - b)), y(row)],
        () => [x(column + 1), y(row + b / (b - c))],
        () => [x(column + d / (d - c)), y(row + 1)],
        () => [x(column), y(row + a / (a - d))],
      ];
      const crossed = [a > 0 !== b > 0, b > 0 !== c > 0, c > 0 !== d > 0, d > 0 !== a > 0];
      const ends = sides.filter((_, k) => crossed[k]).map((end) => end());
      for (let k = 0; k + 1 < ends.length; k += 2) {
        path.moveTo(...ends[k]);
        path.lineTo(...ends[k + 1]);
      }
    }
  }
}

// Numbers at which an axis is marked: at most `most`, at 1, 2 or 5 times a power of ten.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const marks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9) + 1e-12; k++) marks.push(k * step);
  return marks;
}

const mark = (value) => String(Number(value.toPrecision(4))).replace("-", "−");

// Axes with marks; returns the functions from numbers to pixels.
function axes(context, [width, height], [x0, x1, y0, y1], look, labels) {
  const em = look.em;
  const [left, right, top, bottom] = [3.3 * em, width - 0.8 * em, 0.7 * em, height - 2.7 * em];
  const x = (value) => left + ((value - x0) / (x1 - x0)) * (right - left);
  const y = (value) => bottom - ((value - y0) / (y1 - y0)) * (bottom - top);
  context.font = look.font;
  context.lineWidth = 1;
  context.strokeStyle = look.soft;
  context.fillStyle = look.faint;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const value of ticks(y0, y1, Math.max(2, (bottom - top) / (2.6 * em)))) {
    line(context, [left, y(value)], [right, y(value)]);
    context.fillText(mark(value), left - 0.4 * em, y(value));
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  for (const value of ticks(x0, x1, Math.max(2, (right - left) / (4 * em)))) {
    line(context, [x(value), top], [x(value), bottom]);
    context.fillText(mark(value), x(value), bottom + 0.35 * em);
  }
  context.strokeStyle = look.faint;
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillStyle = look.ink;
  context.textAlign = "right";
  context.fillText(labels, right, bottom + 1.45 * em);
  return { x, y, left, right, top, bottom };
}

function line(context, ...points) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function clipped({ left, right, top, bottom }, context, paint) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  paint();
  context.restore();
}

function paintCurve(context, size, demo, look) {
  if (!demo.curve.length) return;
  let [last, highest] = [1, 0.1];
  for (const rows of [demo.curve, demo.ghost]) {
    for (const [epoch, value] of rows) {
      if (epoch > last) last = epoch;
      if (value > highest && value < Infinity) highest = value;
    }
  }
  const frame = axes(context, size, [0, last, 0, 1.04 * highest], look, "epochs");
  const trace = (curve) => line(context, ...thinned(curve, frame));
  clipped(frame, context, () => {
    context.lineJoin = "bevel";
    if (demo.ghost.length > 1) {
      context.strokeStyle = look.line;
      context.lineWidth = look.em / 6;
      trace(demo.ghost);
    }
    context.strokeStyle = look.accent;
    context.lineWidth = look.em / 4.5;
    if (demo.curve.length) trace(demo.curve);
  });
}

// The curve in pixels, with the lowest and the highest of what falls on the same pixels: no spike is lost.
function thinned(curve, { x, y }) {
  const points = [];
  let bin = [];
  const close = () => {
    if (!bin.length) return;
    const low = bin.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = bin.reduce((a, b) => (b[1] > a[1] ? b : a));
    points.push(...(low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]));
    bin = [];
  };
  for (const [epoch, value] of curve) {
    if (!Number.isFinite(value)) continue;
    const point = [x(epoch), y(value)];
    if (bin.length && point[0] - bin[0][0] > 2) close();
    bin.push(point);
  }
  const end = bin.at(-1);
  close();
  if (end) points.push(end);
  return points;
}

function paintPath(context, [width, height], demo, look, cache) {
  const size = Math.min(width, height);
  const wide = demo.wide ?? 4;
  const at = ([w1, w2]) => [((w1 / wide + 1) * size) / 2, ((1 - w2 / wide) * size) / 2];
  context.save();
  context.beginPath();
  context.rect(0, 0, size, size);
  context.clip();
  context.fillStyle = look.theme === "dark" ? "#1a1c1f" : "#f7f8f9";
  context.fillRect(0, 0, size, size);
  if (demo.contours) context.drawImage(contoursImage(demo, size, look, cache), 0, 0, size, size);
  context.strokeStyle = look.soft;
  context.lineWidth = 1;
  line(context, at([-wide, 0]), at([wide, 0]));
  line(context, at([0, -wide]), at([0, wide]));
  context.font = look.font;
  context.fillStyle = look.ink;
  context.textBaseline = "bottom";
  context.textAlign = "right";
  context.fillText(`w₁ to ${mark(wide)}`, size - 0.5 * look.em, size - 0.3 * look.em);
  context.textAlign = "left";
  context.fillText(`−${mark(wide)}`, 0.5 * look.em, size - 0.3 * look.em);
  context.textBaseline = "top";
  context.fillText(`w₂ to ${mark(wide)}`, 0.5 * look.em, 0.4 * look.em);
  const places = sparse(demo.path.map(at));
  if (places.length) {
    const vivid = COLOURS[look.theme].points[1];
    context.strokeStyle = vivid;
    context.lineWidth = look.em / 8;
    context.lineJoin = "round";
    context.globalAlpha = 0.3; // what is long past is faint, or a long zigzag would be one blot
    line(context, ...places.slice(0, -RECENT));
    context.globalAlpha = 1;
    line(context, ...places.slice(-RECENT - 1));
    context.fillStyle = vivid;
    if (places.length < 250) for (const place of places) dot(context, place, look.em / 6);
    context.strokeStyle = look.ink;
    context.lineWidth = look.em / 7;
    context.beginPath();
    context.arc(...places[0], look.em / 2.6, 0, 7);
    context.stroke();
    context.fillStyle = look.ink;
    context.fillText("start", places[0][0] + 0.6 * look.em, places[0][1] - 0.5 * look.em);
    dot(context, places.at(-1), look.em / 2.2);
  }
  context.restore();
}

// Without the places that lie within half a pixel of the one before.
function sparse(places) {
  let last = null;
  return places.filter((place, i) => {
    const far = !last || i === places.length - 1 || Math.abs(place[0] - last[0]) + Math.abs(place[1] - last[1]) > 0.7;
    if (far) last = place;
    return far;
  });
}

function dot(context, [x, y], r) {
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fill();
}

// The contours, painted once for each set of them. They lie closer to each other near the minimum, where the path ends.
function contoursImage({ contours, wide }, size, look, cache) {
  const key = `${JSON.stringify(contours.now)} ${size} ${wide} ${look.theme} ${fineness()}`;
  if (cache.contoursKey === key) return cache.contours;
  cache.contoursKey = key;
  cache.contours ??= document.createElement("canvas");
  const pixels = Math.max(1, Math.round(size * fineness()));
  Object.assign(cache.contours, { width: pixels, height: pixels });
  const context = cache.contours.getContext("2d");
  const { side, values } = contours;
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const place = (k) => ((1 + (contours.wide * ((2 * k) / (side - 1) - 1)) / wide) * pixels) / 2;
  context.strokeStyle = COLOURS[look.theme].points[0];
  context.lineWidth = (look.em / 14) * fineness();
  for (let k = 1; k <= 14; k++) {
    context.globalAlpha = 0.95 - 0.045 * k;
    context.beginPath();
    contour(context, (i) => values[i], side, low + (high - low) * (k / 14.5) ** 2.4, place, place);
    context.stroke();
  }
  return cache.contours;
}

// What is seen: the views ----------------------------------------------------------------------------------------------

// What a view has in common: it is painted in animation frames while it is in sight.
class View {
  constructor(asker, className) {
    this.asker = asker;
    this.stale = true;
    this.words = make("p", { class: "words", role: "alert", hidden: true });
    this.panel = make("div", { class: `demo-panel ${className}` });
    this.spoken = make("p", { class: "spoken", role: "status" });
    this.spokenAt = 0;
    asker.views.add(this);
  }

  // Called in each animation frame in sight. `look` holds colours and type of the surroundings.
  frame(now, look) {
    this.asker.tick(now);
    const { playing, changed } = this.asker;
    if (this.owed && !playing && !(now - changed < 300)) this.stale = true;
    if (this.stale) {
      this.stale = false;
      const words = this.asker.late ? "The kernel is busy with something else, or was restarted. If so, run the cell again." : this.asker.words;
      if (words !== this.told) this.words.replaceChildren(...words.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part)));
      this.told = words;
      this.words.hidden = !words;
      this.paint(look, now);
      this.unspoken = true;
    }
    if (this.unspoken && !this.asker.playing && now - this.spokenAt > 1000) {
      this.unspoken = false;
      this.spokenAt = now;
      this.spoken.textContent = this.summary();
    }
  }

  leave() {
    this.asker.views.delete(this);
  }
}

class DescentView extends View {
  constructor(demo) {
    super(demo, demo.part.kind);
    this.buttons = {
      play: make("button", { class: "primary", onclick: () => demo.play() }),
      step: make("button", { onclick: () => demo.do("step"), title: "One step: one mini-batch (right arrow on the picture)" }, "Step"),
      restart: make("button", { onclick: () => demo.do("restart"), title: "Back to the start (R)" }, "Restart"),
    };
    this.speed = menu("Speed", SPEEDS, (value) => (demo.epochs = Number(value)));
    this.speed.select.value = String(demo.epochs);
    this.data = menu("Data", Object.entries(demo.part.data), (value) => demo.set("data", value));
    this.sliders = this.makeSliders(demo);
    this.plane = plot("Decision boundary", "", true);
    this.curve = plot("Objective", "thin: before the change", false);
    this.path = demo.part.kind === "logistic" ? plot("Path of (w₁, w₂)", "contours: objective", true) : null;
    const plots = [this.plane, this.path, this.curve].filter(Boolean);
    for (const { canvas } of plots) canvas.setAttribute("role", "img");
    this.plane.canvas.tabIndex = 0;
    this.plots = plots;
    this.cache = {};
    this.numbers = {};
    const readout = make("div", { class: "readout" });
    for (const [key, label] of [["step", "step"], ["epoch", "epoch"], ["objective", "objective"], ["accuracy", "accuracy, training"], ["fresh", "accuracy, fresh points"]]) {
      this.numbers[key] = make("b", {}, "—");
      readout.append(make("div", {}, make("span", {}, label), this.numbers[key]));
    }
    const { eta, batch_size, ...others } = this.sliders;
    this.panel.append(
      make("div", { class: "bar" }, this.buttons.play, this.buttons.step, this.buttons.restart, this.speed.element, this.data.element),
      this.words,
      make("div", { class: "plots" }, ...plots.map(({ element }) => element)),
      readout,
      make("div", { class: "sliders" }, eta.element, batch_size.element, ...Object.values(others).map(({ element }) => element)),
      this.spoken,
    );
    this.panel.addEventListener("keydown", (event) => this.key(event));
    this.panel.addEventListener("pointerenter", () => demo.lacks && !demo.waiting.size && demo.do("train")); // written by now?
    this.showControls();
  }

  makeSliders(demo) {
    const to = (name) => (value) => demo.set(name, value);
    const said = (n) => (n === 1 ? "1: online" : n === demo.n ? `${n}, all: gradient descent` : String(n));
    const sliders = {
      eta: slider("Learning rate η", { min: -3, max: 1.5, step: 0.05, read: (p) => Number((10 ** Number(p)).toPrecision(3)), place: Math.log10, say: rate, main: true }, to("eta")),
      batch_size: slider("Batch size", { min: 1, max: demo.n, say: said, main: true }, to("batch_size")),
      lam: slider("Penalty λ", { min: 0, max: PENALTIES.length - 1, read: (p) => PENALTIES[p], place: (v) => nearest(PENALTIES, v), say: String }, to("lam")),
      noise: slider("Noise", { min: 0.1, max: 2.5, step: 0.1, say: (v) => `× ${v.toFixed(1)}` }, to("noise")),
    };
    if (demo.part.kind === "network") sliders.hidden = slider("Hidden units", { min: 1, max: 16 }, to("hidden"));
    return sliders;
  }

  showControls() {
    const demo = this.asker;
    this.buttons.play.textContent = demo.playing ? "❚❚ Pause" : "▶ Play";
    this.buttons.play.setAttribute("aria-label", demo.playing ? "Pause" : "Play");
    this.data.select.value = demo.settings.data;
    this.sliders.batch_size.input.max = demo.n;
    for (const [name, { show }] of Object.entries(this.sliders)) show(demo.settings[name]);
  }

  key(event) {
    const on = event.target;
    if (event.altKey || event.ctrlKey || event.metaKey || on.tagName === "SELECT") return;
    if (event.key === " " && on.tagName !== "BUTTON") this.asker.play();
    else if (event.key.toLowerCase() === "r") this.asker.do("restart");
    else if (event.key === "ArrowRight" && on.tagName === "CANVAS") this.asker.do("step");
    else return;
    event.preventDefault();
  }

  // The boundary moves in every frame; while it plays or a slider moves, the path and the curve take turns: eyes do not
  // miss the rest.
  paint(look, now) {
    const demo = this.asker;
    const hurry = now - demo.changed < 300;
    this.turn = (demo.playing || hurry) && look === this.lastLook ? (this.turn + 1) % 3 : 3;
    this.lastLook = look;
    this.owed = this.turn !== 3; // a whole picture follows once nothing moves
    paintField(this.plane.context, fitted(this.plane, look), demo, look, this.cache);
    this.panel.shown = demo.shown; // the settings that the picture was made with
    if (this.path && this.turn !== 1) paintPath(this.path.context, fitted(this.path, look), demo, look, this.cache);
    if (this.turn === 1 || this.turn === 3) this.paintCurve(look);
  }

  paintCurve(look) {
    const demo = this.asker;
    paintCurve(this.curve.context, fitted(this.curve, look), demo, look);
    write(this.numbers.step, String(demo.step ?? "—"));
    write(this.numbers.epoch, demo.epoch?.toFixed(demo.epoch % 1 ? 2 : 0) ?? "—");
    write(this.numbers.objective, short(demo.objective, 4));
    write(this.numbers.accuracy, percent(demo.accuracy));
    write(this.numbers.fresh, percent(demo.fresh));
  }

  summary() {
    const demo = this.asker;
    if (demo.words) return demo.words;
    if (demo.step == null) return ""; // nothing has come yet
    const words = `Step ${demo.step}, epoch ${demo.epoch?.toFixed(1)}, objective ${short(demo.objective, 4)}, accuracy ${percent(demo.accuracy)} on training points, ${percent(demo.fresh)} on fresh points.`;
    this.plane.canvas.setAttribute("aria-label", `The points and the decision boundary. ${words} Space plays or pauses, right arrow takes a step, R restarts.`);
    this.curve.canvas.setAttribute("aria-label", `The objective over the epochs, now ${short(demo.objective, 4)}.`);
    this.path?.canvas.setAttribute("aria-label", `The path of the weights, now at ${(demo.place ?? []).slice(0, 2).map((v) => short(v, 2)).join(", ")}.`);
    return words;
  }
}

function nearest(values, wanted) {
  return values.reduce((best, value, i) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? i : best), 0);
}

// Where on its arrow a weight stands, where the slides' place is too narrow for its number.
const PLACES = { c1: 0.73 };

const unTeX = (symbol) => symbol.replace("\\hat{y}", "ŷ").replace(/_\{?(\d+)\}?/, (_, digits) => [...digits].map((d) => "₀₁₂₃₄₅₆₇₈₉"[d]).join(""));

class NudgeView extends View {
  constructor(nudge) {
    super(nudge, "nudge");
    const { graph, reach } = nudge.part;
    this.symbols = {};
    for (const node of graph.nodes) this.symbols[node.name] = unTeX(node.symbol);
    for (const edge of graph.edges) if (edge.weight) this.symbols[edge.weight] = unTeX(edge.symbol);
    delete this.symbols.L;
    const names = Object.keys(this.symbols).filter((name) => name !== "one");
    this.quantity = menu("Nudge", names.map((name) => [name, this.symbols[name]]), (name) => nudge.set(name, nudge.delta));
    this.delta = slider("by δ", { min: -reach, max: reach, step: 0.01, say: (v) => signed(v), main: true }, (delta) => nudge.set(nudge.name, delta));
    this.curve = plot("ΔL/δ", "by the size of δ", false);
    this.curve.canvas.setAttribute("role", "img");
    this.svg = draw("svg", { role: "group", "aria-label": `Computation graph: ${graph.name}` });
    this.parts = {};
    this.drawGraph(graph);
    this.numbers = {};
    const readout = make("div", { class: "readout" });
    for (const [key, label] of [["change", "ΔL"], ["ratio", "ΔL/δ"], ["gradient", "derivative by backpropagation"], ["apart", "apart by"]]) {
      this.numbers[key] = make("b", {}, "—");
      const term = make("span", {}, label);
      readout.append(make("div", {}, term, this.numbers[key]));
      if (key === "gradient") this.derivative = term;
    }
    this.panel.append(
      make("div", { class: "bar" }, this.quantity.element, make("small", {}, "or click it in the graph")),
      this.words,
      make("div", { class: "plots" }, make("figure", {}, make("figcaption", {}, "Add δ and watch it travel ", make("small", {}, "values now, and by how much they moved")), make("div", { class: "graph canvas" }, this.svg)), this.curve.element),
      readout,
      make("div", { class: "sliders" }, this.delta.element),
      this.spoken,
    );
    this.showControls();
  }

  drawGraph({ nodes, edges }) {
    const [column, row] = [88, 104];
    const at = ([x, y]) => [x * column, y * row];
    const right = Math.max(...nodes.map((node) => node.at[0]));
    const bottom = Math.max(...nodes.map((node) => node.at[1]));
    this.svg.setAttribute("viewBox", `-48 -48 ${right * column + 96} ${bottom * row + 96}`);
    const byName = Object.fromEntries(nodes.map((node) => [node.name, node]));
    const marker = (id, colour) => draw("marker", { id, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" }, draw("path", { d: "M0 0 10 5 0 10z", style: `fill: var(${colour})` }));
    const unique = `a${Math.random().toString(36).slice(2)}`;
    this.svg.append(draw("defs", {}, marker(`${unique}still`, "--faint"), marker(`${unique}moves`, "--moved")));
    this.markers = unique;
    const lines = [];
    this.arrows = [];
    const arrow = (points, source, target, weight) => {
      const element = draw("polyline", { class: "arrow", points: points.map((p) => p.join(",")).join(" ") });
      this.svg.append(element);
      this.arrows.push({ element, source, target, weight });
    };
    for (const edge of edges) {
      const [from, to] = [byName[edge.source], byName[edge.target]];
      const start = at(from.at);
      const end = at(to.op_at ?? to.at);
      const bends = (edge.via ?? []).map(at);
      const first = bends[0] ?? end;
      const last = bends.at(-1) ?? start;
      const points = [shifted(start, first, 32, 25), ...bends, to.op_at ? shortened(end, last, 18) : shifted(end, last, 32, 25)];
      arrow(points, edge.source, edge.target, edge.weight);
      if (edge.weight) lines.push([edge, along(points, PLACES[edge.weight] ?? edge.label_at)]);
    }
    for (const node of nodes) {
      if (!node.op_at) continue;
      const [x, y] = at(node.op_at);
      arrow([[x + 17, y], shifted(at(node.at), [x, y], 32, 25)], node.name, node.name, "");
      this.svg.append(draw("circle", { class: "op", cx: x, cy: y, r: 17 }), words(x, y, { "+": "+", sigmoid: "σ" }[node.op] ?? ""));
    }
    for (const [edge, place] of lines) this.box(edge.weight, place, 29, 20, "weight");
    for (const node of nodes) this.box(node.name, at(node.at), 31, 24, "value");
    this.svg.append(...nodes.map((node) => this.parts[node.name].by)); // in front of the arrows
  }

  box(name, [x, y], w, h, kind) {
    const symbol = this.symbols[name] ?? "L";
    const fixed = name === "one" || name === "L";
    const value = words(x, y + h * 0.42, "");
    const named = words(x, name === "one" ? y : y - h * 0.42, symbol, "symbol");
    const by = kind === "weight" ? draw("tspan", { class: "by", dx: 3 }) : words(x, y + h + 11, "", "by");
    if (kind === "weight") named.append(by);
    const rect = draw("rect", { class: "box", x: x - w, y: y - h, width: 2 * w, height: 2 * h, rx: 6 });
    const group = draw("g", fixed ? {} : { class: `quantity ${kind}`, role: "button", tabindex: 0, "data-lm-suppress-shortcuts": "true" },
      rect, named, value);
    if (name === "one") value.remove(); // its name is its value
    if (!fixed) {
      group.addEventListener("click", () => this.asker.set(name, this.asker.delta));
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.asker.set(name, this.asker.delta);
      });
    }
    this.svg.append(group);
    const fit = () => { // a weight's box holds what it moved by, too
      const half = kind === "weight" && by.textContent ? 40 : w;
      rect.setAttribute("x", x - half);
      rect.setAttribute("width", 2 * half);
    };
    this.parts[name] = { group, value, by, symbol, fixed, fit };
  }

  showControls() {
    const nudge = this.asker;
    this.quantity.select.value = nudge.name;
    this.delta.show(nudge.delta);
    this.stale = true;
  }

  paint(look) {
    const nudge = this.asker;
    const told = nudge.told;
    const picked = told?.name ?? nudge.name;
    for (const [name, { group, value, by, symbol, fixed, fit }] of Object.entries(this.parts)) {
      const now = nudge.now[name];
      const moved = told && (name === picked || nudge.downstream.includes(name)) && now !== nudge.before[name];
      value.textContent = now == null ? "undefined" : short(now, 2);
      by.textContent = moved ? signed(now == null ? null : now - nudge.before[name]) : "";
      fit();
      if (!fixed) {
        group.classList.toggle("picked", name === picked);
        group.setAttribute("aria-pressed", name === picked);
        group.setAttribute("aria-label", `${symbol} is ${value.textContent}${moved ? `, moved by ${by.textContent}` : ""}. Nudge it.`);
      }
    }
    const live = new Set([picked, ...nudge.downstream]);
    for (const { element, source, weight } of this.arrows) {
      const moves = Boolean(told) && told.delta !== 0 && (live.has(source) || live.has(weight));
      element.setAttribute("class", moves ? "arrow moves" : "arrow");
      element.setAttribute("marker-end", `url(#${this.markers}${moves ? "moves" : "still"})`);
    }
    if (!told) return;
    const apart = told.ratio == null ? null : told.ratio - told.gradient;
    const change = nudge.now.L == null ? null : nudge.now.L - nudge.before.L;
    this.derivative.textContent = `∂L/∂${this.symbols[picked]} by backpropagation`;
    const numbers = { change: signed(change), ratio: told.delta === 0 ? "—" : short(told.ratio, 4), gradient: short(told.gradient, 4), apart: told.delta === 0 ? "—" : short(apart && Math.abs(apart), 4) };
    for (const [name, text] of Object.entries(numbers)) this.numbers[name].textContent = text;
    paintSlopes(this.curve.context, fitted(this.curve, look), nudge, look);
  }

  summary() {
    const told = this.asker.told;
    if (!told) return "";
    const words = `${this.symbols[told.name]} moved by ${signed(told.delta)}: L moved by ${this.numbers.change.textContent}, ratio ${this.numbers.ratio.textContent}, derivative ${this.numbers.gradient.textContent}.`;
    this.curve.canvas.setAttribute("aria-label", `The ratio by the size of the nudge. ${words}`);
    return words;
  }
}

function words(x, y, text, className = "") {
  return draw("text", { x, y, class: className }, text);
}

// The place on the edge of a box (half sizes w, h) around `from`, on the way to `towards`.
function shifted(from, towards, w, h) {
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

function paintSlopes(context, size, nudge, look) {
  const [deltas, ratios, middle] = nudge.curves;
  const { gradient, delta, ratio } = nudge.told;
  const finite = [...ratios, ...middle, gradient].filter(Number.isFinite);
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  const margin = Math.max(0.12 * (high - low), 0.02);
  [low, high] = [low - margin, high + 2.2 * margin];
  const reach = nudge.part.reach;
  const frame = axes(context, size, [-reach, reach, low, high], look, "δ");
  const trace = (values) => line(context, ...[...values].map((v, i) => [frame.x(deltas[i]), frame.y(v)]).filter(([, y]) => Number.isFinite(y)));
  const [blue, vivid] = COLOURS[look.theme].points;
  clipped(frame, context, () => {
    context.lineWidth = look.em / 7;
    context.strokeStyle = look.ink;
    line(context, [frame.left, frame.y(gradient)], [frame.right, frame.y(gradient)]);
    context.lineWidth = look.em / 5;
    context.strokeStyle = blue;
    context.setLineDash([look.em / 2, look.em / 2.5]);
    trace(middle);
    context.setLineDash([]);
    context.strokeStyle = vivid;
    trace(ratios);
    if (ratio != null) {
      context.fillStyle = vivid;
      dot(context, [frame.x(delta), frame.y(ratio)], look.em / 2.2);
    }
    context.textAlign = "left";
    context.textBaseline = "top";
    context.font = look.font;
    [["ΔL/δ, one-sided", vivid], ["(L(+δ) − L(−δ)) / 2δ, central", blue], ["derivative", look.ink]].forEach(([text, colour], i) => {
      context.fillStyle = colour;
      context.fillText(text, frame.left + 0.5 * look.em, frame.top + (0.4 + 1.2 * i) * look.em);
    });
  });
}

// The widget -----------------------------------------------------------------------------------------------------------

const TITLES = { logistic: "Logistic regression", network: "Network", "nudge-logistic": "Nudge: logistic regression", "nudge-network": "Nudge: network" };

// The surroundings: light or dark, colours, size of the type.
function surroundings(root) {
  const style = getComputedStyle(root);
  const [r, g, b] = (style.backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  const theme = 0.3 * r + 0.6 * g + 0.1 * b < 128 ? "dark" : "light";
  root.classList.toggle("dark", theme === "dark");
  const of = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const em = Number.parseFloat(style.fontSize);
  return { theme, paper: style.backgroundColor, ink: of("--ink"), faint: of("--faint"), soft: of("--soft"), line: of("--line"), accent: of("--accent"), em, font: `${0.88 * em}px ${style.fontFamily}` };
}

function show(el, askers, projector) {
  const root = make("div", { class: projector ? "workshop-demo projector" : "workshop-demo" });
  const views = askers.map((asker) => (asker instanceof Nudge ? new NudgeView(asker) : new DescentView(asker)));
  const stop = new AbortController();
  let [open, seen, look, request] = [0, true, null, 0];
  if (projector) root.append(tabs(views, askers, root, (i) => choose(i), () => (look = null), stop.signal));
  for (const view of views) root.append(view.panel);
  const choose = (i) => {
    if (askers[open].playing && open !== i) askers[open].play(false);
    open = i;
    views.forEach((view, k) => (view.panel.hidden = k !== i));
    root.querySelectorAll('[role="tab"]').forEach((tab, k) => {
      tab.setAttribute("aria-selected", k === i);
      tab.tabIndex = k === i ? 0 : -1;
    });
    views[i].stale = true;
  };
  const frame = (now) => {
    request = requestAnimationFrame(frame);
    if (!seen || !root.isConnected) return;
    if (!look) {
      look = surroundings(root);
      views[open].stale = true;
    }
    views[open].frame(now, look);
  };
  const renew = () => (look = null);
  const sizes = new ResizeObserver(renew);
  const sight = new IntersectionObserver(([entry]) => (seen = entry.isIntersecting));
  const themes = new MutationObserver(renew);
  el.append(root);
  sizes.observe(root);
  sight.observe(root);
  themes.observe(document.body, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew, { signal: stop.signal });
  choose(0);
  request = requestAnimationFrame(frame);
  return () => {
    cancelAnimationFrame(request);
    stop.abort();
    for (const observer of [sizes, sight, themes]) observer.disconnect();
    for (const view of views) view.leave();
    root.remove();
  };
}

// The projector's tabs; the keys 1, 2, ... choose one, T changes between light and dark.
function tabs(views, askers, root, choose, renew, signal) {
  const list = make("div", { class: "tabs", role: "tablist", "aria-label": "Demos" });
  const all = askers.map(({ part }, i) => make("button", { role: "tab", onclick: () => choose(i) }, TITLES[part.key] ?? part.key, make("kbd", { "aria-hidden": "true" }, String(i + 1))));
  const theme = () => {
    root.classList.toggle("dark");
    renew();
  };
  list.append(...all, make("span", { class: "gap" }), make("button", { onclick: theme }, "Light / dark", make("kbd", { "aria-hidden": "true" }, "T")));
  if (matchMedia("(prefers-color-scheme: dark)").matches) root.classList.add("dark");
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.target.tagName === "SELECT") return;
      const i = Number(event.key) - 1;
      const at = all.indexOf(event.target);
      if (all[i]) choose(i);
      else if (event.key.toLowerCase() === "t") theme();
      else if (at >= 0 && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
        const next = (at + (event.key === "ArrowRight" ? 1 : all.length - 1)) % all.length;
        choose(next);
        all[next].focus();
      } else if (event.target === document.body && event.key === " ") askers[all.findIndex((tab) => tab.tabIndex === 0)].play?.();
      else return;
      event.preventDefault();
    },
    { signal },
  );
  return list;
}

export default () => {
  let askers = [];
  return {
    initialize({ model }) {
      askers = model.get("parts").map((part) => new (part.kind === "nudge" ? Nudge : Descent)(part, (message) => model.send(message)));
      const hear = (content, buffers) => askers.find(({ part }) => part.key === content.key)?.receive(content, buffers);
      model.on("msg:custom", hear);
      return () => model.off("msg:custom", hear);
    },
    render({ model, el }) {
      return show(el, askers, model.get("projector"));
    },
  };
};
