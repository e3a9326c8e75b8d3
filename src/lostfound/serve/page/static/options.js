// The options: how photos are answered. All are asked anew when one changes.
import { button, byId, make, say, tell } from "./dom.js";
import { shownBox } from "./map.js";
import { askAgain } from "./sending.js";
import { changed, model, onChange, state } from "./state.js";
import { listed, plain } from "./words.js";

const options = state.options;
const boxes = new Map();  // of a country's code: its line in the list

export function build() {
  bind("same-place", "change", (input) => { options.samePlace = input.checked; });
  bind("model", "change", (input) => { options.model = input.value; });
  bind("prior", "change", (input) => { options.prior = input.value; });
  bind("always", "change", (input) => { options.always = input.checked; }, true);
  for (const input of byId("where-mode").querySelectorAll("input")) {
    input.addEventListener("change", () => {
      options.mode = input.value;
      if (options.countries.length) askAgain({ all: true });
      changed();
    });
  }
  byId("country-search").addEventListener("input", filter);
  byId("country-search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();  // the form has nothing to send
    firstVisible()?.click();
  });
  byId("area-set").addEventListener("click", () => setArea(shownBox()));
  byId("area-clear").addEventListener("click", () => {
    setArea(null);
    byId("area-set").focus();
  });
  byId("options").addEventListener("submit", (event) => event.preventDefault());
  onChange(draw);
}

function bind(id, event, take, all = true) {
  byId(id).addEventListener(event, ({ target }) => {
    take(target);
    askAgain({ all });
    changed();
  });
}

export function answerAnyway() {
  options.always = true;
  byId("always").checked = true;
  askAgain({ all: true });
}

function setArea(box) {
  if (!box && !options.box) {
    say("The map shows the whole Earth: go closer first.");
    tell(byId("area-set"), "Go closer on the map first");
    setTimeout(() => tell(byId("area-set"), "Only the area shown on the map"), 4000);
    return;
  }
  options.box = box;
  askAgain({ all: true });
  changed();
}

export function listCountries() {
  const list = byId("country-list");
  list.replaceChildren(...state.countries.map(({ code, name }) => {
    const line = make("label", "country-line");
    const input = make("input");
    Object.assign(input, { type: "checkbox", value: code });
    input.addEventListener("change", () => pick(code, input.checked));
    line.append(input, make("span", "", name), make("span", "code", code));
    boxes.set(code, { line, input, name, text: `${plain(name)}\n${code.toLowerCase()}` });
    return line;
  }));
}

function pick(code, wanted) {
  options.countries = options.countries.filter((each) => each !== code);
  if (wanted) options.countries.push(code);
  boxes.get(code).input.checked = wanted;
  askAgain({ all: true });
  changed();
}

function filter() {
  const wanted = plain(byId("country-search").value.trim());
  let any = false;
  for (const { line, text } of boxes.values()) {
    const [name, code] = text.split("\n");
    line.hidden = !(name.includes(wanted) || code === wanted);
    any ||= !line.hidden;
  }
  byId("country-none").hidden = any;
}

const firstVisible = () => [...boxes.values()].find(({ line }) => !line.hidden)?.input;

export function listModels() {
  byId("model").replaceChildren(...state.models.map((each) => {
    const option = make("option", "", each.name);
    option.value = each.name;
    return option;
  }));
  byId("model-option").hidden = state.models.length < 2;
  options.model = state.models.length > 1 ? model().name : null;
  if (options.model) byId("model").value = options.model;
}

function draw() {
  const { countries, box } = options;
  const chosen = byId("chosen-countries");
  chosen.hidden = !countries.length;
  if (chosen.dataset.codes !== countries.join()) {
    chosen.dataset.codes = countries.join();
    chosen.replaceChildren(...countries.map((code) => {
      const { name } = boxes.get(code);
      const item = make("li");
      item.append(button("chip", `${name} ×`, () => {
        pick(code, false);
        byId("country-search").focus();
      }, `Remove ${name}`));
      return item;
    }));
  }
  byId("area-set").hidden = box !== null;
  byId("area-clear").hidden = box === null;
  if (box) {
    const [south, west, north, east] = box.map((value) => value.toFixed(1));
    tell(byId("area-clear").firstElementChild, `Only ${south}° to ${north}° N, ${west}° to ${east}° E ×`);
    byId("area-clear").setAttribute("aria-label", "Remove the area");
  }
  tell(byId("options-set"), set().join(" · "));
  byId("model-hint").textContent = described();
  drawSamePlace();
}

// What is set, in the line that opens the options.
function set() {
  const names = options.countries.map((code) => boxes.get(code).name);
  return [
    ...(names.length ? [`${options.mode === "not" ? "not" : "only"} ${listed(names, 2)}`] : []),
    ...(options.box ? ["one area"] : []),
    ...(options.prior ? ["other prior"] : []),
    ...(options.always ? ["always answer"] : []),
  ];
}

function described() {
  const one = model();
  if (!one) return "";
  const parts = [one.kind === "classify" && one.answers ? `ranks ${one.answers} places` : one.kind, one.license].filter(Boolean);
  return parts.join(" · ");
}

function drawSamePlace() {
  const can = model()?.same_place !== false;
  byId("same-place").disabled = !can;
  byId("same-place-label").hidden = state.photos.length < 2 && !options.samePlace;
  byId("same-place-hint").hidden = byId("same-place-label").hidden;
}
