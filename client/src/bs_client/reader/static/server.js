// Talking to the study's server: what was entered is sent again until it is confirmed.
const MARK = document.querySelector("meta[name=form-mark]").content;
const RETRY_MS = 1000;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function showLost(lost) {
  document.getElementById("lost").hidden = !lost;
}

async function request(path, options) {
  const response = await fetch(path, {...options, credentials: "same-origin", redirect: "error"});
  if (response.ok) return response;
  if (response.status >= 500) throw new TypeError(`server error ${response.status}`);
  const words = await response.json().catch(() => ({error: ""}));
  throw new Refused(response.status, words.error);
}

async function insist(path, options) {
  for (;;) {
    try {
      const response = await request(path, options);
      showLost(false);
      return response;
    } catch (error) {
      if (error instanceof Refused) throw error;
      showLost(true);
      await wait(RETRY_MS);
    }
  }
}

const message = (body) => ({
  method: "POST",
  headers: {"content-type": "application/json", "x-form-mark": MARK},
  body: JSON.stringify(body),
});

export const fetchState = async () => (await insist("/api/state")).json();
export const fetchImage = async (reading) => (await insist(`/api/image/${reading}`)).arrayBuffer();
export const send = async (what, body) => (await insist(`/api/${what}`, message(body))).json();
// A heartbeat that is lost stays lost: a late one would tell a wrong time.
export const sendOnce = async (what, body) => request(`/api/${what}`, message(body)).then(() => showLost(false), () => {});
