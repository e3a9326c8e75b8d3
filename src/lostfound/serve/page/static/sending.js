// Sends photos: a few at a time, so that the first answers come soon; again, where the server was busy or gone.
import * as api from "./api.js";
import { changed, choose, newPlace, state, subjects } from "./state.js";
import { count, percent } from "./words.js";
import { say } from "./dom.js";

const AT_ONCE = 2;          // requests
const BATCH = 4;            // photos in a request
const FIRST_BATCH = 1;      // an answer at once
const BATCH_BYTES = 24e6;   // of several photos; a larger one goes alone
const TRIES = 8;            // of a server that is busy
const LONGEST_WAIT_S = 60;
const ASK_GONE_MS = 2000;
const PLACE_DELAY_MS = 150; // photos that come together are one place together

let running = new Set();    // one AbortController for each request
let busy = 0;               // times in a row that the server was
let paused = null;          // the timer after which it is asked again
let placeTimer = null;

const isOpen = (photo) => photo.status === "waiting";

// Everything is asked anew: photos were added or removed, or options changed.
export function askAgain({ all = false } = {}) {
  if (state.options.samePlace && state.photos.length) return askPlace();
  if (state.place) {
    stopRequests();
    if (state.chosen === state.place) choose(state.photos[0] ?? null);
    state.place = null;
    all = true;
  }
  if (all) {
    stopRequests();
    for (const photo of state.photos) if (!photo.unfit) reset(photo);
  }
  return pump();
}

export function retryFailed() {
  busy = 0;
  if (state.place) return askPlace();
  for (const photo of state.photos) if (photo.status === "failed" && !photo.unfit) reset(photo);
  return wake();
}

export function stop() {
  stopRequests();
  for (const each of subjects()) if (isUnderway(each)) fail(each, "Stopped.");
  changed();
}

export const isUnderway = (each) => ["waiting", "sending", "answering"].includes(each.status);

// Ask at once, whatever was waited for.
export function wake() {
  clearTimeout(paused);
  paused = null;
  state.gone = false;
  state.busyUntil = null;
  if (state.place && isOpen(state.place)) return sendPlace();
  return pump();
}

function reset(photo) {
  Object.assign(photo, { status: "waiting", share: 0, error: null, heatMaps: null, heatError: null });
}

function stopRequests() {
  clearTimeout(placeTimer);
  for (const each of running) each.abort();
  running = new Set();
}

function fail(subject, error) {
  Object.assign(subject, { status: "failed", error, guess: null });
}

// Photos one by one

function pump() {
  while (!paused && !state.locked && running.size < AT_ONCE) {
    const batch = nextBatch();
    if (!batch.length) break;
    send(batch);
  }
  changed();
}

function nextBatch() {
  const most = state.photos.some((photo) => photo.status === "done" || photo.status === "sending") ? BATCH : FIRST_BATCH;
  const batch = [];
  let size = 0;
  for (const photo of state.photos.filter(isOpen)) {
    if (batch.length === most || (batch.length && (size + photo.file.size > batchBytes() || photo.alone))) break;
    batch.push(photo);
    size += photo.file.size;
    if (photo.alone) break;
  }
  return batch;
}

const batchBytes = () => Math.min(BATCH_BYTES, 0.9 * (state.settings.max_bytes ?? BATCH_BYTES));

async function send(batch) {
  const controller = new AbortController();
  running.add(controller);
  for (const photo of batch) Object.assign(photo, { status: "sending", share: 0 });
  try {
    const guesses = await api.locate(batch, { onProgress: sent(batch), signal: controller.signal });
    if (guesses.length !== batch.length) throw new api.Problem(500, "The server answered for other photos than were sent.");
    batch.forEach((photo, number) => take(photo, guesses[number]));
    busy = 0;
    report(batch);
  } catch (problem) {
    if (problem.name === "AbortError") return;
    failed(batch, problem);
  } finally {
    // Those that were stopped are no longer in the set, and go on with nothing.
    if (running.delete(controller)) pump();
  }
}

// How much of each photo of a request is sent: they go one after another.
function sent(batch) {
  const total = batch.reduce((sum, photo) => sum + photo.file.size, 0);
  return (share) => {
    let before = 0;
    for (const photo of batch) {
      photo.share = Math.min(1, Math.max(0, (share * total - before) / photo.file.size));
      photo.status = share < 1 ? "sending" : "answering";
      before += photo.file.size;
    }
    changed();
  };
}

