// Moves through a reel: everything is here already, so nothing is asked of the server.
// Text is set by textContent alone.
const SVG = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 12, TOP = 8, FOOT = 34, HEIGHT = 190;
const FLIPS = "#b3261e";
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function node(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

// A text with its places filled: "{n} tokens" and {n: 3}.
const filled = (text, places) => text.replace(/\{(\w+)\}/g, (all, name) => places[name] ?? all);

// A number and its sign of a share stay on one line.
const unbroken = (text) => text.replace(/([<>]) (?=\d)/g, "$1\u00a0").replace(/(\d) %/g, "$1\u00a0%");

function drawn(tag, values, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function written(value, share) {
  if (value === null) return "";
  if (share) {
    const p = 100 * value;
    if (p > 99.9 && p < 100) return "> 99.9 %";
    const whole = p === 0 || (p >= 10 && p <= 99) || p >= 100;  // beside 0 and 100 a decimal tells
    return (p > 0 && p < 0.1 ? "< 0.1" : p.toFixed(whole ? 0 : 1)) + " %";
  }
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size < 1e-3 || size >= 1e5 ? value.toExponential(1)
    : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1)
    : size >= 0.1 ? value.toFixed(2) : size >= 0.01 ? value.toFixed(3) : value.toFixed(4);
  return text.replace("-", "−");
}

// Numbers of one strip, all with as many decimals as a whole bar needs for three digits.
function alike(value, mode) {
  const unit = mode.share ? 100 : 1, full = unit * mode.full;
  const places = full > 0 ? Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(full)))) : 0;
  const text = (unit * value).toFixed(mode.share ? Math.min(places, 1) : places);
  return text.replace("-", "−") + (mode.share ? " %" : "");
}

// Marks of an axis at round numbers; `whole`: what is counted has no halves.
function ticks(from, to, most, whole) {
  const rough = Math.max((to - from) / most, whole ? 1 : 0), power = 10 ** Math.floor(Math.log10(rough));
  const step = (whole ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10]).map((k) => k * power).find((s) => s >= rough) || rough;
  const found = [];
  for (let v = Math.ceil(from / step) * step; v <= to + 1e-9 * step; v += step) {
    found.push(Math.abs(v) < 1e-9 * step ? 0 : v);
  }
  return found;
}

