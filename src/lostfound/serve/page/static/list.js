// The photos with their answers: one tab stop, arrows go from one to the next, Delete removes.
import { arranged } from "./arrange.js";
import { button, byId, make, tell } from "./dom.js";
import { clear, remove } from "./intake.js";
import { isUnderway, retryFailed, stop } from "./sending.js";
import { choose, onChange, state, subjects } from "./state.js";
import { kind, want } from "./thumbnails.js";
import { count, percent, radius } from "./words.js";

const list = byId("list");
const cards = new Map();  // of a photo's id: its <li> and the parts that change

export function build() {
  byId("clear").addEventListener("click", () => {
    clear();
    byId("choose").focus();
  });
  byId("retry").addEventListener("click", retryFailed);
  byId("stop").addEventListener("click", stop);
  list.addEventListener("keydown", onKey);
  onChange(draw);
  setInterval(() => { if (state.busyUntil) drawProgress(); }, 1000);
}

function draw() {
  document.body.classList.toggle("empty", !state.photos.length);
  const photos = arranged();
  const all = state.place ? [state.place, ...photos] : photos;
  const wanted = new Set(all.map((each) => each.id));
  for (const [id, card] of cards) {
    if (wanted.has(id)) continue;
    card.item.remove();
    cards.delete(id);
  }
  all.forEach((subject, at) => {
    let card = cards.get(subject.id);
    if (!card) cards.set(subject.id, card = newCard(subject));
    card.subject = subject;
    if (list.children[at] !== card.item) list.insertBefore(card.item, list.children[at] ?? null);
    fill(card);
  });
  byId("no-match").hidden = all.length > 0 || !state.photos.length;
  drawProgress();
}

const near = new IntersectionObserver((changes) => {
  for (const { isIntersecting, target } of changes) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    const photo = state.photos.find((each) => String(each.id) === target.dataset.id);
    if (photo) want(photo);
  }
}, { rootMargin: "400px" });

function newCard(subject) {
  const item = make("li", subject.isPlace ? "card place" : "card");
  item.dataset.id = subject.id;
  const main = button("open", undefined, () => open(subject.id));
  const card = {
    item, main, thumb: make("span", "thumb"), name: make("span", "name", subject.name), words: make("span", "words"),
    detail: make("span", "detail"), share: make("span", "share"), track: make("span", "track"), picture: undefined,
  };
  card.name.title = subject.name;
  card.track.append(card.share);
  const text = make("span", "text");
  text.append(card.name, card.words, card.detail, card.track);
  main.append(card.thumb, text);
  item.append(main);
  if (!subject.isPlace) {
    card.away = button("away", "×", () => removeFocused(subject), `Remove ${subject.name}`);
    card.away.title = "Remove";
    item.append(card.away);
    near.observe(item);
  }
  return card;
}

// What is under a card's name: the answer, or how far it is.
function fill(card) {
  const { subject, item, main } = card;
  const part = state.place && !subject.isPlace;  // its answer is the place's
  const current = part ? state.shown === subject : state.chosen === subject;
  const words = part ? partWords(subject) : said(subject);
  item.classList.toggle("current", current);
  item.classList.toggle("part", Boolean(part));
  item.dataset.status = part ? (words.failed ? "failed" : "part") : subject.status;
  item.classList.toggle("abstained", Boolean(!part && subject.guess?.abstained));
  if (current) main.setAttribute("aria-current", "true");
  else main.removeAttribute("aria-current");
  tell(card.words, words.main);
  tell(card.detail, words.detail);
  const underway = !part && isUnderway(subject);
  card.track.hidden = !underway || subject.status === "waiting";
  card.share.style.width = `${Math.round(100 * (subject.status === "answering" ? 1 : subject.share))}%`;
  const stop = tabStop() === subject;
  main.tabIndex = stop ? 0 : -1;
  if (card.away) card.away.tabIndex = stop ? 0 : -1;
  if (subject.isPlace) fillStack(card);
  else fillThumb(card.thumb, subject, card);
}

const tabStop = () => state.place
  ? (list.contains(document.activeElement) && cards.get(Number(document.activeElement.closest("li").dataset.id))?.subject) || state.place
  : (cards.has(state.chosen?.id) ? state.chosen : arranged()[0]);

