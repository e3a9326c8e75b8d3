// The last page: the player's score and the model's, a map of both, the best round and the worst.
import { button, byId, make } from "./dom.js";
import { distance, points } from "./words.js";

// As players read them; the records and the tables of the command line have the metrics' own names.
const LABELS = {
  top_1_accuracy: "right with the first answer",
  top_3_accuracy: "right among the first three",
  top_5_accuracy: "right among five",
  geoguessr_score: "points a round, of 5,000",
  median_distance_km: "half of the guesses are nearer than",
  within_25_km_city: "within 25 km",
  within_750_km_country: "within 750 km",
};
const label = ({ name }) => LABELS[name] ?? name;
const MOST_LINES = 200;  // more would cover the map

function table(caption, heads, rows) {
  const made = make("table");
  made.append(make("caption", "", caption));
  const head = make("tr");
  head.append(...heads.map((text) => (text ? Object.assign(make("th", "", text), { scope: "col" }) : make("td"))));
  made.createTHead().append(head);
  const body = made.createTBody();
  for (const { cells, className = "" } of rows) {
    const line = make("tr", className);
    line.append(...cells.map((cell, column) => {
      const box = column ? make("td") : Object.assign(make("th"), { scope: "row" });
      box.append(cell);
      return box;
    }));
    body.append(line);
  }
  const scrolls = make("div", "scrolls");
  scrolls.tabIndex = 0;
  scrolls.setAttribute("role", "group");
  scrolls.setAttribute("aria-label", caption);
  scrolls.append(made);
  return scrolls;
}

function scores({ scores: rows, model, rounds }) {
  const heads = ["", "You", ...(model ? [model] : [])];
  return table(`Of ${rounds.length} rounds that count`, heads, rows.map((each) => ({ cells: [label(each), each.own, ...(model ? [each.model] : [])] })));
}

function said(answer) {
  if (answer.score !== null && answer.km !== null) return `${distance(answer.km)}, ${points(answer.score)}`;
  return answer.text;
}

function card(title, each, game) {
  const made = make("figure", "card");
  const image = make("img");
  image.src = `/api/games/${game}/rounds/${each.round}/0`;
  image.alt = `The photo of the ${title.toLowerCase()}`;
  const words = make("figcaption");
  words.append(make("strong", "", title), make("span", "", each.truth.name || "On the map"), make("span", "quiet", `You: ${said(each.own)}`));
  if (each.model) words.append(make("span", "quiet", `Model: ${said(each.model)}`));
  made.append(image, words);
  return made;
}

function mark(answer) {
  if (answer.right === null) return make("span", "", said(answer));
  const made = make("span", answer.right ? "good" : "", answer.text);
  if (answer.right) made.prepend(Object.assign(make("span", "", "✓ "), { ariaHidden: "true" }));
  else if (answer.rank) made.append(make("span", "quiet", ` (number ${answer.rank} is right)`));
  return made;
}

function roundsTable({ rounds, model }) {
  const heads = ["Round", "It is", "You", ...(model ? [model] : [])];
  return table("All rounds", heads, rounds.map((each, index) => ({
    cells: [String(index + 1), `${each.truth.name || "–"}${each.known ? " (known)" : ""}`, mark(each.own), ...(model ? [mark(each.model)] : [])],
  })));
}

function leaders(rows, what) {
  return table("All who have finished", ["", "Player", what], rows.map(({ player, text, own }, index) => ({
    cells: [String(index + 1), player, text], className: own ? "own" : "",
  })));
}

function draw({ rounds, model }, atlas) {
  atlas.clear();
  const shown = [];
  for (const each of rounds.slice(0, MOST_LINES)) {
    const { own, truth } = each;
    const end = own.way.length ? own.way.at(-1) : truth.point;
    if (own.way.length) {
      atlas.way(own.way, "own");
      atlas.pin(own.way[0], "own small", "");
      shown.push(own.way[0]);
    }
    if (each.model?.point) atlas.pin(each.model.point, "model small", "");
    atlas.pin(end, "true small", truth.name);
    shown.push(end);
  }
  atlas.look(shown, false);
  const key = make("ul", "key");
  const kinds = [["true", "where it was"], ["own", "your guesses"], ...(model ? [["model", `${model}'s`]] : [])];
  key.append(...kinds.map(([kind, text]) => {
    const line = make("li");
    line.append(make("span", `spot ${kind} small`), text);
    return line;
  }));
  byId("end-atlas").append(key);
}

function heading({ scores: [first], player }) {
  return first ? `${player}: ${first.own}` : player;
}

function note({ skipped, known, scores: [first], model }) {
  const found = [];
  if (first) found.push(`${label(first)}${model ? `; ${model} has ${first.model}` : ""}.`);
  if (found.length) found[0] = found[0][0].toUpperCase() + found[0].slice(1);
  if (skipped) found.push(`You skipped ${skipped}.`);
  if (known) found.push(`You knew ${known}.`);
  return found.join(" ");
}

export function showEnd(results, game, atlas, again) {
  byId("end-heading").textContent = heading(results);
  byId("end-note").textContent = note(results);
  const cards = make("div", "cards");
  for (const [title, number] of [["Best round", results.best], ["Worst round", results.worst]]) {
    const each = results.rounds.find(({ round }) => round === number);
    if (each) cards.append(card(title, each, game));
  }
  byId("end-words").replaceChildren(scores(results), cards);
  if (results.leaders) byId("end-words").append(leaders(results.leaders, results.scores[0] ? label(results.scores[0]) : ""));
  byId("end-words").append(roundsTable(results));
  if (results.again) {
    const line = make("p", "row");
    line.append(Object.assign(button("button first", "Play again, with other places", again), { id: "again" }));
    byId("end-words").append(line);
  }
  byId("end-atlas").querySelector(".key")?.remove();
  draw(results, atlas);
}
