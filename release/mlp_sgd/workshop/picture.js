// The demo's pictures on canvases: each function paints what it is handed, in the colours and the type of `look`.

// For each theme: class 0, between, class 1 of the field; the points; their rim; and the things of the nudge, coloured as on
// the slides. Blue and vermilion are told apart by colour-blind eyes; the classes differ in shape as well.
export const COLOURS = {
  light: { field: [[98, 170, 214], [248, 248, 248], [236, 155, 96]], points: ["#0072B2", "#D55E00"], rim: "#fff", nudge: "#0067a5", derivative: "#b3261e", central: "#b35c00", other: "#8a3d86" },
  dark: { field: [[14, 82, 128], [30, 31, 34], [150, 68, 8]], points: ["#6cc4f5", "#ff9d5c"], rim: "#111", nudge: "#6cb8ee", derivative: "#ff8a80", central: "#ffb370", other: "#d9a0d6" },
};
const RECENT = 300; // places of the path that are drawn in full colour

const NS = "http://www.w3.org/2000/svg";

// An element. JupyterLab takes keys away from whatever has the focus (arrows go to the next cell), unless that very
// element tells it to leave them.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (["input", "select", "button", "canvas"].includes(tag)) element.dataset.lmSuppressShortcuts = "true";
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

export function drawn(tag, attributes, ...children) {
  const element = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A canvas with a title; it follows its own size.
export function plot(title, more, square) {
  const small = make("small", {}, more);
  const canvas = make("canvas", { role: "img" });
  const box = make("div", { class: "canvas" }, canvas);
  const element = make("figure", square ? { class: "square" } : {}, make("figcaption", {}, title, " ", small), box);
  const plot = { element, canvas, small, cache: {}, look: null, context: canvas.getContext("2d", { alpha: false }) };
  new ResizeObserver(() => {
    plot.look = null;
    plot.resized?.();
  }).observe(box);
  return plot;
}

// Make the canvas as fine as the screen and clear it; returns its size in CSS pixels. A slide may be enlarged as a whole.
export function fitted(plot, look) {
  const { canvas, context } = plot;
  if (plot.look !== look) {
    const size = [canvas.clientWidth, canvas.clientHeight];
    const enlarged = canvas.getBoundingClientRect().width / (size[0] || 1) || 1;
    const ratio = Math.min(4, Math.max(1, enlarged * (window.devicePixelRatio || 1)));
    Object.assign(plot, { look, size, ratio });
    const [w, h] = size.map((length) => Math.max(1, Math.round(length * ratio)));
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }
  context.fillStyle = look.paper;
  context.fillRect(0, 0, ...plot.size);
  return plot.size;
}

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

// The probability of class 1, the boundary, and the points. view: what of it is wanted.
export function paintField({ context, ratio, size: [width, height], cache }, demo, look, view) {
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
    if (view.discrete) for (let i = 0; i < pixels.length; i++) pixels[i] = colours[field[i] >> 15 ? 215 : 40];
    else for (let i = 0; i < pixels.length; i++) pixels[i] = colours[field[i] >> 8];
    scratch.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = !view.discrete;
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
  if (demo.points) context.drawImage(pointsImage(demo, size, ratio, look, cache, view.fresh), 0, 0, size, size);
  writeOver(context, look, "x₁", size - 0.4 * look.em, size - 1.5 * look.em, "right");
  writeOver(context, look, "x₂", 0.4 * look.em, 0.3 * look.em, "left");
}

// A word on a picture, with a rim of paper about it.
function writeOver(context, look, text, x, y, align) {
  context.font = look.font;
  context.textBaseline = "top";
  context.textAlign = align;
  context.lineWidth = 0.3 * look.em;
  context.lineJoin = "round";
  context.strokeStyle = look.paper;
  context.fillStyle = look.ink;
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// The points, painted once for each set, size and theme; fresh ones small and pale.
function pointsImage(demo, size, ratio, look, cache, fresh) {
  const { radius } = demo;
  const key = `${demo.have.points} ${size} ${radius} ${look.theme} ${ratio} ${fresh}`;
  if (cache.pointsKey !== key) {
    const scale = (size * ratio) / (2 * radius);
    const side = Math.max(1, Math.round(size * ratio));
    cache.points ??= document.createElement("canvas");
    Object.assign(cache.points, { width: side, height: side });
    const context = cache.points.getContext("2d");
    const at = (x, y) => [(x + radius) * scale, (radius - y) * scale];
    const r = Math.max(0.27 * look.em, size / 80) * ratio;
    if (fresh && demo.freshPoints) {
      context.globalAlpha = 0.75;
      paintPoints(context, demo.freshPoints, at, 0.45 * r, look);
      context.globalAlpha = 1;
    }
    paintPoints(context, demo.points, at, r, look);
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
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9));
  const marks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) marks.push(k * step);
  return marks;
}