// One chart: what stands still is drawn once a width, the cursor moves.
function chartOf(chart, reel, show) {
  const svg = drawn("svg", { class: "chart", role: "img", height: HEIGHT });
  svg.setAttribute("xmlns", SVG);
  let width = 0, cursor = null, dots = [], numbers = [];
  const first = reel.x[0], last = reel.x[reel.x.length - 1] || 1;
  const px = (v) => LEFT + ((width - LEFT - RIGHT) * (v - first)) / (last - first || 1);
  const [low, high] = chart.span;
  const py = (v) => TOP + ((HEIGHT - TOP - FOOT) * (high - v)) / (high - low || 1);

  function draw(size) {
    width = size;
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren();
    const text = { fill: "currentColor", "font-size": 12 };
    for (const v of ticks(low, high, 4)) {
      svg.append(
        drawn("line", { x1: LEFT, x2: width - RIGHT, y1: py(v), y2: py(v), stroke: "currentColor",
          "stroke-opacity": 0.15 }),
        drawn("text", { ...text, x: LEFT - 6, y: py(v) + 4, "text-anchor": "end" },
          chart.share ? `${Math.round(100 * v)} %` : written(v, false)),
      );
    }
    const most = Math.max(3, Math.floor(width / 110));
    for (const v of ticks(first, last, most, reel.x.every(Number.isInteger))) {
      svg.append(drawn("text", { ...text, x: px(v), y: HEIGHT - FOOT + 15, "text-anchor": "middle" },
        String(Number(v.toPrecision(6)))));
    }
    svg.append(drawn("text", { ...text, x: (LEFT + width - RIGHT) / 2, y: HEIGHT - 4,
      "text-anchor": "middle" }, reel.x_title));
    for (const line of chart.series) {
      if (line.low) {
        const there = line.high.map((v, k) => `${px(reel.x[k])},${py(v)}`);
        const back = line.low.map((v, k) => `${px(reel.x[k])},${py(v)}`).reverse();
        svg.append(drawn("polygon", { points: [...there, ...back].join(" "), fill: line.colour,
          "fill-opacity": 0.22, stroke: line.colour, "stroke-opacity": 0.6, "stroke-width": 1 }));
      }
      svg.append(drawn("polyline", { points: line.y.map((v, k) => [v, k]).filter(([v]) => v !== null)
          .map(([v, k]) => `${px(reel.x[k])},${py(v)}`).join(" "),
        fill: "none", stroke: line.colour, "stroke-width": 2.5, "stroke-dasharray": line.dash }));
      for (const [k, kind, what] of line.marks || []) {
        const x = px(reel.x[k]), y = py(line.y[k]), r = 5;
        const star = kind === "kept";
        const mark = star
          ? drawn("circle", { cx: x, cy: y, r: 7, fill: "none", stroke: line.colour, "stroke-width": 2.5 })
          : drawn("path", { d: `M${x - r},${y - r}L${x + r},${y + r}M${x - r},${y + r}L${x + r},${y - r}`,
              stroke: line.colour, "stroke-width": 3 });
        mark.append(drawn("title", {}, `${line.name}: ${what}`));
        svg.append(mark);
      }
    }
    cursor = drawn("line", { y1: TOP, y2: HEIGHT - FOOT, stroke: "currentColor", "stroke-width": 1.5 });
    dots = chart.series.map((line) => drawn("circle", { r: 5, fill: line.colour }));
    numbers = chart.series.map(() => drawn("text", { ...text, "font-weight": 700, stroke:
      "var(--st-background-color)", "stroke-width": 4, "paint-order": "stroke" }));
    svg.append(cursor, ...dots, ...numbers);
  }

  function move(frame) {
    // what a screen reader says: the chart, where the cursor stands, and every line's value there
    svg.setAttribute("aria-label", `${chart.title}; ${reel.labels[frame]}: ` + chart.series.map((line) =>
      `${line.name} ${written(line.y[frame], chart.share)}`).join(", "));
    if (!width) return;
    const x = px(reel.x[frame]), right = x < width - 90;
    cursor.setAttribute("x1", x);
    cursor.setAttribute("x2", x);
    // numbers keep 14 px between them, the higher value above, and all stay above the axis
    const known = chart.series.map((line) => line.y[frame] !== null);  // where there is a value yet
    dots.forEach((dot, i) => { dot.style.display = numbers[i].style.display = known[i] ? "" : "none"; });
    const order = chart.series.map((line, i) => [py(line.y[frame]), i]).filter(([, i]) => known[i])
      .sort((a, b) => a[0] - b[0]);
    let before = -Infinity, below = HEIGHT - FOOT - 4;
    const heights = order.map(([y]) => (before = Math.max(y - 5, before + 14, 12)));
    for (let k = heights.length - 1; k >= 0; k--) {
      heights[k] = Math.min(heights[k], below);
      below = heights[k] - 14;
    }
    for (const [k, [y, i]] of order.entries()) {
      const at = heights[k];
      dots[i].setAttribute("cx", x);
      dots[i].setAttribute("cy", y);
      numbers[i].setAttribute("x", right ? x + 9 : x - 9);
      numbers[i].setAttribute("y", at);
      numbers[i].setAttribute("text-anchor", right ? "start" : "end");
      const name = chart.series.length > 1 ? chart.series[i].name[0] + " " : "";
      numbers[i].textContent = name + written(chart.series[i].y[frame], chart.share);
    }
  }

  function pick(event) {
    const box = svg.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT);
    const wanted = first + share * (last - first);
    let best = 0;
    reel.x.forEach((v, k) => { if (Math.abs(v - wanted) < Math.abs(reel.x[best] - wanted)) best = k; });
    show(best);
  }
  svg.onpointerdown = (event) => { svg.setPointerCapture(event.pointerId); pick(event); };
  svg.onpointermove = (event) => { if (event.buttons) pick(event); };
  return { svg, draw, move };
}

