// Both views of a scan side by side, with one window, one zoom and one place for all of them.
import {colourTable, paint, readCounts} from "./windowing.js";

const VIEWS = [
  {name: "Anterior", left: "R", right: "L"},
  {name: "Posterior", left: "L", right: "R"}, // as seen from behind
];
const DARK = -10, HOT = 10; // tenths of a power of ten by which the second window ends lower or higher
const RIM_SHARE = 0.01, RIM = 0.02; // rows and columns with less of the fullest one's counts are empty rim
const SECOND_FACTOR = (step) => 10 ** (step / 20);
const byId = (id) => document.getElementById(id);

export class Viewer {
  constructor() {
    this.root = byId("views");
    this.counts = [];
    this.window = {lower: 0, upper: 1, curve: "linear", inverted: true};
    this.second = null; // or a step of the second window
    this.zoom = 1;
    this.offset = [0, 0]; // of the body's middle from the frame's, in frames of the first view
    this.smooth = true;
    this.#connect();
  }

  load({image, counts, body, highest}) {
    Object.assign(this, {image, counts, body, highest});
    this.reset();
  }

  clear() {
    this.counts = [];
    this.root.replaceChildren();
  }

  // The same first look for every case, whatever was chosen for the last one.
  reset() {
    if (!this.counts.length) return;
    this.window = {lower: 0, upper: this.image.window, curve: "linear", inverted: true};
    this.second = null;
    this.zoom = 1;
    this.offset = [0, 0];
    this.#build();
    this.#repaint();
  }

  settings() {
    const {lower, upper, curve, inverted} = this.window;
    const second = this.second === null ? 0 : SECOND_FACTOR(this.second);
    return {lower, upper, curve, inverted, second, zoom: Math.round(100 * this.zoom) / 100};
  }