// Whole powers of ten between two logarithms, at most so many.
function powers(low, high, most) {
  const step = Math.max(1, Math.ceil((high - low) / most));
  const marks = [];
  for (let k = Math.ceil(low / step) * step; k <= high; k += step) marks.push(k);
  return marks;
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = (n) => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map((digit) => SUPERSCRIPTS[digit]).join("");

// A number for an axis, in few characters: large and small ones as a power of ten.
export function mark(value) {
  const size = Math.abs(value);
  if (size < 1e5 && (size >= 1e-4 || size === 0)) return String(Number(value.toPrecision(4))).replace("-", "−");
  const power = Math.floor(Math.log10(size) + 1e-9);
  const factor = Number((value / 10 ** power).toPrecision(2));
  return `${factor === 1 ? "" : `${String(factor).replace("-", "−")}·`}10${raised(power)}`;
}

// Axes with marks; returns the functions from numbers to pixels. log: which of x and y go by powers of ten.
export function axes(context, [width, height], [x0, x1, y0, y1], look, label, log = "") {
  const em = look.em;
  const [left, right, top, bottom] = [4 * em, width - 0.9 * em, 0.7 * em, height - 1.75 * em];
  const by = (axis) => (log.includes(axis) ? (value) => Math.log10(value) : Number);
  const x = (value) => left + ((by("x")(value) - x0) / (x1 - x0)) * (right - left);
  const y = (value) => bottom - ((by("y")(value) - y0) / (y1 - y0)) * (bottom - top);
  const marks = (axis, low, high, most) => (log.includes(axis) ? powers(low, high, most).map((k) => 10 ** k) : ticks(low, high, most));
  context.font = look.font;
  context.lineWidth = 1;
  context.strokeStyle = look.soft;
  context.fillStyle = look.faint;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const value of marks("y", y0, y1, Math.max(1.2, (bottom - top) / (2 * em)))) {
    line(context, [left, y(value)], [right, y(value)]);
    context.fillText(mark(value), left - 0.4 * em, y(value));
  }
  context.textBaseline = "top";
  context.textAlign = "center";
  const reserved = right - context.measureText(label).width - 0.6 * em; // the axis' name stands at its end
  for (const value of marks("x", x0, x1, Math.max(2, (right - left) / (3.4 * em)))) {
    line(context, [x(value), top], [x(value), bottom]);
    if (x(value) + context.measureText(mark(value)).width / 2 < reserved) context.fillText(mark(value), x(value), bottom + 0.4 * em);
  }
  context.strokeStyle = look.faint;
  context.strokeRect(left, top, right - left, bottom - top);
  context.fillStyle = look.ink;
  context.textAlign = "right";
  context.fillText(label, right, bottom + 0.4 * em);
  return { x, y, left, right, top, bottom };
}

export function line(context, ...points) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

export function clipped({ left, right, top, bottom }, context, paint) {
  context.save();
  context.beginPath();
  context.rect(left, top, right - left, bottom - top);
  context.clip();
  paint();
  context.restore();
}

