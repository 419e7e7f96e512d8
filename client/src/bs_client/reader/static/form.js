// What the reader enters: score, call and comment, by mouse or by keys.
const byId = (id) => document.getElementById(id);
const DIGITS_MS = 1200; // digits typed within this time are one number

export class Form {
  constructor(onChange) {
    this.onChange = onChange;
    this.score = null;
    this.digits = "";
    for (const radio of document.querySelectorAll("[name=call]")) radio.addEventListener("change", onChange);
    byId("comment").addEventListener("input", onChange);
  }

  // The scale is built once, from what the protocol says.
  build({lowest, highest, levels}) {
    if (this.lowest !== undefined) return;
    [this.lowest, this.highest, this.levels] = [lowest, highest, levels];
    if (levels) this.#buildLevels(levels);
    else this.#buildPercent();
  }

  #buildPercent() {
    const range = document.createElement("input");
    Object.assign(range, {type: "range", id: "score-range", min: 0, max: 100, step: 1});
    range.setAttribute("aria-label", "Likelihood of bone metastasis, 0 to 100");
    const number = document.createElement("input");
    Object.assign(number, {type: "number", id: "score-number", min: 0, max: 100, step: 1, placeholder: "-"});
    number.setAttribute("aria-label", "Likelihood as a number");
    const ends = document.createElement("div");
    ends.className = "ends";
    for (const text of ["0 none", "50", "certain 100"]) {
      const end = document.createElement("span");
      end.textContent = text;
      ends.append(end);
    }
    for (const kind of ["input", "pointerdown"]) {
      range.addEventListener(kind, () => this.setScore(Number(range.value)));
    }
    number.addEventListener("input", () => this.setScore(number.value === "" ? null : Number(number.value), number));
    const line = document.createElement("div");
    line.className = "score-line";
    line.append(range, number);
    byId("score").append(line, ends);
  }

  #buildLevels(levels) {
    levels.forEach((words, index) => {
      const label = document.createElement("label");
      label.className = "choice level";
      const radio = document.createElement("input");
      Object.assign(radio, {type: "radio", name: "level", value: index + 1});
      radio.addEventListener("change", () => this.setScore(index + 1));
      const text = document.createElement("span");
      const key = document.createElement("kbd");
      key.textContent = String(index + 1);
      text.append(`${words} `, key);
      label.append(radio, text);
      byId("score").append(label);
    });
  }

  setScore(score, source = null) {
    const valid = score !== null && Number.isInteger(score) && score >= this.lowest && score <= this.highest;
    this.score = valid ? score : null;
    this.#showScore(source);
    this.onChange();
  }

  #showScore(source = null) {
    if (this.levels) {
      for (const radio of document.querySelectorAll("[name=level]")) radio.checked = Number(radio.value) === this.score;
      return;
    }
    const range = byId("score-range");
    range.classList.toggle("untouched", this.score === null); // no thumb that suggests a value
    range.value = this.score ?? 0; // nor the value of the case before
    if (source !== byId("score-number")) byId("score-number").value = this.score ?? "";
  }

  typeDigit(digit) {
    if (this.levels) {
      this.setScore(Number(digit));
      return;
    }
    clearTimeout(this.digitTimer);
    this.digitTimer = setTimeout(() => { this.digits = ""; }, DIGITS_MS);
    const longer = Number(this.digits + digit);
    this.digits = longer <= this.highest ? this.digits + digit : digit;
    this.setScore(Number(this.digits));
  }

  setCall(call) {
    for (const radio of document.querySelectorAll("[name=call]")) radio.checked = radio.value === (call ? "yes" : "no");
    this.onChange();
  }

  show(opinion) {
    this.digits = "";
    this.score = opinion.score;
    this.#showScore();
    for (const radio of document.querySelectorAll("[name=call]")) {
      radio.checked = opinion.call !== null && radio.value === (opinion.call ? "yes" : "no");
    }
    byId("comment").value = opinion.comment;
    this.complain("");
  }

  opinion() {
    const checked = document.querySelector("[name=call]:checked");
    return {score: this.score, call: checked ? checked.value === "yes" : null, comment: byId("comment").value};
  }

  // Says what is still missing; true if nothing is.
  check() {
    const {score, call} = this.opinion();
    const missing = [score === null ? "a likelihood" : "", call === null ? "your call" : ""].filter(Boolean);
    this.complain(missing.length ? `Please give ${missing.join(" and ")}.` : "");
    byId("score-field").classList.toggle("lacking", score === null);
    byId("call-field").classList.toggle("lacking", call === null);
    return !missing.length;
  }

  complain(text) {
    byId("missing").textContent = text;
    if (!text) for (const id of ["score-field", "call-field"]) byId(id).classList.remove("lacking");
  }
}
