// What is said of the chosen photo: the answer, how far off it may be, the candidates, or why it doesn't know.
import { button, byId, make, tell } from "./dom.js";
import { copy } from "./downloads.js";
import { said } from "./list.js";
import { goTo } from "./map.js";
import { stage } from "./heat.js";
import { answerAnyway } from "./options.js";
import { retryFailed } from "./sending.js";
import { onChange, state } from "./state.js";
import { coordinates, count, percent, plainCoordinates, radius } from "./words.js";

const panel = byId("answer");
const parts = { heading: make("h2"), name: make("p", "name"), stage: make("div"), words: make("div") };
let drawn = null;

export function build() {
  parts.heading.id = "answer-heading";
  parts.stage.id = "stage";
  parts.words.id = "answer-words";
  byId("answer-scroll").append(parts.heading, parts.name, parts.stage, parts.words);
  onChange(draw);
}

function draw() {
  const { chosen } = state;
  panel.hidden = !chosen;
  document.body.classList.toggle("answering", Boolean(chosen));
  if (!chosen) {
    drawn = null;
    stage(parts.stage, null);
    return;
  }
  stage(parts.stage, state.shown);
  // Only what is new is built, so that the focus stays where it is.
  const now = [chosen, chosen.guess, chosen.status, chosen.error, state.photos.length, state.gone, Boolean(state.busyUntil)];
  if (drawn?.every((each, at) => each === now[at])) return;
  const focused = parts.words.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  drawn = now;
  const known = chosen.guess && chosen.status === "done";
  parts.heading.textContent = known ? headline(chosen) : chosen.isPlace ? "One place" : chosen.name;
  parts.heading.classList.toggle("unknown", Boolean(known && chosen.guess.abstained));
  tell(parts.name, known || chosen.isPlace ? titled(chosen) : "");
  parts.words.replaceChildren(...(known ? answered(chosen) : pending(chosen)));
  if (focused) parts.words.querySelector(`[data-key="${focused}"]`)?.focus();
}

function headline({ guess }) {
  if (guess.abstained) return "I don’t know";
  const best = guess.candidates[0];
  return [best.name, percent(best.probability)].filter(Boolean).join(" ");
}

const titled = (subject) => subject.isPlace ? `${count(state.photos.length, "photo")} of one place` : subject.name;

function pending(subject) {
  const words = said(subject);
  if (subject.status !== "failed") {
    const box = make("div", "pending");
    box.append(make("span", "spinner"), make("span", "", words.detail));
    return [box];
  }
  const box = make("div", "problem");
  box.append(make("strong", "", "No answer"), make("p", "", subject.error));
  if (!subject.unfit) box.append(button("button small", "Try again", retryFailed));
  return [box];
}

function answered({ guess }) {
  return [
    ...(guess.abstained ? unsure(guess) : sure(guess)),
    ...beware(guess),
    candidates(guess),
    ...levels(guess),
    make("p", "estimate", "An estimate from pixels alone. Check it against what you see: signs, plants, sun, roads."),
  ];
}

function sure(guess) {
  const { latitude, longitude, radius_50_km: half, radius_90_km: most } = guess;
  const row = make("div", "coordinates");
  const copied = button("button small", "Copy", async () => {
    await copy(plainCoordinates(latitude, longitude));
    copied.textContent = "Copied";
    copied.classList.add("done");
    copied.addEventListener("blur", () => {
      copied.textContent = "Copy";
      copied.classList.remove("done");
    }, { once: true });
  }, "Copy coordinates");
  copied.dataset.key = "copy";
  row.append(make("span", "", coordinates(latitude, longitude)), copied, elsewhere(latitude, longitude));
  const circles = make("ul", "within");
  for (const [share, words, km] of [[50, "1 time in 2", half], [90, "9 times in 10", most]]) {
    if (km === null || km === undefined) continue;
    const line = make("li", `share-${share}`);
    line.append(make("span", "", `${words} within `), make("strong", "", radius(km)));
    circles.append(line);
  }
  return circles.children.length ? [row, circles] : [row, make("p", "hint", "This model does not say how far off it may be.")];
}

// The only way out of the page, for those who choose it.
function elsewhere(latitude, longitude) {
  const link = make("a", "", "OpenStreetMap");
  const at = `${latitude.toFixed(5)}/${longitude.toFixed(5)}`;
  link.href = `https://www.openstreetmap.org/?mlat=${latitude.toFixed(5)}&mlon=${longitude.toFixed(5)}#map=8/${at}`;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  link.title = "Opens another site, and tells it these coordinates";
  link.dataset.key = "elsewhere";
  return link;
}

function unsure(guess) {
  const why = make("p", "why", sentence(guess.warning));
  const more = make("p", "hint", "No place is claimed. Below is what it thought of; it is likely to be wrong.");
  const anyway = button("button small", "Answer anyway", answerAnyway);
  anyway.dataset.key = "anyway";
  return [why, more, anyway];
}

function beware(guess) {
  const notes = [];
  if (!guess.abstained && guess.warning) notes.push(`Beware: ${guess.warning}`);
  if (guess.left_out > 0.5) {
    notes.push(`Your restriction leaves out ${percent(guess.left_out)} of what the model believes: you know much more than it does, or the restriction is wrong.`);
  } else if (guess.left_out > 0) {
    notes.push(`Your restriction leaves out ${percent(guess.left_out)} of what the model believes.`);
  }
  return notes.map((text) => make("p", "beware", text));
}

function candidates(guess) {
  const box = make("section", guess.abstained ? "candidates doubtful" : "candidates");
  box.append(make("h3", "", guess.abstained ? "What it thought of" : "Candidates"));
  const list = make("ol");
  guess.candidates.forEach((each, rank) => {
    const line = make("li");
    const sure = percent(each.probability);
    const one = button("candidate", undefined, () => goTo(rank), `${rank + 1}: ${[each.name, sure].filter(Boolean).join(", ")}; show on the map`);
    one.dataset.key = `candidate-${rank}`;
    one.append(make("span", rank ? "pin" : "pin first", String(rank + 1)), make("span", "label", each.name), make("span", "percent", sure));
    if (each.probability !== null) {
      const track = make("span", "track");
      const share = make("span", "share");
      share.style.width = `${100 * each.probability}%`;
      track.append(share);
      one.append(track);
    }
    line.append(one);
    list.append(line);
  });
  box.append(list);
  return box;
}

const LEVELS = [["continents", "Continent"], ["countries", "Country"], ["regions", "Region"], ["cities", "City"]];

function levels(guess) {
  const named = new Set(guess.candidates.map((each) => each.name));
  const lines = LEVELS.flatMap(([level, title]) => {
    const best = (guess[level] ?? []).slice(0, 2).filter((each) => each.probability >= 0.05);
    // What the candidates say already is not said again.
    return best.length && !best.every((each) => named.has(each.name)) ? [[title, best]] : [];
  });
  if (!lines.length) return [];
  const list = make("dl", "levels");
  for (const [title, best] of lines) {
    list.append(make("dt", "", title), make("dd", "", best.map((each) => `${each.name} ${percent(each.probability)}`).join(", ")));
  }
  return [list];
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}` : "");
