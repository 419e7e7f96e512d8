// The course of a reading: welcome, case after case, rest; the server says which comes next.
import {Form} from "./form.js";
import {fetchImage, fetchState, Refused, send, sendOnce} from "./server.js";
import {decode, Viewer} from "./viewer.js";

const byId = (id) => document.getElementById(id);
const DRAFT_MS = 200; // an entry is kept this long after the last change
const tooSmall = matchMedia("(max-width: 999px), (max-height: 559px)");

const viewer = new Viewer();
const form = new Form(() => { scheduleDraft(); form.complain(""); });
let state = null;
let ahead = null; // the next case's scan, on its way or here
let shown = Promise.resolve(); // settles when the server knows that the case was seen
let busy = false; // an answer is on its way
let draftTimer = 0;
let drafts = Promise.resolve(); // one after the other, so that the last one is the last
let lastInput = performance.now();
let limitTimer = 0;

const turn = () => ({reading: state.case.reading, stage: state.case.stage, revision: state.case.revision});
const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));

function show(id) {
  for (const part of ["app", "welcome", "rest"]) byId(part).hidden = part !== id;
}

async function take(next) {
  state = next;
  clearTimeout(limitTimer);
  if (state.phase === "welcome") showWelcome();
  else if (state.phase === "reading") await showCase();
  else showRest();
}

function showWelcome() {
  show("welcome");
  if (byId("session-number")) byId("session-number").textContent = state.session;
  const canvas = byId("ramp");
  const context = canvas.getContext("2d");
  for (let step = 0; step < 16; step++) {
    const grey = 17 * step;
    context.fillStyle = `rgb(${grey}, ${grey}, ${grey})`;
    context.fillRect((canvas.width * step) / 16, 0, canvas.width / 16, canvas.height);
  }
  lookAhead(state.case);
  byId("begin").focus();
}

function showRest() {
  viewer.clear();
  show("rest");
  const finished = state.phase === "finished";
  byId("rest-title").textContent = finished ? "Thank you. You have read all cases." : "Thank you. The first session is complete.";
  const day = new Date(state.opens_ms).toLocaleDateString(undefined, {dateStyle: "long"});
  byId("rest-text").textContent = finished
    ? `All ${state.total} answers of ${state.sessions > 1 ? "each session" : "the session"} are kept; nothing is left to do. You can close this page.`
    : `The second session opens on ${day}, so that no scan is remembered. Come back to this page then.`;
  byId("rest-silence").hidden = !finished;
  byId("rest").focus();
}

async function showCase() {
  show("app");
  const current = state.case;
  form.build(state);
  showHeadings();
  form.show(current.opinion);
  showModel();
  byId("saved").textContent = "";
  byId("views").focus({preventScroll: true});
  if (current.stage === "aided" && viewer.reading === current.reading) {
    shown = painted().then(() => send("model-shown", turn()));
  } else {
    shown = showImage(current);
  }
  await shown;
  if (state.following) lookAhead(state.following);
}

function showHeadings() {
  const current = state.case;
  byId("case-name").textContent = current.practice ? `Practice ${current.code}` : `Case ${current.code}`;
  byId("case-count").textContent = current.practice ? "does not count" : `${state.done + 1} of ${state.total}`;
  byId("case-progress").max = state.total;
  byId("case-progress").value = state.done;
  byId("back").hidden = !state.can_go_back;
  const more = current.aided && current.stage === "unaided";
  byId("submit-words").textContent = more ? "Submit, then see the model" : "Submit, next case";
  byId("finality").textContent = state.can_go_back ? "" : "A submitted answer is final.";
}

function showModel() {
  const current = state.case;
  byId("model").hidden = current.stage !== "aided";
  document.querySelector("#map")?.remove();
  if (current.stage !== "aided" || !current.result) return;
  const {probability, threshold, has_map} = current.result;
  byId("model-probability").textContent = `${Math.round(100 * probability)}\u00a0%`;
  byId("model-call").textContent = `${probability >= threshold ? "metastasis" : "no metastasis"} (called from ${Math.round(100 * threshold)}\u00a0% on)`;
  const {score, call} = current.opinion;
  byId("own-answer").textContent = `${score}, ${call ? "metastasis" : "no metastasis"}`;
  if (!has_map) return;
  const map = document.createElement("img");
  Object.assign(map, {id: "map", className: "map", src: `/api/map/${current.reading}`});
  map.alt = "Both views with the model's map laid over: where it looked";
  byId("views").after(map);
}

async function showImage(current) {
  viewer.clear();
  viewer.reading = null;
  byId("views").classList.remove("over");
  if (current.paused) byId("pause-dialog").showModal();
  const remaining = limitLeft();
  if (remaining !== null && remaining <= 0) {
    hideForGood();
    return;
  }
  const scan = ahead?.reading === current.reading ? ahead.scan : fetchScan(current);
  viewer.load(await scan);
  viewer.reading = current.reading;
  await painted();
  await send("shown", turn());
  if (current.stage === "aided") await send("model-shown", turn());
  startLimit();
}

// The clock of a time limit goes on during a reload.
function limitLeft() {
  if (state.time_limit_s === null || state.case.stage === "aided") return null;
  return 1000 * state.time_limit_s - (state.case.elapsed_ms ?? 0);
}

function startLimit() {
  const remaining = limitLeft();
  byId("countdown").hidden = remaining === null;
  if (remaining === null) return;
  const end = performance.now() + remaining;
  const tick = () => {
    const left = Math.ceil((end - performance.now()) / 1000);
    byId("countdown").textContent = left > 0 ? `${left} s` : "time is over";
    if (left > 0) limitTimer = setTimeout(tick, 250);
    else {
      sendOnce("limit-reached", turn());
      hideForGood();
    }
  };
  tick();
}