  #build() {
    this.root.replaceChildren();
    this.canvases = [];
    for (const which of this.second === null ? [0] : [0, 1]) {
      VIEWS.forEach((view, index) => this.root.append(this.#frame(view, index, which)));
    }
    this.#place();
  }

  #frame(view, index, which) {
    const [rows, columns] = this.image.views[index];
    const frame = document.createElement("figure");
    frame.className = which ? "frame second" : "frame";
    const canvas = document.createElement("canvas");
    canvas.width = columns;
    canvas.height = rows;
    canvas.dataset.view = view.name.toLowerCase();
    canvas.dataset.window = which ? "second" : "first";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${view.name} view${which ? ", second window" : ""}`);
    this.canvases.push({canvas, index, which, frame});
    frame.append(canvas);
    for (const [place, text] of [["left", view.left], ["right", view.right], ["name", view.name]]) {
      const mark = document.createElement("span");
      mark.className = `side ${place}`;
      mark.textContent = place === "name" && which ? `${text}, ${this.second < 0 ? "dark" : "hot"}` : text;
      frame.append(mark);
    }
    return frame;
  }

  #windowOf(which) {
    if (!which) return this.window;
    const {lower, upper} = this.window;
    return {...this.window, upper: lower + Math.max(1, Math.round((upper - lower) * SECOND_FACTOR(this.second)))};
  }

  #repaint() {
    if (!this.counts.length) return;
    const tables = [colourTable(this.highest, this.#windowOf(0))];
    if (this.second !== null) tables.push(colourTable(this.highest, this.#windowOf(1)));
    for (const {canvas, index, which} of this.canvases) paint(canvas, this.counts[index], tables[which]);
    this.#showWindow();
  }

  // At zoom 1 every frame shows the whole body without the detector's empty rim; zoom and place are shared.
  #place() {
    if (!this.counts.length) return;
    for (const {canvas, index, frame} of this.canvases) {
      const {left, top, columns, rows} = this.body[index];
      const bar = frame.querySelector(".name").offsetHeight + 8; // the marks do not lie on the head
      const height = frame.clientHeight - bar;
      const fit = Math.min(frame.clientWidth / columns, height / (rows * this.image.aspect));
      const scale = fit * this.zoom;
      const x = frame.clientWidth / 2 - (left + columns / 2) * scale + this.offset[0] * frame.clientHeight;
      const y = bar + height / 2 - (top + rows / 2) * this.image.aspect * scale + this.offset[1] * frame.clientHeight;
      canvas.style.transform = `translate(${x}px, ${y}px) scale(${scale}, ${scale * this.image.aspect})`;
      canvas.classList.toggle("blocky", !this.smooth);
    }
    byId("zoom-value").textContent = `${Math.round(100 * this.zoom)} %`;
  }

  setWindow(change) {
    if (!this.counts.length) return;
    const next = {...this.window, ...change};
    next.lower = Math.round(Math.min(Math.max(0, next.lower), this.highest - 1));
    next.upper = Math.round(Math.max(next.lower + 1, Math.min(next.upper, Math.max(this.highest, this.image.window))));
    this.window = next;
    this.#repaint();
  }

  setSecond(step) {
    if (!this.counts.length) return;
    const frames = (this.second === null) !== (step === null) || Math.sign(step) !== Math.sign(this.second);
    this.second = step;
    if (frames) this.#build();
    this.#repaint();
  }

  nextDual() {
    this.setSecond(this.second === null ? DARK : this.second < 0 ? HOT : null);
  }

  setZoom(zoom, at = [0, 0]) {
    const next = Math.min(12, Math.max(0.5, zoom));
    const ratio = next / this.zoom;
    this.offset = this.offset.map((value, axis) => at[axis] + (value - at[axis]) * ratio);
    this.zoom = next;
    this.#place();
  }

  move(x, y) {
    this.offset = [this.offset[0] + x, this.offset[1] + y];
    this.#place();
  }

  stepUpper(direction) {
    const step = Math.max(1, Math.round(0.05 * this.window.upper));
    this.setWindow({upper: this.window.upper + direction * step});
  }

  stepLower(direction) {
    const step = Math.max(1, Math.round(0.02 * this.window.upper));
    const lower = Math.min(this.window.lower + direction * step, this.window.upper - 1);
    this.setWindow({lower});
  }

  toggleInverted() {
    this.setWindow({inverted: !this.window.inverted});
  }

  toggleSmooth() {
    this.smooth = !this.smooth;
    byId("smooth").setAttribute("aria-pressed", String(this.smooth));
    this.#place();
  }

  // A slider's 0 ... 1000 is logarithmic: bone lies far below a full bladder.
  #toSlider(counts) {
    return Math.round((1000 * Math.log1p(counts)) / Math.log1p(this.highest));
  }

  #fromSlider(place) {
    return Math.expm1((place / 1000) * Math.log1p(this.highest));
  }

  #showWindow() {
    const {lower, upper, curve, inverted} = this.window;
    byId("lower").value = this.#toSlider(lower);
    byId("upper").value = this.#toSlider(upper);
    for (const [id, value] of [["lower-number", lower], ["upper-number", upper]]) {
      if (document.activeElement !== byId(id)) byId(id).value = value;
    }
    const centre = (lower + upper + 1) / 2;
    byId("window-words").textContent = `centre ${centre}, width ${upper - lower + 1}; highest ${this.highest}`;
    for (const button of document.querySelectorAll("[data-curve]")) {
      button.setAttribute("aria-pressed", String(button.dataset.curve === curve));
    }
    byId("invert").setAttribute("aria-pressed", String(inverted));
    byId("views").classList.toggle("white-bone", !inverted);
    byId("dual").setAttribute("aria-pressed", String(this.second !== null));
    byId("second-level").hidden = this.second === null;
    byId("window-words").classList.toggle("yields", this.second !== null);
    if (this.second !== null) {
      byId("second").value = this.second;
      byId("second-number").textContent = `to ${this.#windowOf(1).upper}`;
    }
  }

