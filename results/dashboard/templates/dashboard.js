/* SPDX-License-Identifier: GPL-2.0-only */
// Search, filters, zoom and comparing; everything else is there without them.
// What is chosen stands behind the # of the address: that works for files, too, and can be sent to others.
const chosen = () => new URLSearchParams(location.hash.slice(1));

function remember(values) {
  const kept = new URLSearchParams(Object.entries(values).filter(([, value]) => value));
  history.replaceState(null, "", "#" + kept);
}

for (const form of document.querySelectorAll(".filters")) {
  const area = document.getElementById(form.dataset.for);
  const rows = [...area.querySelectorAll("tbody tr[data-simulated], tbody tr[data-pairs], [data-row]")];
  const texts = rows.map(row => row.textContent.toLowerCase());
  const fields = [...form.elements].filter(field => field.name);

  function fits(row, field) {
    return !field.value || (row.dataset[field.name] ?? "").split("|").includes(field.value);
  }
  function filter() {
    const values = Object.fromEntries(fields.map(field => [field.name, field.value]));
    const words = values.q.toLowerCase().split(/\s+/).filter(Boolean);
    const pair = values.architecture && values.change ? `${values.architecture}=${values.change}` : "";
    let shown = 0;
    rows.forEach((row, place) => {
      const ok = words.every(word => texts[place].includes(word)) && fields.slice(1).every(field => fits(row, field))
        && (!pair || (row.dataset.pairs ?? "").split("|").includes(pair));
      row.hidden = !ok;
      shown += ok;
    });
    form.querySelector("output").textContent = `${shown} of ${rows.length}`;
    return values;
  }
  function take() {
    for (const field of fields) field.value = chosen().get(field.name) ?? "";
    filter();
  }
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("input", () => remember(filter()));
  addEventListener("hashchange", take);
  take();
}

for (const box of document.querySelectorAll(".ends")) box.scrollLeft = box.scrollWidth;

// All charts of the same nights have one range of time and one cursor.
const charts = {};
for (const figure of document.querySelectorAll(".chart")) (charts[figure.dataset.nights] ??= []).push(figure);
for (const [days, figures] of Object.entries(charts)) {
  const nights = days.split(" ");
  const parts = figures.map(figure => {
    const plot = figure.querySelector(".plot");
    const cursor = plot.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    cursor.setAttribute("class", "cursor");
    const output = figure.appendChild(document.createElement("output"));
    const curves = [...plot.querySelectorAll(".curve:not(.of-base)")].map(curve => [...curve.querySelectorAll(".dot")]
      .map(dot => ({ x: parseFloat(dot.getAttribute("d").slice(1)), words: dot.textContent })));
    return { figure, plot, cursor, output, curves };
  });
  const [, , width, height] = parts[0].plot.getAttribute("viewBox").split(" ").map(Number);
  let from = 0, size = width;
  function show(start, length) {
    size = Math.min(width, Math.max(width / nights.length * 3, length));
    from = Math.min(width - size, Math.max(0, start));
    const at = x => nights[Math.min(nights.length - 1, Math.max(0, Math.floor(x / width * nights.length)))];
    for (const { figure, plot } of parts) {
      plot.setAttribute("viewBox", `${from} 0 ${size} ${height}`);
      figure.querySelector(".from").textContent = at(from + 1);
      figure.querySelector(".to").textContent = at(from + size - 1);
    }
  }
  function point(x) {
    for (const { cursor, output, curves } of parts) {
      const nearest = curves.filter(dots => dots.length).map(dots =>
        dots.reduce((best, dot) => Math.abs(dot.x - x) < Math.abs(best.x - x) ? dot : best));
      cursor.setAttribute("d", `M${x} 0V${height}`);
      output.textContent = nearest.map(dot => dot.words).join(" · ");
    }
  }
  const zoom = (by, middle = from + size / 2) => show(middle - (middle - from) * by, size * by);
  const bar = document.createElement("div");
  bar.className = "zoom";
  for (const [name, act] of [["Zoom in", () => zoom(.5)], ["Zoom out", () => zoom(2)], ["Earlier", () => show(from - size / 2, size)],
    ["Later", () => show(from + size / 2, size)], ["Whole", () => show(0, width)]]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", act);
    bar.append(button);
  }
  const first = figures[0].closest("article") ?? figures[0];
  if (nights.length > 3) first.before(bar);
  for (const { plot } of parts) {
    const at = event => {
      const frame = plot.getBoundingClientRect();
      return from + (event.clientX - frame.left) / frame.width * size;
    };
    plot.addEventListener("pointermove", event => point(at(event)));
    plot.addEventListener("wheel", event => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? .8 : 1.25, at(event));
    }, { passive: false });
  }
}

const states = document.getElementById("states");
if (states) {
  const { runs, tests, words } = JSON.parse(states.textContent);
  const form = document.querySelector(".compare");
  const [a, b] = [form.elements.a, form.elements.b];
  for (const run of runs) for (const box of [a, b]) box.add(new Option(run.name, run.name));
  const of = box => runs.find(run => run.name === box.value);
  const cell = (parent, text, href, stop = false) => {
    const part = parent.insertCell();
    const inner = href ? part.appendChild(document.createElement("a")) : part;
    if (href) inner.href = href;
    if (href && !stop) inner.tabIndex = -1;
    inner.textContent = text;
  };
  function compare() {
    const [one, other] = [of(a), of(b)];
    const body = document.querySelector("#differences tbody");
    body.replaceChildren();
    const answer = document.getElementById("compared");
    if (!one || !other) { answer.textContent = "Choose two runs."; return; }
    if (one.line !== other.line) { answer.textContent = "These are of different series or trees: there is nothing to compare."; return; }
    const say = letter => letter === " " ? "not there" : `${words[letter][1]} ${words[letter][0]}`;
    let same = 0;
    tests[one.line].forEach(([name, arch, page], place) => {
      if (one.states[place] === other.states[place]) { same += one.states[place] !== " "; return; }
      const row = body.insertRow();
      cell(row, name, page, true);
      cell(row, arch);
      cell(row, say(one.states[place]), one.page);
      cell(row, say(other.states[place]), other.page);
    });
    document.getElementById("differences").hidden = !body.rows.length;
    answer.textContent = `${body.rows.length} differ, ${same} are the same.`;
  }
  function take() {
    a.value = chosen().get("a") ?? runs[1]?.name ?? runs[0]?.name ?? "";
    b.value = chosen().get("b") ?? runs[0]?.name ?? "";
    compare();
  }
  const changed = () => { compare(); remember({ a: a.value, b: b.value }); };
  form.addEventListener("change", changed);
  form.querySelector("button").addEventListener("click", () => { [a.value, b.value] = [b.value, a.value]; changed(); });
  addEventListener("hashchange", take);
  take();
}
