const SVG = "http://www.w3.org/2000/svg", W = 300, H = 190, PAD = 26;
const drawn = new Map();  // sketch -> its values, for when the page is drawn again

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  const root = parentElement.querySelector("#sketch");
  if (!root || root.dataset.key === data.key) return;
  // sliders are drawn for a light page unless told otherwise; light letters stand on a dark one
  const [red, green, blue] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
  root.style.colorScheme = red + green + blue > 384 ? "dark" : "light";
  root.dataset.key = data.key;
  const n = data.at.length, { low, high } = data;
  const values = drawn.get(data.key) || Array(n).fill((low + high) / 2);
  const node = (tag, more, text) => {
    const made = document.createElementNS(SVG, tag);
    for (const [k, v] of Object.entries(more)) made.setAttribute(k, v);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const x = (k) => PAD + ((W - 2 * PAD) * k) / (n - 1);
  const y = (v) => PAD / 2 + (H - PAD) * (high - v) / (high - low);
  const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, "aria-hidden": "true" });
  const line = node("polyline", { fill: "none", stroke: "currentColor", "stroke-width": 3 });
  const dots = values.map(() => node("circle", { r: 6, fill: "currentColor" }));
  for (const v of [low, (low + high) / 2, high]) {
    svg.append(node("line", { x1: 0, x2: W, y1: y(v), y2: y(v), stroke: "currentColor", "stroke-opacity": 0.2 }),
      node("text", { x: 2, y: y(v) - 3, "font-size": 11, fill: "currentColor" }, String(Number(v.toPrecision(3)))));
  }
  svg.append(line, ...dots);
  const hands = document.createElement("div");
  hands.className = "hands";
  const inputs = data.at.map((name, k) => {
    const label = document.createElement("label"), input = document.createElement("input");
    label.append(input, document.createTextNode(name));
    Object.assign(input, { type: "range", min: low, max: high, step: (high - low) / 100, value: values[k] });
    input.disabled = data.off;
    input.oninput = () => { values[k] = Number(input.value); show(); };
    input.onchange = send;
    hands.append(label);
    return input;
  });
  function show() {
    line.setAttribute("points", values.map((v, k) => `${x(k)},${y(v)}`).join(" "));
    values.forEach((v, k) => {
      dots[k].setAttribute("cx", x(k));
      dots[k].setAttribute("cy", y(v));
      inputs[k].value = v;
    });
    drawn.set(data.key, values);
  }
  function send() { setStateValue("curve", values.map((v) => Number(v.toPrecision(4)))); }
  function pick(event) {
    if (data.off) return;
    const box = svg.getBoundingClientRect();
    const k = Math.round(((event.clientX - box.left) / box.width * W - PAD) / (W - 2 * PAD) * (n - 1));
    const v = high - ((event.clientY - box.top) / box.height * H - PAD / 2) / (H - PAD) * (high - low);
    if (k >= 0 && k < n) values[k] = Math.min(high, Math.max(low, v));
    show();
  }
  svg.onpointerdown = (event) => { svg.setPointerCapture(event.pointerId); pick(event); };
  svg.onpointermove = (event) => { if (event.buttons) pick(event); };
  svg.onpointerup = send;
  root.replaceChildren(svg, hands);
  show();
}
