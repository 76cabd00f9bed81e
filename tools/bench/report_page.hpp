#pragma once
// The page around the runs: its look, and the script that draws tables and plots from them. It
// loads nothing from anywhere.

#include <string_view>

namespace peal::bench {

inline constexpr std::string_view page_head = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>peal-bench</title>
<style>
  :root {
    color-scheme: light dark;
    --paper: #fcfcfb; --ink: #1b1b1a; --soft: #6b6b67; --line: #e1e0da; --warn: #a6480b;
    --c0: #2a6fc9; --c1: #c2571a; --c2: #1d8a63; --c3: #a13d93; --c4: #8a7a12; --c5: #5b5bd6;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --paper: #161617; --ink: #e9e8e3; --soft: #9d9c95; --line: #333332; --warn: #eba05f;
      --c0: #6ea8f5; --c1: #f0925a; --c2: #4fc79a; --c3: #dd86d0; --c4: #d6c34f; --c5: #9d9df7;
    }
  }
  body { background: var(--paper); color: var(--ink); margin: 2rem auto; max-width: 70rem;
         padding: 0 1rem; font: 15px/1.5 system-ui, "DejaVu Sans", sans-serif; }
  h1 { font-size: 1.4rem; margin: 0 0 1rem; }
  h2 { font-size: 1.05rem; margin: 2.2rem 0 .4rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-size: .88rem;
          font-variant-numeric: tabular-nums; }
  th, td { padding: .3rem .45rem; text-align: right; border-bottom: 1px solid var(--line);
           white-space: nowrap; }
  th { color: var(--soft); font-weight: 500; white-space: normal; vertical-align: bottom; }
  th:first-child, td:first-child { text-align: left; }
  .key { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
         margin-right: .5rem; vertical-align: -1px; }
  .legend { color: var(--soft); font-size: .85rem; }
  .legend span { margin-right: 1.4rem; }
  .note { color: var(--soft); margin: .15rem 0; } .failure { color: var(--warn); }
  svg { display: block; width: 100%; height: auto; }
  svg text { fill: var(--soft); font-size: 12px; }
  .grid { stroke: var(--line); stroke-width: 1; }
  .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
</style>
</head>
<body>
<h1>peal-bench</h1>
<main></main>
)html";

inline constexpr std::string_view page_tail = R"html(<script>
"use strict";
const runs = [...document.querySelectorAll("script.run")].map(s => JSON.parse(s.textContent));
const main = document.querySelector("main");
const color = i => `var(--c${i % 6})`;
const dashes = ["", "7 4", "2 3"];
const dash = i => dashes[Math.floor(i / 6) % dashes.length];
const three = x => x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toFixed(2);
const grouped = x => Math.round(x).toLocaleString("en-US");
const scaled = (x, units, step) => {
  let unit = 0;
  while (x >= step && unit + 1 < units.length) { x /= step; unit++; }
  return three(x) + " " + units[unit];
};
const time = us => us < 1 ? (1000 * us).toFixed(0) + " ns" : scaled(us, ["us", "ms", "s"], 1000);
const short = x => x >= 1e6 ? +(x / 1e6).toFixed(2) + " M" : x >= 1e3 ? +(x / 1e3).toFixed(1) + " k"
                                                          : String(+x.toFixed(2));
const bytes = x => scaled(x, ["B", "KiB", "MiB", "GiB"], 1024);

function html(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return parent.appendChild(element);
}

function svg(parent, tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return parent.appendChild(element);
}

// One column for each figure that any run has.
const columns = [
  ["published/s", r => r.published.messages && grouped(r.published.messages_per_s)],
  ["received/s", r => r.received.messages && grouped(r.received.messages_per_s)],
  ["received", r => r.received.messages && bytes(r.received.bytes_per_s) + "/s"],
  ["connections/s", r => r.connections && grouped(r.connections.per_s)],
  ["p50", r => r.latency_us && time(r.latency_us.p50)],
  ["p90", r => r.latency_us && time(r.latency_us.p90)],
  ["p99", r => r.latency_us && time(r.latency_us.p99)],
  ["p99.9", r => r.latency_us && time(r.latency_us.p99_9)],
  ["max", r => r.latency_us && time(r.latency_us.max)],
  ["faults", r => r.faults && String(Object.values(r.faults).reduce((a, b) => a + b))],
  ["server CPU/msg", r => r.server_use && r.server_use.ns_per_message > 0
                          && r.server_use.ns_per_message.toFixed(0) + " ns"],
  ["server memory", r => r.server_use && bytes(r.server_use.resident_after_bytes)],
  ["busiest thread of ours", r => (100 * r.generator.busiest_thread).toFixed(0) + " %"],
];

function summary() {
  const shown = columns.filter(([, cell]) => runs.some(cell));
  const table = html(html(main, "div", undefined, { class: "scroll" }), "table");
  const head = html(table, "tr");
  html(head, "th", "run");
  for (const [name] of shown) html(head, "th", name);
  runs.forEach((run, i) => {
    const row = html(table, "tr");
    const name = html(row, "td");
    html(name, "span", undefined, { class: "key", style: `background:${color(i)}` });
    name.append(run.name);
    for (const [, cell] of shown) html(row, "td", cell(run) || "");
  });
  runs.forEach(run => {
    for (const note of run.notes) html(main, "p", `${run.name}: ${note}`, { class: "note" });
    for (const failure of run.failures) {
      html(main, "p", `${run.name}: ${failure}`, { class: "note failure" });
    }
  });
}

const box = { width: 960, height: 340, left: 76, right: 34, top: 12, bottom: 44 };