  #connect() {
    byId("lower").addEventListener("input", (event) =>
      this.setWindow({lower: Math.min(this.#fromSlider(event.target.value), this.window.upper - 1)}));
    byId("upper").addEventListener("input", (event) => this.setWindow({upper: this.#fromSlider(event.target.value)}));
    byId("lower-number").addEventListener("change", (event) => {
      this.setWindow({lower: Math.min(Number(event.target.value), this.window.upper - 1)});
      event.target.value = this.window.lower;
    });
    byId("upper-number").addEventListener("change", (event) => {
      this.setWindow({upper: Number(event.target.value)});
      event.target.value = this.window.upper;
    });
    byId("second").addEventListener("input", (event) => this.setSecond(Number(event.target.value) || 1));
    for (const button of document.querySelectorAll("[data-curve]")) {
      button.addEventListener("click", () => this.setWindow({curve: button.dataset.curve}));
    }
    byId("dual").addEventListener("click", () => this.nextDual());
    byId("invert").addEventListener("click", () => this.toggleInverted());
    byId("smooth").addEventListener("click", () => this.toggleSmooth());
    byId("zoom-in").addEventListener("click", () => this.setZoom(this.zoom * 1.25));
    byId("zoom-out").addEventListener("click", () => this.setZoom(this.zoom / 1.25));
    byId("reset").addEventListener("click", () => this.reset());
    new ResizeObserver(() => this.#place()).observe(this.root);
    this.#connectMouse();
  }

  #connectMouse() {
    const root = this.root;
    root.addEventListener("contextmenu", (event) => event.preventDefault());
    root.addEventListener("wheel", (event) => {
      event.preventDefault();
      const frame = event.target.closest(".frame");
      if (!frame) return;
      const box = frame.getBoundingClientRect();
      const at = [
        (event.clientX - box.left - box.width / 2) / box.height,
        (event.clientY - box.top - box.height / 2) / box.height,
      ];
      this.setZoom(this.zoom * 1.0015 ** -event.deltaY, at);
    }, {passive: false});
    root.addEventListener("dblclick", () => {
      this.zoom = 1;
      this.offset = [0, 0];
      this.#place();
    });
    let drag = null;
    root.addEventListener("pointerdown", (event) => {
      drag = {x: event.clientX, y: event.clientY, window: this.window, offset: this.offset, moves: event.button > 0 || event.shiftKey};
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointerup", () => { drag = null; });
    root.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
      if (drag.moves) {
        const height = root.querySelector(".frame").clientHeight;
        this.offset = [drag.offset[0] + x / height, drag.offset[1] + y / height];
        this.#place();
      } else if (Math.abs(x) + Math.abs(y) > 2) {
        // Brighter or darker by the share of the window that was drawn over.
        const {lower, upper} = drag.window;
        this.setWindow({upper: upper * 1.006 ** -x, lower: Math.min(lower - (y * upper) / 400, upper - 1)});
      }
    });
  }
}

// Everything that is worked out from a scan before it is shown; done ahead of time for the next case.
export function decode(image, buffer) {
  let start = 0;
  const counts = image.views.map(([rows, columns]) => {
    const view = readCounts(buffer, start, rows * columns);
    start += rows * columns;
    return view;
  });
  const sums = counts.map((view, index) => profiles(view, ...image.views[index]));
  return {image, counts, body: bodyBox(sums), highest: Math.max(1, ...sums.map((one) => one.highest))};
}

function profiles(counts, rows, columns) {
  const [ofRow, ofColumn] = [new Float64Array(rows), new Float64Array(columns)];
  let highest = 0;
  for (let row = 0, place = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, place++) {
      const value = counts[place];
      ofRow[row] += value;
      ofColumn[column] += value;
      if (value > highest) highest = value;
    }
  }
  return {ofRow, ofColumn, highest};
}

// The smallest box around both bodies, one size for both views, so that they are drawn alike.
function bodyBox(sums) {
  const boxes = sums.map(({ofRow, ofColumn}) => ({...span(ofRow, "top", "rows"), ...span(ofColumn, "left", "columns")}));
  const columns = Math.max(...boxes.map((box) => box.columns));
  const top = Math.min(...boxes.map((box) => box.top)); // one for both: the views stand at one height
  const rows = Math.max(...boxes.map((box) => box.top + box.rows)) - top;
  return boxes.map((box) => ({left: box.left + (box.columns - columns) / 2, top, columns, rows}));
}

function span(profile, first, length) {
  const least = RIM_SHARE * profile.reduce((a, b) => Math.max(a, b), 0);
  const inside = (value) => value > least;
  const from = Math.max(0, profile.findIndex(inside));
  const to = profile.length - 1 - Math.max(0, profile.slice().reverse().findIndex(inside));
  const rim = RIM * profile.length;
  return {[first]: from - rim, [length]: to - from + 1 + 2 * rim};
}