// Curves over the epochs. lines: {rows, colour, dash, width, name, back}; a line in the back is cut off where it does not
// fit, for the axes are those of what is shown in front. Past a factor of a thousand they go by powers of ten.
export function paintCurves({ context, size }, lines, look) {
  const front = lines.filter(({ back, rows }) => !back && rows.length);
  const values = front.flatMap(({ rows }) => rows.map(([, value]) => value)).filter((value) => Number.isFinite(value) && value > 0);
  if (!values.length) return;
  let [low, high] = [Infinity, 0];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  let last = 1;
  for (const { rows } of lines) last = Math.max(last, rows.findLast(([, value]) => Number.isFinite(value))?.[0] ?? 0);
  for (const { rows, back } of lines) if (back) for (const [, value] of rows) if (value < 3 * high) high = Math.max(high, value);
  const log = high > 1000 * values[0] ? "y" : "";
  const range = log ? [Math.floor(Math.log10(low)), Math.log10(high) + 0.04 * Math.log10(high / low)] : [0, 1.04 * Math.max(high, 0.1)];
  const frame = axes(context, size, [0, last, ...range], look, "", log);
  clipped(frame, context, () => {
    context.lineJoin = "bevel";
    for (const { rows, colour, dash = [], width } of lines) {
      context.strokeStyle = colour;
      context.lineWidth = width * look.em;
      context.setLineDash(dash.map((length) => length * look.em));
      if (rows.length > 1) line(context, ...thinned(rows, frame));
    }
    context.setLineDash([]);
  });
  context.textAlign = "right";
  context.textBaseline = "top";
  lines.filter(({ name }) => name).forEach(({ name, colour }, i) => {
    context.lineWidth = 0.3 * look.em;
    context.strokeStyle = look.paper;
    context.fillStyle = colour;
    const at = [frame.right - 0.4 * look.em, frame.top + (0.3 + 1.2 * i) * look.em];
    context.strokeText(name, ...at);
    context.fillText(name, ...at);
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

// The path of (w₁, w₂) on the contours of the objective.
export function paintPath({ context, ratio, size: [width, height], cache }, demo, look) {
  const size = Math.min(width, height);
  const wide = demo.wide ?? 4;
  const at = ([w1, w2]) => [((w1 / wide + 1) * size) / 2, ((1 - w2 / wide) * size) / 2];
  context.save();
  context.beginPath();
  context.rect(0, 0, size, size);
  context.clip();
  context.fillStyle = look.theme === "dark" ? "#1a1c1f" : "#f7f8f9";
  context.fillRect(0, 0, size, size);
  if (demo.contours) context.drawImage(contoursImage(demo, size, ratio, look, cache), 0, 0, size, size);
  context.strokeStyle = look.soft;
  context.lineWidth = 1;
  line(context, at([-wide, 0]), at([wide, 0]));
  line(context, at([0, -wide]), at([0, wide]));
  writeOver(context, look, "w₁", size - 0.3 * look.em, size / 2 + 0.2 * look.em, "right");
  writeOver(context, look, "w₂", size / 2 + 0.3 * look.em, 0.2 * look.em, "left");
  const places = sparse(demo.path.map(at));
  if (places.length) {
    context.strokeStyle = look.ink;
    context.lineWidth = look.em / 8;
    context.lineJoin = "round";
    context.globalAlpha = 0.3; // what is long past is faint, or a long zigzag would be one blot
    line(context, ...places.slice(0, -RECENT));
    context.globalAlpha = 1;
    line(context, ...places.slice(-RECENT - 1));
    context.fillStyle = look.ink;
    if (places.length < 250) for (const place of places) dot(context, place, look.em / 6);
    context.strokeStyle = look.ink;
    context.lineWidth = look.em / 7;
    context.beginPath();
    context.arc(...places[0], look.em / 2.6, 0, 7);
    context.stroke();
    writeOver(context, look, "start", places[0][0], places[0][1] - 1.5 * look.em, "center");
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

export function dot(context, [x, y], r) {
  context.beginPath();
  context.arc(x, y, r, 0, 7);
  context.fill();
}

// The contours, painted once for each set of them. They lie closer to each other near the minimum, where the path ends.
function contoursImage({ contours, wide }, size, ratio, look, cache) {
  const key = `${JSON.stringify(contours.now)} ${size} ${wide} ${look.theme} ${ratio}`;
  if (cache.contoursKey === key) return cache.contours;
  cache.contoursKey = key;
  cache.contours ??= document.createElement("canvas");
  const pixels = Math.max(1, Math.round(size * ratio));
  Object.assign(cache.contours, { width: pixels, height: pixels });
  const context = cache.contours.getContext("2d");
  const { side, values } = contours;
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const place = (k) => ((1 + (contours.wide * ((2 * k) / (side - 1) - 1)) / wide) * pixels) / 2;
  context.strokeStyle = look.faint;
  context.lineWidth = (look.em / 14) * ratio;
  for (let k = 1; k <= 14; k++) {
    context.globalAlpha = 0.95 - 0.045 * k;
    context.beginPath();
    contour(context, (i) => values[i], side, low + (high - low) * (k / 14.5) ** 2.4, place, place);
    context.stroke();
  }
  return cache.contours;
}


// The network from inside: each unit's map over the plane, and each weight as an arrow's thickness; blue arrows pull towards
// class 0, vermilion ones towards class 1.
export function paintInside({ context, size: [width, height] }, { lines, weights, field, side, radius, shown }, look) {
  const H = lines.length;
  if (!H || !field) return;
  const em = look.em;
  const tile = Math.min(0.86 * (height / H), width / 4.5);
  const [xs, hs, out] = [1.2 * em, width / 2, width - tile / 2 - 2];
  const down = (j, n) => (height * (j + 0.5)) / n;
  const arrow = (from, to, weight) => {
    context.strokeStyle = COLOURS[look.theme].points[weight > 0 ? 1 : 0];
    context.lineWidth = Math.min(0.5 * em, Math.max(0.5, (0.09 * em * Math.abs(weight))));
    context.globalAlpha = 0.8;
    line(context, from, to);
    context.globalAlpha = 1;
  };
  const inputs = [0.3, 0.7].map((share) => [xs, share * height]);
  lines.forEach(([v1, v2], j) => {
    [v1, v2].forEach((v, i) => arrow([inputs[i][0] + 0.9 * em, inputs[i][1]], [hs - tile / 2, down(j, H)], v));
    arrow([hs + tile / 2, down(j, H)], [out - tile / 2, height / 2], weights[j]);
  });
  const squash = shown?.units === "tanh" ? (t) => (Math.tanh(t) + 1) / 2 : (t) => 1 / (1 + Math.exp(-t));
  lines.forEach(([v1, v2, c], j) => paintMap(context, [hs, down(j, H)], tile, 20, (x, y) => squash(v1 * x + v2 * y + c), radius, look));
  const cell = (value) => Math.min(side - 1, Math.max(0, Math.floor(((value / radius + 1) / 2) * side)));
  paintMap(context, [out, height / 2], tile, 32, (x, y) => field[cell(-y) * side + cell(x)] / 65535, radius, look);
  context.fillStyle = look.ink;
  context.font = look.font;
  context.textAlign = "center";
  context.textBaseline = "middle";
  inputs.forEach((at, i) => context.fillText(["x₁", "x₂"][i], ...at));
  context.textBaseline = "bottom";
  context.fillText("ŷ", out, height / 2 - tile / 2 - 0.1 * em);
}

const small = document.createElement("canvas");

function paintMap(context, [x, y], tile, cells, value, radius, look) {
  Object.assign(small, { width: cells, height: cells });
  const image = new ImageData(cells, cells);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = table(look.theme);
  const tick = (k) => radius * (((k + 0.5) * 2) / cells - 1);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colours[Math.round(255 * value(tick(i % cells), -tick(Math.floor(i / cells))))];
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, x - tile / 2, y - tile / 2, tile, tile);
  context.strokeStyle = look.faint;
  context.lineWidth = 1;
  context.strokeRect(x - tile / 2, y - tile / 2, tile, tile);
}

// ΔL/δ against δ, one-sided and central, beside the derivative.
export function paintRatios({ context, size }, { curves, gradient, delta, ratio, reach }, look) {
  const finite = [...curves.flatMap(({ oneSided, central }) => [oneSided, central]), gradient].filter(Number.isFinite);
  let [low, high] = [Math.min(...finite), Math.max(...finite)];
  const margin = Math.max(0.1 * (high - low), 0.02);
  const frame = axes(context, size, [-reach, reach, low - margin, high + margin], look, "δ");
  paintSides(context, frame, curves, gradient, look);
  if (Number.isFinite(ratio)) {
    context.fillStyle = COLOURS[look.theme].nudge;
    dot(context, [frame.x(delta), frame.y(ratio)], look.em / 2.5);
  }
}

// How far both are from the derivative, by the size of δ, down to where rounding is all that is left.
export function paintErrors({ context, size }, { errors, gradient, delta, ratio }, look) {
  const floor = 1e-13;
  const seen = (value) => Math.max(value, floor);
  const frame = axes(context, size, [-10, 0.4, -13, 1], look, "|δ|", "xy");
  const rows = errors.map(({ delta, oneSided, central }) => ({ delta, oneSided: seen(oneSided), central: seen(central) }));
  paintSides(context, frame, rows, null, look);
  context.fillStyle = look.faint;
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillText("distance from the derivative", frame.left + 0.4 * look.em, frame.top + 0.2 * look.em);
  if (delta && Number.isFinite(ratio)) {
    context.fillStyle = COLOURS[look.theme].nudge;
    dot(context, [frame.x(Math.abs(delta)), frame.y(seen(Math.abs(ratio - gradient)))], look.em / 2.5);
  }
}

function paintSides(context, frame, rows, gradient, look) {
  const { nudge, derivative, central } = COLOURS[look.theme];
  clipped(frame, context, () => {
    context.lineWidth = look.em / 8;
    context.strokeStyle = derivative;
    if (Number.isFinite(gradient)) line(context, [frame.left, frame.y(gradient)], [frame.right, frame.y(gradient)]);
    for (const [name, colour, dash] of [["oneSided", nudge, []], ["central", central, [0.5, 0.4]]]) {
      context.strokeStyle = colour;
      context.setLineDash(dash.map((length) => length * look.em));
      const places = rows.map((row) => [frame.x(row.delta), frame.y(row[name])]).filter(([, y]) => Number.isFinite(y));
      if (places.length) line(context, ...places);
    }
    context.setLineDash([]);
  });
}