// What one model says, before and now, and the sentence with its words as dark as their δ is long.
function headOf(panel, reel) {
  const box = node("div", "head"), says = node("div", "says"), text = node("div", "text");
  if (Math.max(...panel.said.map((s) => s.length)) > 30) says.classList.add("long");
  box.append(node("div", "name", panel.name), says);
  if (panel.event) box.append(node("div", "", panel.event));
  const stages = panel.stages ? stagesOf(panel, reel) : null;
  if (stages) box.insertBefore(stages.box, says);
  const ball = panel.ball ? ballOf(panel, reel) : null;
  if (ball) box.insertBefore(ball.svg, says);
  const chips = panel.chips ? chipsOf(panel, reel) : null;
  if (chips) box.append(chips.box);
  if (panel.beside) {
    const beside = node("div", "beside", panel.beside);
    beside.dir = "auto";
    box.append(beside);
  }
  text.dir = "auto";
  const spans = panel.spans ? spansOf(panel, reel) : null;
  const marks = (panel.text || []).map(([piece, t], i) => {
    const kind = t < 0 ? "" : panel.fixed[t] === reel.texts.shielded ? "piece shielded" : "piece";
    const mark = node("span", kind, piece);
    text.append(spans ? spans.around(mark, i) : mark);
    return [mark, t];
  }).filter(([, t]) => t >= 0);
  if (spans) text.classList.add("spans");
  if (panel.text) box.append(text);
  if (spans) box.append(spans.legend);

  function move(frame, mode) {
    const now = panel.said[frame], flipped = panel.flipped && panel.flipped[frame];
    says.replaceChildren(panel.before && now !== panel.before ? `${unbroken(panel.before)} → ` : "",
      node("span", flipped ? "flipped" : "", unbroken(now)));
    for (const [mark, t] of marks) {
      const length = panel.bars[mode.key][frame][t], share = Math.min(Math.abs(length) / mode.full, 1);
      mark.style.background = `color-mix(in srgb, ${panel.colour} ${Math.round(60 * share)}%, transparent)`;
      mark.title = panel.fixed[t] || `${mode.title} ${alike(length, mode)}`;
    }
    if (stages) stages.move(frame);
    if (ball) ball.move(frame);
    if (chips) chips.move(frame);
    if (spans) spans.move(frame);
  }
  return { box, move };
}

// What a method goes through, with the stage of this frame lit.
function stagesOf(panel, reel) {
  const found = panel.stages, box = node("ol", "stages");
  const items = found.names.map((name, i) => {
    const item = node("li", found.has[i] ? "stage" : "stage none"), count = node("span", "count");
    item.append(node("span", "", name), count);
    if (!found.has[i]) item.title = reel.words.none;
    box.append(item);
    return { item, count };
  });
  box.setAttribute("aria-label", panel.name);
  function move(frame) {
    items.forEach(({ item, count }, i) => {
      const lit = i === found.lit[frame];
      item.classList.toggle("lit", lit);
      item.style.borderColor = item.style.boxShadow = "";
      if (lit) {
        item.setAttribute("aria-current", "step");
        item.style.borderColor = panel.colour;
        item.style.boxShadow = `inset 0 0 0 2px ${panel.colour}`;
      } else item.removeAttribute("aria-current");
      count.textContent = lit && found.count[frame] ? ` ${found.count[frame]}` : "";
    });
  }
  return { box, move };
}

// δ of one text seen from the centre of its ball; a step that leaves the ball, and the way back.
function ballOf(panel, reel) {
  const { points, upto, said, nothing, reach } = panel.ball, R = 92 / reach;
  const svg = drawn("svg", { class: "ball", role: "img", viewBox: "-100 -100 200 200" });
  const at = ([radius, angle]) => [R * radius * Math.cos(angle), -R * radius * Math.sin(angle)];
  svg.append(
    drawn("circle", { r: R, fill: "currentColor", "fill-opacity": 0.07, stroke: "currentColor",
      "stroke-opacity": 0.6, "stroke-width": 1.5 }),
    drawn("path", { d: "M-4,0H4M0,-4V4", stroke: "currentColor", "stroke-opacity": 0.6 }),
    drawn("text", { x: 0, y: R - 6, "font-size": 13, fill: "currentColor", "text-anchor": "middle" }, "ε"),
  );
  const parts = points.map((point, k) => {
    const [x, y] = at(point), back = point[2] === "projection";
    const [x0, y0] = k ? at(points[k - 1]) : [0, 0];
    const line = drawn("line", { x1: x0, y1: y0, x2: x, y2: y, stroke: back ? "currentColor" : panel.colour,
      "stroke-width": back ? 2 : 3, "stroke-dasharray": back ? "3 3" : "" });
    const dot = drawn("circle", { cx: x, cy: y, r: 4, fill: panel.colour });
    svg.append(line, dot);
    return { line, dot };
  });
  function move(frame) {
    const n = upto[frame];
    parts.forEach(({ line, dot }, k) => {
      line.style.display = dot.style.display = k < n ? "" : "none";
      dot.setAttribute("r", k === n - 1 ? 7 : 3);
      dot.setAttribute("fill-opacity", k === n - 1 ? 1 : 0.5);
    });
    svg.setAttribute("aria-label", `${panel.name}, ${reel.words.ball}: ${n ? said[n - 1] : nothing}`);
  }
  return { svg, move };
}

