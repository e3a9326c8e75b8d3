// What the page asks of its server. A server that is away is asked again until it answers: an answer is counted once.
import { byId } from "./dom.js";

const AGAIN_MS = 1000;
const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export async function ask(path, body = undefined) {
  const how = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  for (;;) {
    let answer = null;
    let said = null;
    try {
      answer = await fetch(path, { cache: "no-store", ...how });
      said = await answer.json();
    } catch {
      answer = null;
    }
    byId("away").hidden = answer !== null && answer.status < 500;
    if (answer?.ok) return said;
    if (answer && answer.status < 500) throw new Refused(answer.status, said.error);
    await wait(AGAIN_MS);
  }
}

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
