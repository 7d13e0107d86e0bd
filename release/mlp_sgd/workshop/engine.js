// The page's own engine: the workshop's two models, their data and the nudge, in plain arithmetic without a kernel.
//
// `Descent.reply` answers the same questions as `workshop._descent.Descent.reply` in the notebook's kernel, so that the page
// draws from either. Data, random orders, starts and steps are those of NumPy's seeded generator, number by number.

// Random numbers -------------------------------------------------------------------------------------------------------

const M32 = 0xffffffffn;
const M64 = 0xffffffffffffffffn;
const M128 = (1n << 128n) - 1n;
const PCG = 0x2360ed051fc65da44385df649fccf645n;

// The words that NumPy's SeedSequence makes of one or several small integers: four of 64 bits.
function seedWords(entropy) {
  let hash = 0x43b0d7e5;
  const hashed = (value) => {
    value ^= hash;
    hash = Math.imul(hash, 0x931e8875);
    value = Math.imul(value, hash);
    return value ^ (value >>> 16);
  };
  const mixed = (x, y) => {
    const z = (Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y)) | 0;
    return z ^ (z >>> 16);
  };
  const pool = [0, 1, 2, 3].map((i) => hashed(entropy[i] ?? 0));
  for (let from = 0; from < 4; from++) for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  for (const word of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mixed(pool[to], hashed(word));
  hash = 0x8b51f9dd;
  const words = Array.from({ length: 8 }, (_, i) => {
    let value = pool[i % 4] ^ hash;
    hash = Math.imul(hash, 0x58f38ded);
    value = Math.imul(value, hash);
    return BigInt((value ^ (value >>> 16)) >>> 0);
  });
  return [0, 2, 4, 6].map((i) => words[i] | (words[i + 1] << 32n));
}

// The ziggurat's 256 layers under the normal density: widths, heights, and the share of each that needs no second look.
const TAIL = 3.6541528853610088;
const LAYERS = (() => {
  const area = 0.00492867323397465524494;
  const density = (x) => Math.exp(-0.5 * x * x);
  const edges = [area / density(TAIL), TAIL];
  for (let i = 2; i < 256; i++) edges.push(Math.sqrt(-2 * Math.log(area / edges[i - 1] + density(edges[i - 1]))));
  edges.push(0);
  const order = [0, ...Array.from({ length: 255 }, (_, i) => 255 - i)]; // the widest first, then from the narrowest on
  return order.map((i) => ({ width: edges[i] / 2 ** 52, sure: Math.floor((edges[i + 1] / edges[i]) * 2 ** 52), height: i === 0 ? 1 : density(edges[i]) }));
})();

// numpy.random.default_rng of one seed or a list of them; only what the workshop draws with.
export class Generator {
  constructor(seed) {
    const [a, b, c, d] = seedWords([seed].flat());
    this.increment = (((c << 64n) | d) << 1n) | 1n;
    this.increment &= M128;
    this.state = (this.increment + ((a << 64n) | b)) & M128;
    this.advance();
    this.half = null;
  }

  advance() {
    this.state = (this.state * PCG + this.increment) & M128;
  }

  // 64 random bits.
  bits() {
    this.advance();
    const value = ((this.state >> 64n) ^ this.state) & M64;
    const turn = this.state >> 122n;
    return ((value >> turn) | (value << (64n - turn))) & M64;
  }

  // 32 of them: the lower half first, the upper half next time.
  word() {
    if (this.half !== null) {
      const word = this.half;
      this.half = null;
      return word;
    }
    const bits = this.bits();
    this.half = Number(bits >> 32n);
    return Number(bits & M32);
  }

  uniform() {
    return Number(this.bits() >> 11n) / 2 ** 53;
  }

  normal() {
    for (;;) {
      const bits = this.bits();
      const layer = Number(bits & 0xffn);
      const far = Number((bits >> 9n) & 0xfffffffffffffn);
      const sign = (bits >> 8n) & 1n ? -1 : 1;
      const { width, sure, height } = LAYERS[layer];
      const x = far * width;
      if (far < sure) return sign * x;
      if (layer === 0) {
        for (;;) {
          const out = -Math.log1p(-this.uniform()) / TAIL;
          const up = -Math.log1p(-this.uniform());
          if (2 * up > out * out) return (far >> 8) & 1 ? -(TAIL + out) : TAIL + out;
        }
      }
      if ((LAYERS[layer - 1].height - height) * this.uniform() + height < Math.exp(-0.5 * x * x)) return sign * x;
    }
  }

