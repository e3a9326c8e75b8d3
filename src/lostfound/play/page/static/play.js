// The game: who plays, the rounds, and the end.
import { Atlas } from "./atlas.js";
import { Cities } from "./cities.js";
import { Countries } from "./countries.js";
import { byId, make, say, tell } from "./dom.js";
import { showEnd } from "./end.js";
import { MapPoint } from "./point.js";
import { ask, newKey } from "./server.js";
import { distance, points as pointsText } from "./words.js";

const LAST = "lostfound-game";
const AGREED = "lostfound-agreed";
const RULES = {
  countries: "You see photos, one after another. For each, type the countries that it may be from: up to five, the likeliest first.",
  cities: "You see photos, one after another. For each, choose the city that it is from.",
  map: "You see photos, one after another. For each, click where on the map it was taken: the nearer, the more points.",
};

let study, atlas, answer, game;
let round = null;          // the one that is asked
let clock = null;
let busy = false;

// Whoever plays by script waits for `data-ready`: everything that was asked for is there.
const unsettled = () => { delete document.body.dataset.ready; };
const settled = () => { document.body.dataset.ready = ""; };

function only(section) {
  for (const each of ["join", "round", "end"]) byId(each).hidden = each !== section;
  document.body.dataset.state = section;
}

// Before the game

const count = (n, one) => `${n} ${one}${n === 1 ? "" : "s"}`;

function facts() {
  const found = [];
  if (study.practice) found.push(`${count(study.practice, "round")} of practice, which show the answer and don't count, and ${study.rounds} that count.`);
  else found.push(`${count(study.rounds, "round")}.`);
  if (study.views > 1) found.push(`Up to ${study.views} photos of each place.`);
  if (study.timer_s) found.push(`${count(study.timer_s, "second")} for each.`);
  if (study.pixels) found.push(`Photos of ${study.pixels.join("×")} pixels${study.model ? `, as ${study.model} sees them` : ""}.`);
  if (study.model) found.push(`${study.model}, a model, answers the same photos.`);
  found.push("Skip what tells you nothing. Say so if you know the very place.");
  return found;
}

async function join() {
  only("join");
  byId("rules").textContent = RULES[study.mode];
  byId("facts").replaceChildren(...facts().map((text) => make("li", "", text)));
  if (study.join) {
    byId("phones").hidden = false;
    byId("phones").querySelector("img").src = "/join.svg";
    byId("address").textContent = study.join;
  }
  byId("begin").addEventListener("submit", begin);
  const last = localStorage.getItem(LAST);
  if (last) {
    const known = await ask(`/api/games/${last}`).catch(() => null);
    if (known) {
      tell(byId("go-on"), known.over ? `See how ${known.player} did` : `Go on as ${known.player}`);
      byId("go-on").addEventListener("click", () => enter(last));
      byId("go-on-line").hidden = false;
    }
  }
  settled();
}

let key = newKey();
async function begin(event) {
  event.preventDefault();
  if (busy) return;
  busy = true;
  try {
    const begun = await ask("/api/games", { key, name: byId("name").value });
    await enter(begun.game);
  } catch (problem) {
    tell(byId("begin-problem"), problem.message);
    key = newKey();
  } finally {
    busy = false;
  }
}

async function enter(id) {
  unsettled();
  game = id;
  localStorage.setItem(LAST, id);
  history.replaceState(null, "", `/game/${id}`);
  atlas ??= new Atlas();
  const place = byId("answer");
  if (study.mode === "countries") answer ??= new Countries(place, study, changed);
  else if (study.mode === "cities") answer ??= new Cities(place, study, changed);
  else answer ??= new MapPoint(place, atlas, changed);
  await onward();
}

// A round

async function onward() {
  const state = await ask(`/api/games/${game}`);
  tell(byId("who"), state.player);
  byId("who").title = state.player;
  if (state.over) return finish();
  round = state.round;
  only("round");
  document.body.dataset.mode = study.mode;
  byId("truth").hidden = true;
  byId("guess").hidden = false;
  byId("round-number").textContent = String(round.number);
  tell(byId("count"), `${round.practice ? "Practice" : "Round"} ${round.count} of ${round.of}`);
  byId("atlas").hidden = study.mode !== "map";
  atlas.moveTo(byId("atlas"));
  byId("known").checked = false;
  for (const box of byId("clues").querySelectorAll("input")) box.checked = false;
  tell(byId("guess-problem"), "");
  answer.reset();
  scrollTo(0, 0);
  showViews();
  startClock();
  answer.focus();
  say(byId("count").textContent);
  return settled();
}

function showViews() {
  const views = byId("views");
  views.classList.remove("loaded");
  views.dataset.count = String(round.views);
  let left = round.views;
  const own = round.number;
  views.replaceChildren(...Array.from({ length: round.views }, (_, view) => {
    const image = make("img");
    image.alt = round.views > 1 ? `Photo ${view + 1} of ${round.views} of the place` : "The photo of this round";
    if (study.pixels) [image.width, image.height] = study.pixels;
    let tries = 0;
    image.addEventListener("load", () => {
      left -= 1;
      views.classList.toggle("loaded", left === 0);
    });
    image.addEventListener("error", () => {
      if (own !== round.number || byId("round").hidden) return;
      tries += 1;
      setTimeout(() => { image.src = `/api/games/${game}/rounds/${own}/${view}?again=${tries}`; }, 1000);
    });
    image.src = `/api/games/${game}/rounds/${own}/${view}`;
    return image;
  }));
  views.scrollTo(0, 0);
}