function take(subject, guess) {
  if (guess.error) fail(subject, guess.error);
  else Object.assign(subject, { status: "done", share: 1, guess, error: null });
}

function failed(batch, problem) {
  if (waits(batch, problem)) return;
  if (batch.length > 1 && [413, 415, 422, 504].includes(problem.status)) {
    // One of them is to blame; the others must not pay for it.
    for (const photo of batch) Object.assign(photo, { status: "waiting", alone: true });
    return;
  }
  for (const photo of batch) fail(photo, problem.message);
}

// Puts off what the server can't answer now. True if it is asked again later.
function waits(batch, problem) {
  const putOff = () => batch.forEach((each) => Object.assign(each, { status: "waiting", share: 0 }));
  if (problem.isGone) {
    putOff();
    state.gone = true;
    paused ??= setTimeout(lookForServer, ASK_GONE_MS);
    say("The server does not answer. The photos are sent again as soon as it does.");
    return true;
  }
  if (problem.status === 401) {
    putOff();
    state.locked = true;
    return true;
  }
  if (!problem.isBusy || busy >= TRIES) return false;
  putOff();
  if (!paused) {
    busy += 1;
    const wait = Math.min(LONGEST_WAIT_S, problem.retryAfter ?? 2 ** (busy - 1));
    state.busyUntil = Date.now() + 1000 * wait;
    paused = setTimeout(wake, 1000 * wait);
  }
  return true;
}

async function lookForServer() {
  paused = null;
  if (await api.answers()) {
    say("The server answers again.");
    wake();
  } else {
    paused = setTimeout(lookForServer, ASK_GONE_MS);
  }
}

export function unlock(token) {
  api.useToken(token);
  state.locked = false;
  wake();
}

// All photos as one place

function askPlace() {
  stopRequests();
  if (!state.place) {
    state.place = newPlace();
    state.chosen = state.place;
  }
  if (!state.photos.includes(state.shown)) state.shown = state.photos[0];
  Object.assign(state.place, { status: "waiting", share: 0, error: null });
  placeTimer = setTimeout(sendPlace, PLACE_DELAY_MS);
  changed();
}

async function sendPlace() {
  const { place } = state;
  const photos = state.photos.filter((photo) => !photo.unfit);
  const problem = tooMuch(photos);
  if (problem || !photos.length) {
    fail(place, problem ?? "There is no photo that can be sent.");
    return changed();
  }
  if (paused || state.locked) return changed();
  const controller = new AbortController();
  running.add(controller);
  place.status = "sending";
  changed();
  try {
    const onProgress = (share) => {
      Object.assign(place, { share, status: share < 1 ? "sending" : "answering" });
      changed();
    };
    takePlace(place, photos, await api.locate(photos, { samePlace: true, onProgress, signal: controller.signal }));
    busy = 0;
    report([place]);
  } catch (problem) {
    if (problem.name !== "AbortError" && !waits([place], problem)) fail(place, problem.message);
  } finally {
    running.delete(controller);
  }
  return changed();
}

function tooMuch(photos) {
  const { max_photos: most, max_bytes: bytes } = state.settings;
  if (photos.length > most) return `One place can have ${count(most, "photo")} at most; there are ${photos.length}. Remove some.`;
  const size = photos.reduce((sum, photo) => sum + photo.file.size, 0);
  if (bytes && size > bytes) return "Together these photos are larger than what this server takes at once. Remove some.";
  return null;
}

function takePlace(place, photos, guesses) {
  const guess = guesses.find((each) => !each.error);
  const names = new Map(guesses.filter((each) => each.error).map((each) => [each.photo, each.error]));
  for (const photo of photos) photo.error = names.get(photo.name) ?? null;
  if (guess) take(place, guess);
  else fail(place, guesses[0]?.error ?? "The server answered nothing.");
}

// What a screen reader is told: the answer of one, else how far it is.
function report(done) {
  const all = subjects();
  const left = all.filter(isUnderway).length;
  if (left) return;
  if (all.length > 1) {
    const failed = all.filter((each) => each.status === "failed").length;
    say(`${count(all.length - failed, "photo")} answered${failed ? `, ${failed} failed` : ""}.`);
  } else if (done[0].guess) {
    const { guess } = done[0];
    const best = guess.candidates[0];
    say(guess.abstained
      ? `I don't know: ${guess.warning}`
      : `Answer: ${best.name} ${percent(best.probability)}`);
  } else {
    say(`${done[0].name}: ${done[0].error}`);
  }
}