  normals(count) {
    return Float64Array.from({ length: count }, () => this.normal());
  }

  // 0, 1, ... n - 1 in random order.
  permutation(n) {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const mask = 2 ** (32 - Math.clz32(i)) - 1;
      let j = i + 1;
      while (j > i) j = (this.word() & mask) >>> 0;
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }
}

// Data sets ------------------------------------------------------------------------------------------------------------

const labels = (perClass) => Float64Array.from({ length: 2 * perClass }, (_, i) => (i < perClass ? 0 : 1));
const spaced = (low, high, count, end = true) => (i) => low + ((high - low) * (i % count)) / (end ? count - 1 : count);

// For each set: where point i of class y lies without noise, and how large its noise is.
const SETS = {
  s_shape: { noise: 1, place: (i, y, gap) => [[0, 3, 0, 3][Math.floor(i / 10) % 4] + y * gap, [0, 4, 8, 12][Math.floor(i / 10) % 4]] },
  blobs: { noise: 1, place: (i, y) => [y ? 2 : -2, 0] },
  moons: {
    noise: 0.15,
    place: (i, y) => {
      const angle = spaced(0, Math.PI, 40)(i);
      return y ? [1 - Math.cos(angle), 0.5 - Math.sin(angle)] : [Math.cos(angle), Math.sin(angle)];
    },
  },
  circles: {
    noise: 0.15,
    place: (i, y) => {
      const angle = spaced(0, 2 * Math.PI, 40, false)(i);
      return [(y ? 1 : 2) * Math.cos(angle), (y ? 1 : 2) * Math.sin(angle)];
    },
  },
  xor: { noise: 0.4, place: (i, y) => [i % 2 ? 1 : -1, (i % 2 ? 1 : -1) * (y ? -1 : 1)] },
  spiral: {
    noise: 0.1,
    place: (i, y) => {
      const along = spaced(0.1, 1, 40)(i);
      const angle = 3 * Math.PI * along + Math.PI * y;
      return [2 * along * Math.cos(angle), 2 * along * Math.sin(angle)];
    },
  },
};

const N = 80; // points in a set
const FRESH = 5; // further sets of fresh points

const kept = new Map(); // the normal numbers behind a set are the same at any noise
function normalsOf(seed) {
  const key = String(seed);
  if (kept.size > 200) kept.clear();
  if (!kept.has(key)) kept.set(key, new Generator(seed).normals(2 * N));
  return kept.get(key);
}

// The points of `workshop.points` for these settings, and labels. X holds x₁ and x₂ of each point in turn.
function sample({ dataset, noise, gap }, seed) {
  const { noise: usual, place } = SETS[dataset];
  const y = labels(N / 2);
  const X = normalsOf(seed).map((value) => value * noise * usual);
  for (let i = 0; i < N; i++) {
    const [x1, x2] = place(i, y[i], gap);
    X[2 * i] += x1;
    X[2 * i + 1] += x2;
  }
  return { X, y };
}

// The training points, standardised, and fresh ones standardised like them.
export function draw(settings) {
  const { X, y } = sample(settings, settings.seed);
  const mean = [0, 0];
  const deviation = [0, 0];
  X.forEach((value, i) => (mean[i % 2] += value / N));
  X.forEach((value, i) => (deviation[i % 2] += (value - mean[i % 2]) ** 2 / N));
  const standard = (value, i) => (value - mean[i % 2]) / Math.sqrt(deviation[i % 2]);
  const more = Array.from({ length: FRESH }, (_, i) => sample(settings, [settings.seed, 1 + i]));
  return {
    X: X.map(standard),
    y,
    fresh: Float64Array.from(more.flatMap(({ X }) => [...X])).map(standard),
    freshY: Float64Array.from(more.flatMap(({ y }) => [...y])),
  };
}

// The two models -------------------------------------------------------------------------------------------------------

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const loss = (s, y) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s))) - y * s;

