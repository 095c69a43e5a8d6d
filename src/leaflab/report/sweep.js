// Draws the trials of a sweep on canvases: hover for a trial, click to mark it everywhere, drag on an axis to filter.
"use strict";
const D = JSON.parse(document.getElementById("data").textContent);
const INK = "#24292f", GREY = "#8c959f", BLUE = "#0969da", RED = "#cf222e", GREEN = "#1a7f37", PALE = "#d0d7de";
const STATE = { complete: BLUE, pruned: GREY, deadline: "#9a6700", failed: RED };
const trials = D.trials, best = (a, b) => (D.direction === "minimize" ? a < b : a > b);
const done = trials.filter(t => t.value !== null);
let marked = null, filters = {};
const show = v => v === null || v === undefined ? "–" : typeof v === "number" ? +v.toPrecision(5) + "" : v + "";
const kept = t => Object.entries(filters).every(([k, [a, b]]) => t._at[k] >= a && t._at[k] <= b);

function scale(values, pixels, log) {
  const f = log ? Math.log10 : x => x, xs = values.map(f).filter(Number.isFinite).sort((a, b) => a - b);
  let lo = xs[0] ?? 0, hi = xs[xs.length - 1] ?? 1;
  if (lo === hi) { lo -= .5; hi += .5; }
  const pad = (hi - lo) * .04, [p, q] = pixels;
  const at = v => p + (f(v) - lo + pad) / (hi - lo + 2 * pad) * (q - p);
  at.ticks = log && hi - lo < 2 ? Array.from({ length: 5 }, (_, i) => 10 ** (lo + (hi - lo) * i / 4)) : round(lo, hi, log ? 1 : 0).map(v => log ? 10 ** v : v);
  return at;
}
// Round numbers from lo to hi, about five, at least `least` apart.
function round(lo, hi, least) {
  const raw = (hi - lo) / 6, ten = 10 ** Math.floor(Math.log10(raw)), step = Math.max(least, [1, 2, 5, 10].find(k => k * ten >= raw) * ten);
  const first = Math.ceil(lo / step - 1e-9);
  return Array.from({ length: Math.floor(hi / step + 1e-9) - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}
// Values are cut at the ninth decile and a bit more on the bad side: one diverged trial must not flatten the picture.
function trimmed(values) {
  const s = values.filter(Number.isFinite).sort((a, b) => a - b), n = s.length;
  if (n < 8) return values;
  const lo = s[Math.floor(n * .1)], hi = s[Math.floor(n * .9)], w = 1.5 * (hi - lo);
  return values.map(v => D.direction === "minimize" ? Math.min(v, hi + w) : Math.max(v, lo - w));
}
function canvas(id, height) {
  const c = document.getElementById(id), r = window.devicePixelRatio || 1, w = c.clientWidth;
  c.width = w * r; c.height = height * r; c.style.height = height + "px";
  const g = c.getContext("2d"); g.scale(r, r); g.font = "11px system-ui,sans-serif"; g.fillStyle = INK;
  return [c, g, w, height];
}
function axes(g, x, y, w, h, names) {
  g.strokeStyle = PALE; g.fillStyle = GREY; g.lineWidth = 1;
  for (const v of y.ticks) { const q = y(v); g.beginPath(); g.moveTo(58, q); g.lineTo(w - 8, q); g.stroke(); g.textAlign = "right"; g.fillText(show(v), 54, q + 3); }
  g.textAlign = "center";
  for (const v of x.ticks) g.fillText(show(v), x(v), h - 16);
  g.fillText(names[0], (w + 50) / 2, h - 3); g.textAlign = "left"; g.fillText(names[1], 6, 10);
}
function dots(g, points) {
  for (const p of points) {
    g.globalAlpha = kept(p.t) ? (points.length > 2000 ? .45 : .8) : .06; g.fillStyle = STATE[p.t.state] || BLUE;
    g.beginPath(); g.arc(p.x, p.y, points.length > 2000 ? 1.6 : 3, 0, 7); g.fill();
  }
  g.globalAlpha = 1;
  for (const p of points) if (p.t === marked) { g.strokeStyle = RED; g.lineWidth = 2; g.beginPath(); g.arc(p.x, p.y, 6, 0, 7); g.stroke(); }
}
const tip = document.getElementById("tip");
function pointing(c, points) {
  const near = e => {
    const r = c.getBoundingClientRect(), x = e.clientX - r.left, y = e.clientY - r.top; let found = null, d = 400;
    for (const p of points) { const q = (p.x - x) ** 2 + (p.y - y) ** 2; if (q < d && kept(p.t)) { d = q; found = p.t; } }
    return found;
  };
  c.onmousemove = e => {
    const t = near(e); tip.hidden = !t; if (!t) return;
    tip.textContent = describe(t); tip.style.left = Math.min(e.pageX + 12, document.body.clientWidth - 280) + "px"; tip.style.top = e.pageY + 12 + "px";
  };
  c.onmouseleave = () => { tip.hidden = true; };
  c.onclick = e => { const t = near(e); if (t) { marked = marked === t ? null : t; draw(); } };
}
const label = name => name.replace("objective/", "").replaceAll("_", " ");
const describe = t => [`trial ${t.number}  ${t.state}`, `${D.metric} ${show(t.value)}   ${show(t.seconds)} s`,
  ...Object.entries(t.params).map(([k, v]) => `${k} = ${show(v)}`)].join("\n");

function history() {
  const [c, g, w, h] = canvas("history", 260), vs = trimmed(done.map(t => t.value)), lines = Object.entries(D.baselines);
  const x = scale(done.map(t => t.number), [60, w - 10]), y = scale(vs, [h - 32, 16]);
  axes(g, x, y, w, h, ["trial", D.metric]);
  for (const [name, v] of lines) { const q = y(v); if (q < 12 || q > h - 30) continue; g.setLineDash([4, 4]); g.strokeStyle = GREY; g.beginPath(); g.moveTo(58, q); g.lineTo(w - 8, q); g.stroke(); g.setLineDash([]); g.fillStyle = GREY; g.textAlign = "right"; g.fillText(name, w - 10, q - 3); }
  const points = done.map((t, i) => ({ t, x: x(t.number), y: y(vs[i]) }));
  dots(g, points);
  g.strokeStyle = GREEN; g.lineWidth = 2; g.beginPath(); let b = null;
  done.filter(t => t.state !== "pruned").forEach(t => { if (b === null || best(t.value, b)) { if (b !== null) g.lineTo(x(t.number), y(b)); b = t.value; } g.lineTo(x(t.number), y(b)); });
  g.stroke(); pointing(c, points);
}
function importance() {
  const box = document.getElementById("importance"), top = Math.max(...D.importance.map(p => p[1]), 1e-9);
  box.innerHTML = "";
  for (const [name, v] of D.importance) {
    const row = document.createElement("div"), label = document.createElement("span"), bar = document.createElement("i"), value = document.createElement("b");
    label.textContent = name; bar.style.width = 45 * v / top + "%"; value.textContent = Math.round(100 * v) + " %"; row.append(label, bar, value); box.append(row);
    row.onclick = () => { document.getElementById("param").value = name; draw(); };
  }
}
function slice() {
  const name = document.getElementById("param").value, p = D.params.find(q => q.name === name); if (!p) return;
  const [c, g, w, h] = canvas("slice", 260), some = done.filter(t => t.params[name] !== undefined), vs = trimmed(some.map(t => t.value));
  const at = t => p.levels ? p.levels.indexOf(String(t.params[name])) : t.params[name];
  const x = scale(some.map(at), [60, w - 10], p.log), y = scale(vs, [h - 32, 16]);
  if (p.levels) x.ticks = [];
  axes(g, x, y, w, h, [name, D.metric]);
  if (p.levels) { g.fillStyle = GREY; g.textAlign = "center"; p.levels.forEach((l, i) => g.fillText(l, x(i), h - 16)); }
  const points = some.map((t, i) => ({ t, x: x(at(t)), y: y(vs[i]) })); dots(g, points); pointing(c, points);
}
function frontier() {
  const name = document.getElementById("cost").value, cost = t => name === "seconds" ? t.seconds : t.facts[name];
  const raised = D.raised.includes(name), log = !raised && done.every(t => !(cost(t) <= 0));
  const [c, g, w, h] = canvas("frontier", 260), some = done.filter(t => Number.isFinite(cost(t))), vs = trimmed(some.map(t => t.value));
  const cut = name === "fit_seconds" ? D.prefixes.map(p => p[0]).filter(s => s > 0) : [];
  const x = scale([...some.map(cost), ...cut], [60, w - 10], log), y = scale(vs, [h - 32, 16]);
  axes(g, x, y, w, h, [label(name), D.metric]);
  const points = some.map((t, i) => ({ t, x: x(cost(t)), y: y(vs[i]) })); dots(g, points);
  let b = null; g.strokeStyle = GREEN; g.lineWidth = 2; g.beginPath();
  const cheap = some.filter(t => t.state !== "pruned").sort((m, n) => raised ? cost(n) - cost(m) : cost(m) - cost(n));
  for (const t of cheap) if (b === null || best(t.value, b)) { if (b !== null) g.lineTo(x(cost(t)), y(b)); b = t.value; g.lineTo(x(cost(t)), y(b)); }
  g.stroke();
  if (name === "fit_seconds") for (const [s, v] of D.prefixes) { const q = y(v); if (s > 0 && q > 10 && q < h - 26) { g.fillStyle = GREEN; g.fillRect(x(s) - 1.5, q - 1.5, 3, 3); } }
  if (cut.length) { g.fillStyle = GREEN; g.textAlign = "right"; g.fillText("▪ cut to fewer trees", w - 8, 10); }
  for (const p of points) if (D.front.includes(p.t.number)) { g.beginPath(); g.arc(p.x, p.y, 5, 0, 7); g.stroke(); }
  pointing(c, points);
}
function curves() {
  const [, g, w, h] = canvas("curves", 260), some = done.filter(t => t.curve.length && (t === marked || t.rank < 10));
  const all = some.flatMap(t => t.curve); if (!all.length) { g.fillText("No learning curves were kept.", 60, 40); return; }
  const x = scale(all.map(p => p[0]), [60, w - 10]), y = scale(trimmed(all.map(p => p[1])), [h - 32, 16]);
  axes(g, x, y, w, h, ["boosting round", D.metric]);
  for (const t of some) { g.strokeStyle = t === marked ? RED : t.rank === 0 ? GREEN : BLUE; g.globalAlpha = t === marked || t.rank === 0 ? 1 : .35; g.lineWidth = t === marked || t.rank === 0 ? 2 : 1; g.beginPath(); for (const p of t.curve) g.lineTo(x(p[0]), Math.max(12, Math.min(h - 30, y(p[1])))); g.stroke(); }
  g.globalAlpha = 1;
}
function parallel() {
  const [c, g, w, h] = canvas("parallel", 320), cols = [...D.params.map(p => p.name), D.metric], gap = (w - 120) / Math.max(1, cols.length - 1);
  const xs = cols.map((_, i) => 60 + i * gap), shown = done.length > 1500 ? done.filter((t, i) => t.rank < 200 || i % Math.ceil(done.length / 1300) === 0) : done;
  const y = v => 30 + (1 - v) * (h - 60);
  const order = [...shown].sort((a, b) => b.rank - a.rank);
  for (const t of order) {
    const f = 1 - t.rank / Math.max(1, done.length - 1);
    g.strokeStyle = t === marked ? RED : `hsl(${210 - 170 * (1 - f)},70%,${40 + 15 * (1 - f)}%)`; g.globalAlpha = t === marked ? 1 : kept(t) ? .12 + .5 * f ** 4 : .015; g.lineWidth = t === marked ? 2.5 : 1;
    g.beginPath(); cols.forEach((k, i) => { const v = t._at[k]; if (v !== undefined) g.lineTo(xs[i], y(v)); }); g.stroke();
  }
  g.globalAlpha = 1;
  cols.forEach((k, i) => {
    g.strokeStyle = INK; g.lineWidth = 1; g.beginPath(); g.moveTo(xs[i], 30); g.lineTo(xs[i], h - 30); g.stroke();
    g.fillStyle = INK; g.textAlign = "center"; g.fillText(k.length > gap / 6 ? k.slice(0, Math.max(6, gap / 6)) + "…" : k, xs[i], 14);
    const p = ends[k]; g.fillStyle = GREY; g.fillText(show(p[1]), xs[i], 26); g.fillText(show(p[0]), xs[i], h - 16);
    if (filters[k]) { g.fillStyle = "rgba(9,105,218,.25)"; g.fillRect(xs[i] - 7, y(filters[k][1]), 14, y(filters[k][0]) - y(filters[k][1])); }
  });
  let from = null;
  const where = e => { const r = c.getBoundingClientRect(), x = e.clientX - r.left, i = xs.findIndex(q => Math.abs(q - x) < 12); return [i, 1 - (e.clientY - r.top - 30) / (h - 60)]; };
  c.onmousedown = e => { const [i, v] = where(e); from = i < 0 ? null : [cols[i], v]; };
  c.onmouseup = e => { if (!from) { filters = {}; draw(); return; } const [k, a] = from, b = where(e)[1]; if (Math.abs(a - b) < .02) delete filters[k]; else filters[k] = [Math.min(a, b), Math.max(a, b)]; from = null; draw(); };
}
function table() {
  const body = document.querySelector("#best tbody"), names = D.params.map(p => p.name); body.innerHTML = "";
  const rows = [...done].filter(kept).sort((a, b) => a.rank - b.rank).slice(0, 15);
  if (marked && !rows.includes(marked)) rows.push(marked);
  for (const t of rows) {
    const row = body.insertRow(); if (t === marked) row.className = "on";
    for (const v of [t.number, t.value, t.seconds, t.state, ...names.map(n => t.params[n])]) row.insertCell().textContent = show(v);
    row.onclick = () => { marked = marked === t ? null : t; draw(); };
  }
  document.getElementById("count").textContent = `${done.filter(kept).length} of ${trials.length} trials shown`;
}
const ends = {};
function prepare() {
  const late = t => t.state === "pruned";
  [...done].sort((a, b) => late(a) - late(b) || (a.value === b.value ? a.number - b.number : best(a.value, b.value) ? -1 : 1)).forEach((t, i) => { t.rank = i; });
  for (const t of done) t._at = {};
  for (const p of D.params) {
    const f = p.log ? Math.log : x => x, raw = t => p.levels ? p.levels.indexOf(String(t.params[p.name])) : f(t.params[p.name]);
    const some = done.filter(t => t.params[p.name] !== undefined), vs = some.map(raw), lo = vs.reduce((a, b) => Math.min(a, b), Infinity), hi = vs.reduce((a, b) => Math.max(a, b), -Infinity);
    ends[p.name] = p.levels ? [p.levels[0], p.levels[p.levels.length - 1]] : p.log ? [Math.exp(lo), Math.exp(hi)] : [lo, hi];
    some.forEach((t, i) => { t._at[p.name] = hi > lo ? (vs[i] - lo) / (hi - lo) : .5; });
  }
  const vs = trimmed(done.map(t => t.value)), lo = vs.reduce((a, b) => Math.min(a, b), Infinity), hi = vs.reduce((a, b) => Math.max(a, b), -Infinity); ends[D.metric] = [lo, hi];
  done.forEach((t, i) => { t._at[D.metric] = hi > lo ? (vs[i] - lo) / (hi - lo) : .5; });
  const select = (id, names) => { const s = document.getElementById(id); for (const n of names) s.add(new Option(label(n), n)); s.onchange = draw; };
  select("param", D.importance.map(p => p[0])); select("cost", D.costs);
}
function draw() { history(); importance(); slice(); frontier(); curves(); parallel(); table(); document.body.dataset.drawn = "yes"; }
prepare(); draw(); window.addEventListener("resize", draw);