function hideForGood() {
  viewer.clear();
  byId("views").classList.add("over");
  byId("views").textContent = "The time for looking at this case is over. Please answer from memory.";
}

const fetchScan = (image) => fetchImage(image.reading).then((buffer) => decode(image, buffer));

function lookAhead(image) {
  ahead = {reading: image.reading, scan: fetchScan(image)};
  ahead.scan.catch(() => { ahead = null; });
}

function scheduleDraft() {
  if (busy || state?.phase !== "reading") return;
  byId("saved").textContent = "";
  clearTimeout(draftTimer);
  draftTimer = setTimeout(() => {
    const draft = {...turn(), ...form.opinion()};
    drafts = drafts.then(() => send("draft", draft)).then(() => { byId("saved").textContent = "kept"; }, refused);
  }, DRAFT_MS);
}

async function submit() {
  if (busy || state?.phase !== "reading" || document.querySelector("dialog[open]") || !form.check()) return;
  busy = true;
  clearTimeout(draftTimer);
  byId("submit").disabled = true;
  const answer = {...turn(), ...form.opinion()};
  try {
    await shown;
    await drafts;
    const next = await send("answer", answer);
    busy = false;
    byId("submit").disabled = false;
    await take(next);
  } catch (error) {
    await refused(error);
  } finally {
    busy = false;
    byId("submit").disabled = false;
  }
}

// Another tab or another sitting went on: this page follows.
async function refused(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 409) await take(await fetchState());
  else location.assign("/");
}

async function pause() {
  if (state?.phase !== "reading" || byId("pause-dialog").open) return;
  byId("pause-dialog").showModal();
  await send("pause", turn()).catch(refused);
}

async function resume() {
  byId("pause-dialog").close();
  lastInput = performance.now();
  await send("resume", turn()).catch(refused);
}

function isActive() {
  const recent = performance.now() - lastInput < 1000 * state.idle_cutoff_s;
  return recent && document.visibilityState === "visible" && !tooSmall.matches;
}

function beat() {
  if (state?.phase === "reading" && viewer.reading && !byId("pause-dialog").open) {
    byId("clock-stopped").hidden = isActive();
    sendOnce("beat", {...turn(), active: isActive(), window: viewer.settings()});
  }
}

const KEYS = {
  n: () => form.setCall(false),
  m: () => form.setCall(true),
  c: () => byId("comment").focus(),
  l: () => viewer.setWindow({curve: "linear"}),
  q: () => viewer.setWindow({curve: "sqrt"}),
  d: () => viewer.nextDual(),
  i: () => viewer.toggleInverted(),
  x: () => viewer.toggleSmooth(),
  r: () => viewer.reset(),
  b: () => { if (!byId("back").hidden) byId("back").click(); },
  p: pause,
  "?": () => byId("help").showModal(),
  "+": () => viewer.setZoom(viewer.zoom * 1.25),
  "-": () => viewer.setZoom(viewer.zoom / 1.25),
  "[": () => viewer.stepUpper(-1),
  "]": () => viewer.stepUpper(1),
  ",": () => viewer.stepLower(-1),
  ".": () => viewer.stepLower(1),
  ArrowLeft: () => viewer.move(0.03, 0),
  ArrowRight: () => viewer.move(-0.03, 0),
  ArrowUp: () => viewer.move(0, 0.03),
  ArrowDown: () => viewer.move(0, -0.03),
};

function onKey(event) {
  lastInput = performance.now();
  if (state?.phase !== "reading" || event.altKey || event.metaKey) return;
  const inComment = event.target.id === "comment";
  const inField = inComment || event.target.type === "number";
  if (byId("pause-dialog").open) {
    if (event.key.toLowerCase() === "p") resume();
    return;
  }
  if (byId("help").open) return;
  if (event.key === "Enter" && (inComment ? event.ctrlKey : event.target.tagName !== "BUTTON" || event.target.id === "submit")) {
    event.preventDefault();
    if (!event.repeat) submit();
  } else if (event.key === "Escape" && inField) byId("views").focus();
  else if (inField || event.ctrlKey) return;
  else if (/^[0-9]$/.test(event.key)) form.typeDigit(event.key);
  else if (event.key.startsWith("Arrow") && event.target !== byId("views") && event.target !== document.body) return;
  else {
    const act = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }
}

document.addEventListener("keydown", onKey);
for (const kind of ["pointermove", "pointerdown", "wheel"]) {
  document.addEventListener(kind, () => { lastInput = performance.now(); }, {passive: true});
}
byId("form").addEventListener("submit", (event) => { event.preventDefault(); submit(); });
byId("pause").addEventListener("click", pause);
byId("resume").addEventListener("click", resume);
byId("pause-dialog").addEventListener("cancel", (event) => { event.preventDefault(); resume(); });
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("help-close").addEventListener("click", () => byId("help").close());
byId("back").addEventListener("click", () => send("back", turn()).then(take, refused));
byId("begin").addEventListener("click", async () => {
  byId("begin").disabled = true;
  const screenFacts = {width: screen.width, height: screen.height, pixel_ratio: devicePixelRatio, colour_bits: screen.colorDepth};
  await send("begin", screenFacts).then(take, refused);
  byId("begin").disabled = false;
});

// Nothing counts as seen on a screen that cannot show it.
async function start() {
  if (tooSmall.matches) {
    tooSmall.addEventListener("change", start, {once: true});
    return;
  }
  await fetchState().then(take).catch(refused);
  setInterval(beat, 1000 * state.beat_s);
}
start();