// Logistic regression; parameters: w₁, w₂, b.
const LOGISTIC = {
  start: () => Float64Array.of(-1.5, 2.5, 0),

  value: ([w1, w2, b], x1, x2) => x1 * w1 + x2 * w2 + b,

  squares: ([w1, w2]) => w1 * w1 + w2 * w2,

  step(params, X, y, batch, { eta, lam }) {
    const [w1, w2, b] = params;
    let [by1, by2, by] = [0, 0, 0];
    for (const i of batch) {
      const residual = sigmoid(X[2 * i] * w1 + X[2 * i + 1] * w2 + b) - y[i];
      by1 += X[2 * i] * residual;
      by2 += X[2 * i + 1] * residual;
      by += residual;
    }
    const n = batch.length;
    return Float64Array.of(w1 - eta * (by1 / n + lam * w1), w2 - eta * (by2 / n + lam * w2), b - (eta * by) / n);
  },

  place: (params) => [...params],
  inside: () => ({ lines: [], weights: [] }),
};

const ACTIVATIONS = {
  sigmoid: { of: sigmoid, slope: (h) => h * (1 - h) },
  tanh: { of: Math.tanh, slope: (h) => 1 - h * h },
};

// The network with H hidden units; parameters: V row by row (2H), c (H), w (H), b.
const network = ({ units = "sigmoid" }) => {
  const unit = ACTIVATIONS[units];
  const size = (params) => (params.length - 1) / 4;
  return {
    start({ n_hidden: H, seed, start }) {
      const params = new Float64Array(4 * H + 1);
      const normals = start === "random" ? new Generator(seed).normals(3 * H) : new Float64Array(3 * H).fill(start === "equal" ? 0.5 : 0);
      params.set(normals.subarray(0, 2 * H));
      params.set(normals.subarray(2 * H), 3 * H);
      return params;
    },

    value(params, x1, x2) {
      const H = size(params);
      let s = params[4 * H];
      for (let j = 0; j < H; j++) s += params[3 * H + j] * unit.of(x1 * params[j] + x2 * params[H + j] + params[2 * H + j]);
      return s;
    },

    squares(params) {
      const H = size(params);
      let sum = 0;
      for (let k = 0; k < 4 * H; k++) if (k < 2 * H || k >= 3 * H) sum += params[k] * params[k];
      return sum;
    },

    step(params, X, y, batch, { eta, lam }) {
      const H = size(params);
      const by = new Float64Array(4 * H + 1);
      const h = new Float64Array(H);
      for (const i of batch) {
        const [x1, x2] = [X[2 * i], X[2 * i + 1]];
        let s = params[4 * H];
        for (let j = 0; j < H; j++) {
          h[j] = unit.of(x1 * params[j] + x2 * params[H + j] + params[2 * H + j]);
          s += params[3 * H + j] * h[j];
        }
        const byS = (sigmoid(s) - y[i]) / batch.length;
        by[4 * H] += byS;
        for (let j = 0; j < H; j++) {
          const byT = byS * params[3 * H + j] * unit.slope(h[j]);
          by[j] += x1 * byT;
          by[H + j] += x2 * byT;
          by[2 * H + j] += byT;
          by[3 * H + j] += h[j] * byS;
        }
      }
      return params.map((value, k) => value - eta * (by[k] + (k < 2 * H || (k >= 3 * H && k < 4 * H) ? lam * value : 0)));
    },

    place: () => [],

    // For each hidden unit v₁, v₂, c; and the weight of each in s.
    inside(params) {
      const H = size(params);
      const of = (from) => [...params.subarray(from * H, (from + 1) * H)];
      const [v1, v2, c, w] = [0, 1, 2, 3].map(of);
      return { lines: v1.map((v, j) => [v, v2[j], c[j]]), weights: w };
    },
  };
};

function probabilities(model, params, X) {
  const p = new Float64Array(X.length / 2);
  for (let i = 0; i < p.length; i++) p[i] = sigmoid(model.value(params, X[2 * i], X[2 * i + 1]));
  return p;
}

function objective(model, params, X, y, lam) {
  let sum = 0;
  for (let i = 0; i < y.length; i++) sum += loss(model.value(params, X[2 * i], X[2 * i + 1]), y[i]);
  return sum / y.length + (lam * model.squares(params)) / 2;
}

// Descent --------------------------------------------------------------------------------------------------------------

// Milliseconds of one picture that go into training: in the first after a change, for which somebody waits, in those that
// follow, and while it plays; into its grid (more once nothing moves); and into the contours of the next.
const TURN = { first: 2, settle: 6, play: 5, field: 4, fine: 60, contour: 1.5 };
const GRIDS = [100, 80, 60, 44, 32, 24, 16];
const SIDE = 33; // of the contours
const WIDTHS = [4, 6, 10, 15, 25, 40, 60, 100];
const HISTORY = 3000;