// Above each token its chance to end the answer, below to begin it; the answer framed.
function spansOf(panel, reel) {
  const found = panel.spans, tokens = [], [known, last] = found.known, [first, end] = found.clean;
  function around(mark, i) {
    const k = found.at[i];
    if (k < 0) return mark;
    const whole = node("span", "token2"), over = node("span", "over"), under = node("span", "under");
    over.style.background = reel.bars[0];
    under.style.background = reel.bars[1];
    if (known >= 0 && known <= k && k <= last) mark.classList.add("known");
    whole.append(over, mark, under);
    tokens[k] = { whole, mark, over, under };
    return whole;
  }
  const legend = node("div", "legend");
  for (const [colour, what] of [[reel.bars[0], reel.texts.above], [reel.bars[1], reel.texts.below]]) {
    const entry = node("span"), sample = node("i", "sample");
    sample.style.background = colour;
    entry.append(sample, node("span", "", what));
    legend.append(entry);
  }
  for (const name of ["framed", "dashed", "underlined", "shaded"]) legend.append(node("span", "", reel.texts[name]));
  function move(frame) {
    const [from, to] = found.answer[frame];
    tokens.forEach((token, k) => {
      const begins = found.start[frame][k], ends = found.end[frame][k];
      token.over.style.transform = `scaleY(${ends})`;
      token.under.style.transform = `scaleY(${begins})`;
      token.whole.title = `p(start) ${written(begins, true)}, p(end) ${written(ends, true)}`;
      const said = from >= 0 && from <= k && k <= to;
      token.mark.classList.toggle("answer", said);
      token.mark.classList.toggle("was", !said && first >= 0 && first <= k && k <= end);
    });
  }
  return { around, legend, move };
}

// What is written, token by token, under what was written without δ.
function chipsOf(panel, reel) {
  const box = node("div", "written"), row = node("div", "chips");
  row.dir = "auto";
  box.append(row, node("div", "note", filled(reel.texts.chips, { n: reel.darkest })));
  const shown = (piece) => (piece === null ? node("span", "", "\u00a0")
    : piece === "" ? node("em", "", reel.texts.end) : node("span", "", piece));
  function move(frame) {
    row.replaceChildren(...panel.chips[frame].map(([before, now, nats, joined, first]) => {
      const changed = before !== now;
      const whole = node("span", joined ? "chip joined" : "chip"), ghost = node("span", "ghost");
      if (first) ghost.append(node("b", "first", "▼"));
      const was = shown(before);
      if (changed && before !== null) was.className = "struck";
      ghost.append(was);
      const body = node("span", changed ? "body changed" : "body");
      body.append(shown(now));
      const share = Math.min((nats || 0) / reel.darkest, 1);
      body.style.background = `rgba(128, 128, 128, ${(0.55 * share).toFixed(3)})`;
      whole.append(ghost, body, node("span", "nats", nats === null ? "" : nats.toFixed(2)));
      return whole;
    }));
  }
  return { box, move };
}