export function fillThumb(thumb, photo, memory) {
  if (memory.picture === photo.thumbnail) return;
  memory.picture = photo.thumbnail;
  thumb.replaceChildren();
  if (photo.thumbnail) {
    const image = make("img");
    image.alt = "";
    image.src = photo.thumbnail;
    thumb.append(image);
  } else if (photo.thumbnail === null) {
    thumb.append(make("span", "kind", kind(photo.name)));
  }
}

// The first pictures of a place, one on another.
function fillStack(card) {
  const shown = state.photos.map((photo) => photo.thumbnail).filter(Boolean).slice(0, 3).join(" ");
  tell(card.name, count(state.photos.length, "photo"));
  if (card.picture === shown) return;
  card.picture = shown;
  card.thumb.replaceChildren(...shown.split(" ").filter(Boolean).map((address) => {
    const image = make("img");
    image.alt = "";
    image.src = address;
    return image;
  }));
}

function partWords(photo) {
  const error = photo.unfit ?? photo.error;
  return error ? { main: "Left out", detail: error, failed: true } : { main: "", detail: "of this place" };
}

export function said(subject) {
  const { status, guess, error } = subject;
  if (status === "failed") return { main: "No answer", detail: error };
  if (status === "waiting") {
    if (state.gone) return { main: "", detail: "waits for the server" };
    return { main: "", detail: state.busyUntil ? "waits: the server is busy" : "waiting" };
  }
  if (status === "sending") return { main: "", detail: subject.share > 0 ? `sending, ${percent(subject.share)}` : "sending" };
  if (status === "answering") return { main: "", detail: "looking at it" };
  const best = guess.candidates[0];
  if (guess.abstained) return { main: "I don’t know", detail: guess.warning };
  const within = guess.radius_90_km === null ? "" : `9 in 10: within ${radius(guess.radius_90_km)}`;
  return { main: [best.name, percent(best.probability)].filter(Boolean).join(" "), detail: within };
}

function drawProgress() {
  const all = subjects();
  const underway = all.filter(isUnderway).length;
  const failed = all.filter((each) => each.status === "failed");
  byId("bar").hidden = !state.photos.length;
  tell(byId("progress"), progressWords(all, underway, failed.length));
  const bar = byId("progress-bar");
  bar.hidden = !underway || state.place !== null;
  bar.max = Math.max(1, all.length);
  bar.value = all.length - underway;
  byId("stop").hidden = !underway;
  byId("retry").hidden = underway > 0 || !failed.some((each) => !each.unfit);
}

function progressWords(all, underway, failed) {
  const note = state.note ? ` ${state.note}` : "";
  if (state.gone) return "The server does not answer. Nothing is lost: photos are sent as soon as it does.";
  if (state.busyUntil) {
    const seconds = Math.max(0, Math.ceil((state.busyUntil - Date.now()) / 1000));
    return `The server is busy; asked again in ${count(seconds, "second")}.`;
  }
  if (state.place) return underway ? "Looking at all photos together." : `${count(state.photos.length, "photo")}, one place.${note}`;
  const done = all.length - underway;
  if (underway) return `${done} of ${count(all.length, "photo")} done.${note}`;
  const unknown = all.filter((each) => each.guess?.abstained).length;
  const parts = [count(all.length, "photo")];
  if (unknown) parts.push(`${unknown} not placed`);
  if (failed) parts.push(`${failed} without an answer`);
  return `${parts.join(", ")}.${note}`;
}

const narrow = matchMedia("(max-width: 760px)");

function open(id, { follow = true } = {}) {
  const { subject } = cards.get(id);
  // On phones the answer is below the list.
  if (follow && narrow.matches) setTimeout(() => byId("place").scrollIntoView({ block: "start" }));
  if (state.place && !subject.isPlace) {
    choose(state.place);
    state.shown = subject;
  } else {
    choose(subject);
  }
}

function removeFocused(photo) {
  const at = arranged().indexOf(photo);
  remove(photo);
  const left = arranged();
  const next = left[Math.min(at, left.length - 1)];
  if (next) queueMicrotask(() => cards.get(next.id)?.main.focus());
  else byId("choose").focus();
}

function onKey(event) {
  const items = [...list.children];
  const at = items.indexOf(document.activeElement?.closest("li"));
  if (event.key === "Delete" || event.key === "Backspace") {
    const { subject } = cards.get(Number(items[at]?.dataset.id)) ?? {};
    if (subject && !subject.isPlace) removeFocused(subject);
    return;
  }
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (!items[to]) return;
  const card = cards.get(Number(items[to].dataset.id));
  card.main.focus();
  open(card.subject.id, { follow: false });
}