// Rows of numbers that grow, thinned by half when there are too many; `version` changes when old rows do.
class History {
  constructor() {
    Object.assign(this, { rows: [], version: 0, every: 1, count: 0 });
  }

  add(...row) {
    this.count += 1;
    if (this.count % this.every) return;
    this.rows.push(row);
    if (this.rows.length <= HISTORY) return;
    this.rows = this.rows.filter((_, i) => i % 2 === 0);
    this.every *= 2;
    this.version += 1;
  }
}

const accuracy = (p, y) => p.reduce((sum, value, i) => sum + (value >= 0.5 === (y[i] === 1)), 0) / y.length;

// One demo without a kernel: settings come in, pictures go out. Every question and answer is as in `_descent.py`.
export class Engine {
  constructor(kind, settings) {
    this.kind = kind;
    this.settings = { ...settings };
    Object.assign(this, { reach: kind === "logistic" ? 30 : 100, cost: 1e-3, drawings: 0, run: 0, told: "" });
    this.draw();
    this.reset();
  }

  get model() {
    return this.kind === "logistic" ? LOGISTIC : network(this.settings);
  }

  // Answer at once: {content, buffers}, what the kernel would send.
  reply(message) {
    const began = performance.now();
    this.change(message.settings ?? {}, message.do === "play");
    this.act(message);
    const [picture, buffers] = this.picture(message);
    picture.seconds = (performance.now() - began) / 1000;
    return { content: { id: message.id, pictures: [picture] }, buffers };
  }

  change(settings, playing) {
    const changed = new Set(Object.keys(settings).filter((key) => settings[key] !== this.settings[key]));
    Object.assign(this.settings, settings);
    this.settings.batch_size = Math.max(1, Math.min(Math.round(this.settings.batch_size), N));
    if (!changed.size) return;
    this.told = "";
    const of = (...names) => names.some((name) => changed.has(name));
    const data = of("dataset", "noise", "seed", "gap");
    if (data) this.draw();
    if (data || of("n_hidden", "start", "units") || !playing) {
      this.reset();
      this.target = playing ? 0 : this.reach;
    } else if (of("batch_size")) this.epoch = null;
    if (of("lam")) this.contourAt = "";
  }

  act({ do: deed, epochs = 1 }) {
    if (deed !== "look") this.told = "";
    if (deed === "restart") {
      this.reset();
      this.reach = this.kind === "logistic" ? 30 : 100;
      return;
    }
    if (deed === "play" || deed === "step") {
      this.target = 0;
      if (deed === "step" || !epochs) this.advance(Infinity, 0);
      else this.advance(Math.floor(this.seen / N + 1e-9) + epochs, performance.now() + TURN.play);
      this.reach = Math.max(1, Math.ceil(this.seen / N));
    } else if (deed === "train" && !this.step && !this.target) this.target = this.reach;
    if (this.target) {
      this.advance(this.target, performance.now() + (this.step ? TURN.settle : TURN.first));
      if (this.told || this.seen >= this.target * N) this.target = 0;
    }
  }

  draw() {
    Object.assign(this, draw(this.settings));
    this.radius = Number((1.12 * this.X.reduce((far, value) => Math.max(far, Math.abs(value)), 0)).toFixed(3));
    this.drawings += 1;
    this.orders = [];
  }

  reset() {
    Object.assign(this, { params: null, step: 0, seen: 0, begun: 0, target: 0, epoch: null, contourAt: "", contourB: 0, wide: WIDTHS[0] });
    Object.assign(this, { curve: new History(), freshCurve: new History(), path: new History(), contour: [] });
    this.run += 1;
  }

  begin() {
    if (this.params) return;
    this.params = this.model.start(this.settings);
    this.record(1);
  }

  // The mini-batches of the next epoch; the orders of the first epochs are kept, for the next training uses them again.
  batches() {
    const order = this.orders[this.begun] ?? new Generator([this.settings.seed, 7, this.begun]).permutation(N);
    if (this.begun < 500) this.orders[this.begun] = order;
    this.begun += 1;
    const size = this.settings.batch_size;
    return Array.from({ length: Math.ceil(N / size) }, (_, i) => order.subarray(i * size, (i + 1) * size));
  }