function startClock() {
  clearInterval(clock);
  byId("time").hidden = round.left_s === null;
  if (round.left_s === null) return;
  const end = performance.now() + 1000 * round.left_s;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    byId("time").textContent = `${left} s`;
    byId("time").classList.toggle("short", left <= 5);
    if (performance.now() < end) return;
    clearInterval(clock);
    send(answer.value() ?? { skipped: true });
  };
  clock = setInterval(tick, 250);
  tick();
}

function changed() {
  byId("send").disabled = !answer?.value();
}

async function send(said) {
  if (busy || byId("guess").hidden) return;
  busy = true;
  clearInterval(clock);
  byId("send").disabled = true;
  const clues = [...byId("clues").querySelectorAll("input:checked")].map((box) => box.value);
  try {
    const told = await ask(`/api/games/${game}/rounds/${round.number}`, { ...said, known: byId("known").checked, clues });
    if (told.other !== null) say(`This round was answered already: ${told.other}`);
    if (told.truth) showTruth(told);
    else await onward();
  } catch (problem) {
    tell(byId("guess-problem"), problem.message);
    changed();
  } finally {
    busy = false;
  }
}

// After a guess

function verdict({ own, name }) {
  if (study.mode === "map") return own.km === null ? `It is in ${name || "the place marked"}` : `${distance(own.km)} away: ${pointsText(own.score)}`;
  if (own.right) return `Right: ${name}`;
  return own.rank ? `${name}: your number ${own.rank}` : `It is ${name}`;
}

function detail({ own, name, exact }, other) {
  const found = [];
  if (other !== null) found.push(`This round was answered already, maybe in another tab; that answer counts: ${other}.`);
  else if (study.mode !== "map" && !own.right) found.push(own.point ? `You said ${own.text}.` : `You said nothing: ${own.text}.`);
  if (study.mode === "map" && name) found.push(`It is in ${name}.`);
  if (!exact) found.push("The map shows the middle of the country.");
  return found.join(" ");
}

function showTruth({ truth, other, over }) {
  byId("guess").hidden = true;
  byId("time").hidden = true;
  byId("truth").hidden = false;
  byId("truth").className = truth.own.right ? "right" : "";
  [byId("truth").dataset.latitude, byId("truth").dataset.longitude] = truth.point;
  byId("verdict").textContent = verdict(truth);
  tell(byId("details"), detail(truth, other));
  byId("next").textContent = over ? "See how you did" : "Next round";
  byId("atlas").hidden = false;
  atlas.clear();
  const { own, point } = truth;
  const far = own.way.length ? own.way.at(-1) : point;  // its longitude as the way runs
  if (own.way.length) {
    atlas.way(own.way, "own");
    atlas.pin(own.way[0], "own", `Your guess: ${own.text}`);
  }
  atlas.pin(far, "true", truth.name || "The true place");
  atlas.look([far, ...(own.way.length ? [own.way[0]] : [])]);
  byId("next").focus({ preventScroll: true });
  byId("verdict").scrollIntoView({ block: "nearest" });
  say(`${byId("verdict").textContent}. ${byId("details").textContent}`);
}

async function finish() {
  clearInterval(clock);
  byId("time").hidden = true;
  byId("count").hidden = true;
  const results = await ask(`/api/games/${game}/results`);
  only("end");
  atlas.moveTo(byId("end-atlas"));
  showEnd(results, game, atlas, async () => { await enter((await ask(`/api/games/${game}/again`, {})).game); });
  scrollTo(0, 0);
  byId("end-heading").focus({ preventScroll: true });
  settled();
}

// The start of all

function listen() {
  byId("guess").addEventListener("submit", (event) => {
    event.preventDefault();
    const unfinished = answer.unfinished();
    tell(byId("guess-problem"), unfinished ?? "");
    const said = answer.value();
    if (said && !unfinished) send(said);
  });
  byId("skip").addEventListener("click", () => send({ skipped: true }));
  byId("next").addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    await onward().finally(() => { busy = false; });
  });
  addEventListener("pointerdown", () => document.body.classList.add("pointing"), true);
  addEventListener("keydown", () => document.body.classList.remove("pointing"), true);
}

async function consent() {
  if (localStorage.getItem(AGREED)) return;
  const dialog = byId("consent");
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  dialog.showModal();
  await new Promise((done) => { byId("agree").addEventListener("click", done); });
  localStorage.setItem(AGREED, "yes");
  dialog.close();
}

async function open() {
  study = await ask("/api/study");
  byId("clues").querySelector(".choices").append(...study.clues.map((clue) => {
    const label = make("label", "choice");
    const box = make("input");
    Object.assign(box, { type: "checkbox", value: clue });
    label.append(box, make("span", "", clue));
    return label;
  }));
  listen();
  const [, id] = /^\/game\/(\w+)$/.exec(location.pathname) ?? [];
  if (id && await ask(`/api/games/${id}`).catch(() => null)) await enter(id);
  else await join();
  await consent();
}

open();