// curves: [index of the run, [[x, y]...]]; x and y are 0 to 1 after their axis' `at`.
function plot(title, x, y, curves) {
  html(main, "h2", title);
  const legend = html(main, "div", undefined, { class: "legend" });
  const picture = svg(main, "svg", { viewBox: `0 0 ${box.width} ${box.height}`, role: "img",
                                     "aria-label": title });
  const right = box.width - box.right, bottom = box.height - box.bottom;
  const px = v => box.left + x.at(v) * (right - box.left);
  const py = v => bottom - y.at(v) * (bottom - box.top);
  for (const [v, text] of y.ticks) {
    svg(picture, "line", { class: "grid", x1: box.left, x2: right, y1: py(v), y2: py(v) });
    svg(picture, "text", { x: box.left - 8, y: py(v) + 4, "text-anchor": "end" }, text);
  }
  for (const [v, text] of x.ticks) {
    svg(picture, "line", { class: "grid", x1: px(v), x2: px(v), y1: box.top, y2: bottom });
    svg(picture, "text", { x: px(v), y: bottom + 18, "text-anchor": "middle" }, text);
  }
  svg(picture, "text", { x: (box.left + right) / 2, y: box.height - 6, "text-anchor": "middle" },
      x.name);
  for (const [i, points] of curves) {
    const path = points.map(([a, b]) => `${px(a).toFixed(1)},${py(b).toFixed(1)}`).join(" L");
    const curve = svg(picture, "path", { class: "curve", style: `stroke:${color(i)}`,
                                         "stroke-dasharray": dash(i), d: "M" + path });
    svg(curve, "title", {}, runs[i].name);
    const key = html(legend, "span");
    html(key, "span", undefined, { class: "key", style: `background:${color(i)};margin-right:.5rem` });
    key.append(runs[i].name);
  }
}

// Round steps, about `count` of them up to `max`.
function linear(max, count, name, show, whole) {
  const raw = max / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw);
  const top = whole ? Math.ceil(max / step - 1e-9) * step : max, ticks = [];
  for (let v = 0; v <= top + step / 1e6; v += step) ticks.push([v, show(v)]);
  return { name, ticks, at: v => v / top };
}

function latency() {
  const curves = runs.map((run, i) => [i, run.latency_distribution]).filter(([, d]) => d.length);
  if (!curves.length) return;
  // How rare, in powers of ten: 0 is all, 2 is one in a hundred. The maximum stands at its own.
  const rarity = (percent, count) =>
    percent >= 100 ? Math.log10(count) : -Math.log10(1 - percent / 100);
  const drawn = curves.map(([i, points]) => [i, points.map(([percent, us]) =>
    [rarity(percent, runs[i].latency_us.count), Math.max(us, 0.1)])]);
  const all = drawn.flatMap(([, points]) => points);
  const right = Math.max(1, ...all.map(p => p[0]));
  const low = Math.floor(Math.log10(Math.min(...all.map(p => p[1]))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...all.map(p => p[1])))));
  const x = { name: "percentile", ticks: [[0, "0 %"]], at: v => v / right };
  for (let r = 1; r <= right; r++) x.ticks.push([r, r == 1 ? "90 %" : r == 2 ? "99 %"
                                                     : "99." + "9".repeat(r - 2) + " %"]);
  const y = { ticks: [], at: v => (Math.log10(v) - low) / (high - low) };
  for (let p = low; p <= high; p++) y.ticks.push([10 ** p, time(10 ** p).replace(/\.0+ /, " ")]);
  plot("Latency by percentile", x, y, drawn);
}

function rate() {
  const which = run => run.received.messages ? 2 : 1;
  const curves = runs.map((run, i) => {
    const points = [], moments = run.timeline;
    // The last stretch may be too short to have a rate of its own.
    const shortest = moments.length > 2 ? (moments[1][0] - moments[0][0]) / 2 : 0;
    for (let k = 1; k < moments.length; k++) {
      const span = moments[k][0] - moments[k - 1][0];
      if (span <= shortest) continue;
      const value = (moments[k][which(run)] - moments[k - 1][which(run)]) / span;
      if (points.length == 0) points.push([moments[k - 1][0], Math.max(value, 0)]);
      points.push([moments[k][0], Math.max(value, 0)]);
    }
    return [i, points];
  }).filter(([, points]) => points.length);
  if (!curves.length) return;
  const all = curves.flatMap(([, points]) => points);
  const unit = runs.every(r => r.connections) ? "connections" : "messages";
  plot(`Rate over time, ${unit} a second`,
       linear(Math.max(...all.map(p => p[0])), 8, "seconds", short, false),
       linear(Math.max(1, ...all.map(p => p[1])), 5, "", short, true), curves);
}

function conditions() {
  html(main, "h2", "Conditions");
  const table = html(html(main, "div", undefined, { class: "scroll" }), "table");
  // What every run leaves at its default is no condition worth a column.
  const usual = { subjects: 1, seed: 1, subscriptions: 1, inflight: 1 };
  const names = Object.keys(runs[0].options).filter(
    n => runs.some(r => r.options[n] && r.options[n] !== usual[n]));
  const head = html(table, "tr");
  for (const name of ["run", "command", "server", ...names]) html(head, "th", name);
  for (const run of runs) {
    const row = html(table, "tr");
    for (const text of [run.name, run.command, run.server]) html(row, "td", text);
    for (const name of names) html(row, "td", String(run.options[name] || ""));
  }
}

summary();
latency();
rate();
conditions();
</script>
</body>
</html>
)html";

}  // namespace peal::bench