  // Take steps until so many epochs are full or the time is up; at least one step.
  advance(epochs, deadline) {
    this.begin();
    const { model, settings } = this;
    const every = Math.max(1, Math.floor(Math.ceil(N / settings.batch_size) / 8));
    while (this.seen < epochs * N) {
      if (!this.epoch?.length) this.epoch = this.batches();
      const batch = this.epoch.shift();
      const params = model.step(this.params, this.X, this.y, batch, settings);
      if (!params.every(Number.isFinite)) {
        this.epoch = null;
        this.told = diverged(this.step + 1);
        return;
      }
      this.params = params;
      this.step += 1;
      this.seen += batch.length;
      this.record(every);
      if (performance.now() > deadline) return;
    }
  }

  record(every) {
    const [w1, w2] = this.model.place(this.params);
    if (w1 !== undefined) this.path.add(w1, w2);
    if (this.step % every === 0) this.curve.add(this.seen / N, this.objectiveOn(this.X, this.y));
    if (!this.epoch?.length) this.freshCurve.add(this.seen / N, this.objectiveOn(this.fresh, this.freshY));
  }

  objectiveOn(X, y, params = this.params) {
    return objective(this.model, params, X, y, this.settings.lam);
  }

  picture(message) {
    this.begin();
    const { model, params } = this;
    const proba = probabilities(model, params, this.X);
    const [field, side] = this.field(message.fine ? TURN.fine : TURN.field);
    const value = this.objectiveOn(this.X, this.y);
    const freshProba = probabilities(model, params, this.fresh);
    const content = {
      words: this.told, waiting: "", order: ["field"], step: this.step, epoch: this.seen / N, objective: Number.isFinite(value) ? value : null,
      accuracy: accuracy(proba, this.y), fresh: accuracy(freshProba, this.freshY), side, fine: side === GRIDS[0] || Boolean(message.fine),
      more: Boolean(this.target), ...model.inside(params), radius: this.radius, n: N, points: this.drawings, settings: { ...this.settings },
    };
    const buffers = [field];
    const have = message.have ?? {};
    if (have.points !== this.drawings) {
      for (const [name, X, y] of [["points", this.X, this.y], ["freshPoints", this.fresh, this.freshY]]) {
        content.order.push(name);
        buffers.push(Float32Array.from({ length: 3 * y.length }, (_, i) => (i % 3 === 2 ? y[(i - 2) / 3] : X[2 * Math.floor(i / 3) + (i % 3)])));
      }
    }
    for (const name of ["curve", "freshCurve", "path"]) {
      const { rows, version } = this[name];
      const now = [[this.run, version], rows.length];
      const known = have[name] && String(have[name][0]) === String(now[0]) && have[name][1] <= rows.length;
      content[name] = { now, from: known ? have[name][1] : 0 };
      content.order.push(name);
      buffers.push(Float32Array.from(rows.slice(content[name].from).flat()));
    }
    this.contours(content, buffers, model.place(params), message);
    return [content, buffers];
  }

  // P(y = 1) over the picture in 65536ths, row by row from the top; as fine as the time allows.
  field(milliseconds) {
    const side = GRIDS.find((n) => n * n * this.cost <= milliseconds) ?? GRIDS.at(-1);
    const began = performance.now();
    const { model, params, radius } = this;
    const values = new Uint16Array(side * side);
    const tick = (k) => radius * (((k + 0.5) * 2) / side - 1);
    for (let row = 0; row < side; row++) for (let column = 0; column < side; column++) values[row * side + column] = 65535 * sigmoid(model.value(params, tick(column), -tick(row)));
    this.cost = 0.7 * this.cost + 0.3 * Math.max((performance.now() - began) / side ** 2, 1e-6);
    return [values, side];
  }