// The bars of one model.
function panelOf(panel, reel) {
  const box = node("div", "panel");
  box.append(node("div", "name", panel.name));
  if (panel.tokens.length > 30) {  // long texts scroll, so that what stands below is found
    box.classList.add("tall");
    box.tabIndex = 0;
  }
  const rows = panel.tokens.map((token, t) => {
    const row = node("div", "row"), fill = node("div", "fill"), value = node("span", "value");
    const track = node("div", "track");
    row.append(node("span", "token", token), track, value);
    const noise = panel.noise && !panel.fixed[t] ? node("div", "noise") : null;
    if (noise) track.append(noise);
    track.append(fill);
    if (panel.fixed[t]) {
      fill.classList.add("off");
      value.textContent = panel.fixed[t];
    } else fill.style.background = panel.colour;
    box.append(row);
    return { fill, value, noise };
  });
  if (panel.left_out) box.append(node("div", "note", filled(reel.texts.left_out, { n: panel.left_out })));

  function move(frame, mode) {
    const values = panel.bars[mode.key][frame];
    rows.forEach((row, t) => {
      if (panel.fixed[t]) return;
      row.fill.style.transform = `scaleX(${Math.min(Math.abs(values[t]) / mode.full, 1)})`;
      row.fill.style.opacity = values[t] < 0 ? 0.4 : "";
      if (row.noise) {
        const grown = mode.key === "share" ? 1 : panel.grown[frame];
        const [low, high] = panel.noise[mode.key][t].map((v) => Math.min((v * grown) / mode.full, 1));
        row.noise.style.left = `${100 * low}%`;
        row.noise.style.width = `max(2px, ${100 * (high - low)}%)`;
        const [least, most] = panel.noise[mode.key][t].map((v) => written(v * grown, mode.share));
        row.noise.title = filled(reel.texts.noise, { low: least, high: most });
      }
      const other = panel.nearest ? panel.nearest[frame][t] : "";
      row.value.textContent = alike(values[t], mode) + (other ? ` → ${other}` : "");
      row.value.classList.toggle("moved", Boolean(other));
    });
  }
  return { box, move };
}

// What each model says, and of a written answer its tokens, from `y` on; the end of it.
function headsOf(whole, reel, frame, width, y) {
  const pen = document.createElement("canvas").getContext("2d");
  const family = whole.getAttribute("font-family");
  const put = (text, x, size, more) => whole.append(drawn("text", { x, y, "font-size": size, ...more }, text));
  const long = (text, size) => { pen.font = `${size}px ${family}`; return pen.measureText(text).width; };
  for (const panel of reel.panels) {
    y += 26;
    put(panel.name, 4, 13, { "font-weight": 700 });
    y += 20;
    put(panel.said[frame], 4, 15, { "font-weight": 700 });
    if (!panel.chips) continue;
    y += 26;
    let x = 4;
    for (const [before, now, nats, joined, first] of panel.chips[frame]) {
      const [was, is] = [before, now].map((piece) => (piece === "" ? reel.texts.end : piece || ""));
      const room = Math.max(long(is, 14) + 12, long((first ? "▼ " : "") + was, 11));
      if (x > 4 && x + room > width) { x = 4; y += 58; }
      if (x > 4 && !joined) x += 5;
      const middle = { "text-anchor": "middle" }, at = x + room / 2, changed = before !== now;
      whole.append(drawn("rect", { x, y: y + 4, width: room, height: 22, rx: 5, fill: "#808080",
        "fill-opacity": (0.55 * Math.min((nats || 0) / reel.darkest, 1)).toFixed(3),
        stroke: changed ? FLIPS : "#808080", "stroke-width": changed ? 2 : 1 }));
      put((first ? "▼ " : "") + was, at, 11, { ...middle, "text-decoration": changed && was ? "line-through" : "none" });
      y += 20;
      put(is, at, 14, { ...middle, "font-weight": changed ? 700 : 400 });
      y += 18;
      put(nats === null ? "" : nats.toFixed(2), at, 10, middle);
      y -= 38;
      x += room;
    }
    y += 40;
  }
  return y;
}

// What is said, the charts and bars at a frame as one drawing: colours and font written out, text as text.
function saved(root, reel, frame) {
  const style = getComputedStyle(root), colour = style.color, width = root.clientWidth;
  const whole = drawn("svg", { xmlns: SVG, width, "font-family": style.fontFamily, "font-size": 13,
    fill: colour, color: colour });
  const back = drawn("rect", { width: "100%", height: "100%",
    fill: style.getPropertyValue("--st-background-color").trim() || "#ffffff" });
  whole.append(back);
  let y = 22;
  const write = (text, x, more) => whole.append(drawn("text", { x, y, ...more }, text));
  write(reel.labels[frame], 4, { "font-weight": 700 });
  y = headsOf(whole, reel, frame, width, y);
  root.querySelectorAll("svg.chart").forEach((chart, i) => {
    y += 24;
    write(reel.charts[i].title, 4, { "font-weight": 700 });
    const copy = chart.cloneNode(true);
    copy.setAttribute("y", y + 4);
    copy.setAttribute("width", width);
    copy.querySelectorAll("[stroke^='var(']").forEach((n) => n.setAttribute("stroke", back.getAttribute("fill")));
    whole.append(copy);
    y += HEIGHT + 4;
  });
  for (const line of reel.charts[0].series) {
    y += 20;
    whole.append(drawn("line", { x1: 4, x2: 32, y1: y - 4, y2: y - 4, stroke: line.colour, "stroke-width": 2.5,
      "stroke-dasharray": line.dash }));
    write(line.name, 40, {});
  }
  for (const note of reel.notes || []) {
    y += 20;
    write(note, 4, {});
  }
  root.querySelectorAll(".panel").forEach((panel) => {
    y += 28;
    write(panel.querySelector(".name").textContent, 4, { "font-weight": 700 });
    panel.querySelectorAll(".row").forEach((row) => {
      y += 20;
      const left = 130, room = Math.max(width - left - 150, 60), fill = row.querySelector(".fill");
      write(row.querySelector(".token").textContent, left - 8, { "text-anchor": "end" });
      const grey = row.querySelector(".noise");
      if (grey) whole.append(drawn("rect", { x: left + (room * parseFloat(grey.style.left)) / 100, y: y - 11,
        width: Math.max(2, (room * parseFloat(grey.style.width.split(",")[1] || "0")) / 100), height: 14,
        fill: "#808080", "fill-opacity": 0.45 }));
      const share = /scaleX\(([^)]+)\)/.exec(fill.style.transform);
      if (share) whole.append(drawn("rect", { x: left, y: y - 9, width: room * Number(share[1]), height: 10,
        fill: fill.style.background }));
      write(row.querySelector(".value").textContent, left + room + 8, {});
    });
  });
  whole.setAttribute("height", y + 14);
  whole.setAttribute("viewBox", `0 0 ${width} ${y + 14}`);
  const url = URL.createObjectURL(new Blob([new XMLSerializer().serializeToString(whole)],
    { type: "image/svg+xml" }));
  const link = node("a");
  link.href = url;
  link.download = `advlab-${reel.control === "ε" ? "eps" : reel.control}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const stood = new Map();  // reel -> frame and mode, for when a tab is left and opened again

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector("#player");
  if (!root) return;
  // sliders are drawn for a light page unless told otherwise; light letters stand on a dark one
  const [red, green, blue] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
  root.style.colorScheme = red + green + blue > 384 ? "dark" : "light";
  const awaited = new Set(data.awaited || []);  // frames that a lesson waits for: told once
  const texts = data.texts, reel = { ...data.reel, texts }, F = reel.x.length;
  const before = stood.get(data.key);  // drawn again, or its tab opened again: stay where we are
  root.dataset.key = data.key;
  if (root.stop) root.stop();
  // a lesson that waits for a frame begins before all of them
  let frame = before ? before.frame : data.awaited ? 0 : Math.min(reel.start, F - 1), timer = null;
  let mode = reel.modes.find((m) => before && m.key === before.mode) || reel.modes[0];

  const bar = node("div", "bar"), now = node("div", "now");
  now.setAttribute("aria-live", "off");
  const play = node("button", "", texts.play), back = node("button", "", "◀"), next = node("button", "", "▶");
  back.setAttribute("aria-label", filled(texts.back, { control: reel.control }));
  next.setAttribute("aria-label", filled(texts.on, { control: reel.control }));
  const range = node("input");
  Object.assign(range, { type: "range", min: 0, max: F - 1, step: 1, value: frame });
  range.setAttribute("aria-label", reel.control);
  const save = node("button", "", texts.save);
  save.title = texts.saved;
  save.onclick = () => saved(root, reel, frame);
  bar.append(back, range, next, play);
  let pace = reel.pace || 220;
  if (reel.speeds && reel.speeds.length) bar.append(...pacing());
  bar.append(save);

  const charts = reel.charts.map((chart) => chartOf(chart, reel, (f) => show(f)));
  const panels = reel.panels.map((panel) => panelOf(panel, reel));
  const heads = reel.panels.map((panel) => headOf(panel, reel)), top = node("div", "panels");
  top.append(...heads.map((head) => head.box));
  const legend = node("div", "legend");
  for (const line of reel.charts[0].series) {
    const entry = node("span"), sample = drawn("svg", { width: 28, height: 10 });
    sample.append(drawn("line", { x1: 0, x2: 28, y1: 5, y2: 5, stroke: line.colour, "stroke-width": 2.5,
      "stroke-dasharray": line.dash }));
    entry.append(sample, node("span", "", line.name));
    legend.append(entry);
  }
  const hint = [];
  const bands = reel.charts.some((c) => c.series.some((s) => s.low));
  if (reel.notes && reel.notes.length) hint.push(...reel.notes);
  else if (bands) hint.push(texts.bands);
  const marks = reel.charts.flatMap((c) => c.series.flatMap((s) => (s.marks || []).map((m) => m[1])));
  if (marks.includes("flips")) hint.push(`✕ ${texts.flips}`);
  if (marks.includes("kept")) hint.push(`○ ${texts.kept}`);
  if (hint.length) legend.append(node("span", "", hint.join(" · ")));
  const modes = node("div", "bar"), full = node("span", "note");
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", texts.modes);
  const choices = reel.modes.map((m) => {
    const button = node("button", "", m.title);
    button.type = "button";
    button.onclick = () => { mode = m; show(frame); };
    modes.append(button);
    return button;
  });
  modes.append(full);
  const grid = node("div", "panels");
  grid.append(...panels.map((p) => p.box).filter((box, i) => reel.panels[i].tokens.length));
  const slow = Boolean(reel.speeds && reel.speeds.length);  // the controls stay in sight above what they move
  const whole = node("div", "above");
  whole.append(bar, now);
  for (const place of [top, grid]) place.classList.toggle("many", reel.panels.length > 3);
  root.replaceChildren(...(slow ? [whole, top] : [top, now, bar]), ...charts.flatMap((c, i) =>
    [node("div", "title", reel.charts[i].title), c.svg]), legend, modes, grid);

  // back to the start, and how fast it plays
  function pacing() {
    const reset = node("button", "", "|◀"), speed = node("select");
    reset.setAttribute("aria-label", reel.words.reset);
    reset.title = reel.words.reset;
    reset.onclick = () => { stop(); show(0); };
    speed.setAttribute("aria-label", reel.words.speed);
    for (const s of reel.speeds) speed.append(new Option(`${s} ×`, s));
    speed.value = String((before && before.speed) || 1);
    const chosen = () => { pace = reel.pace / Number(speed.value); };
    speed.onchange = () => { chosen(); show(frame); if (timer) { stop(); run(); } };
    chosen();
    root.speed = () => Number(speed.value);
    return [reset, speed];
  }

  function show(f) {
    frame = Math.max(0, Math.min(F - 1, f));
    stood.delete(data.key);
    stood.set(data.key, { frame, mode: mode.key, speed: slow ? root.speed() : 1 });
    if (stood.size > 50) stood.delete(stood.keys().next().value);
    range.value = frame;
    range.setAttribute("aria-valuetext", reel.labels[frame]);
    now.textContent = reel.labels[frame];
    charts.forEach((c) => c.move(frame));
    heads.forEach((h) => h.move(frame, mode));
    panels.forEach((p) => p.move(frame, mode));
    choices.forEach((b, i) => b.setAttribute("aria-pressed", String(reel.modes[i] === mode)));
    full.textContent = `${texts.full} ${written(mode.full, mode.share)} ${mode.unit}`;
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = texts.play;
  }
  // told when the hand rests, so that nothing is drawn anew under it
  function tell() {
    if (!awaited.has(frame)) return;
    awaited.clear();
    setTriggerValue("reached", frame);
  }
  range.oninput = () => { stop(); show(Number(range.value)); };
  range.onchange = tell;
  for (const chart of charts) chart.svg.addEventListener("pointerup", tell);
  back.onclick = () => { stop(); show(frame - 1); tell(); };
  next.onclick = () => { stop(); show(frame + 1); tell(); };
  function run() {
    play.textContent = texts.pause;
    timer = setInterval(() => { if (frame === F - 1) { stop(); tell(); } else show(frame + 1); },
      calm() ? Math.max(pace, 1000) : pace);
  }
  play.onclick = () => {
    if (timer) { stop(); tell(); return; }
    if (frame === F - 1) show(0);
    run();
  };
  root.stop = stop;
  const watch = new ResizeObserver(() => {
    const width = root.clientWidth;
    if (!width) return;
    charts.forEach((c) => { c.draw(width); c.move(frame); });
  });
  watch.observe(root);
  show(frame);
  return () => { stop(); watch.disconnect(); };
}