  // The objective over (w₁, w₂) at the present b, a part with each picture, so that none has to wait for it.
  contours(content, buffers, place, message) {
    if (!place.length) return;
    const far = Math.max(0, ...this.path.rows.slice(-200).flat().map(Math.abs));
    this.wide = Math.max(this.wide, WIDTHS.find((wide) => far < 0.95 * wide) ?? WIDTHS.at(-1));
    const at = `${this.wide} ${this.drawings} ${this.settings.lam}`;
    const moved = Math.abs(place[2] - this.contourB) > 0.04 * this.wide;
    if (this.contourAt !== at || (moved && this.contour.length === SIDE ** 2)) {
      Object.assign(this, { contour: [], contourB: place[2], contourAt: at });
    }
    const tick = (k) => this.wide * ((2 * k) / (SIDE - 1) - 1);
    const deadline = performance.now() + (message.fine ? TURN.fine : TURN.contour);
    while (this.contour.length < SIDE ** 2 && performance.now() < deadline) {
      const [row, column] = [Math.floor(this.contour.length / SIDE), this.contour.length % SIDE];
      this.contour.push(this.objectiveOn(this.X, this.y, Float64Array.of(tick(column), -tick(row), this.contourB)));
    }
    Object.assign(content, { wide: this.wide, place });
    const now = [this.run, at, this.contourB];
    if (this.contour.length < SIDE ** 2) content.more ||= message.do !== "play";
    else if (String(message.have?.contours) !== String(now)) {
      content.contours = { now, wide: this.wide, side: SIDE };
      content.order.push("contours");
      buffers.push(Float32Array.from(this.contour));
    }
  }
}

const diverged = (step) => `Diverged: step ${step} made the parameters infinite. The step size is too large.`;

// The nudge ------------------------------------------------------------------------------------------------------------

const into = (graph, name) => graph.edges.filter((edge) => edge.target === name);

// The loss from ŷ itself; nan where ŷ was nudged out of [0, 1], inf where ŷ says the label cannot be.
function logLoss(p, y) {
  if (!(p >= 0 && p <= 1)) return NaN;
  const terms = [[1 - y, 1 - p], [y, p]].filter(([share]) => share !== 0);
  return terms.reduce((sum, [share, q]) => sum + (q === 0 ? Infinity : -share * Math.log(q)), 0);
}

// Every quantity of the graph, by name; a pinned one keeps its number, whatever leads to it.
export function evaluate(graph, given = graph.given, pinned = {}) {
  const values = { ...given };
  for (const name in pinned) if (name in given) values[name] = pinned[name];
  for (const { name, op } of graph.nodes) {
    const edges = into(graph, name);
    if (name in pinned) values[name] = pinned[name];
    else if (op === "+") values[name] = edges.reduce((sum, { source, weight }) => sum + values[source] * (weight ? values[weight] : 1), 0);
    else if (op === "sigmoid") values[name] = sigmoid(values[edges[0].source]);
    else if (op === "log-loss") values[name] = logLoss(values.y_hat, values.y);
  }
  return values;
}

// Every quantity after `name` alone was moved by `delta`.
export function nudged(graph, values, name, delta) {
  const given = Object.fromEntries(Object.keys(graph.given).map((key) => [key, values[key]]));
  return evaluate(graph, given, { [name]: values[name] + delta });
}

// The boxes that move when `name` is nudged, in the order in which it reaches them.
export function downstream(graph, name) {
  const moved = new Set([name]);
  for (const node of graph.nodes) if (into(graph, node.name).some(({ source, weight }) => moved.has(source) || moved.has(weight))) moved.add(node.name);
  moved.delete(name);
  return [...moved];
}

// How much the target of an arrow moves for each quantity on it, for a small nudge of that quantity.
function slopes(graph, values, { source, target, weight }) {
  const { op } = graph.nodes.find(({ name }) => name === target);
  if (op === "+") return weight ? [[source, values[weight]], [weight, values[source]]] : [[source, 1]];
  if (op === "sigmoid") return [[source, values[target] * (1 - values[target])]];
  const { y, y_hat: p } = values;
  if (source === "y") return [["y", logLoss(p, 1) - logLoss(p, 0)]];
  const terms = [[1 - y, 1 - p], [-y, p]].filter(([share]) => share !== 0);
  return [[source, terms.reduce((sum, [share, q]) => sum + share / q, 0)]];
}

// ∂L/∂(each quantity) by backpropagation.
export function derivatives(graph, values) {
  const grads = Object.fromEntries(Object.keys(values).map((name) => [name, 0]));
  grads[graph.nodes.at(-1).name] = 1;
  for (const { name } of [...graph.nodes].reverse()) {
    for (const edge of into(graph, name)) for (const [key, slope] of slopes(graph, values, edge)) grads[key] += slope * grads[name];
  }
  return grads;
}
