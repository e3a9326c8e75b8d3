// The chosen photo, and over it which parts speak for the answer or for the runner-up.
import * as api from "./api.js";
import { button, make, say } from "./dom.js";
import { enlarge } from "./enlarge.js";
import { changed, model, state } from "./state.js";
import { kind } from "./thumbnails.js";
import { percent } from "./words.js";

const ROLES = [[null, "Photo"], ["answer", "Answer"], ["runner-up", "Runner-up"]];
let photo = null;    // that is shown
let address = null;  // of its picture
let view = null;     // the elements
let strength = 85;   // percent

export function stage(box, shown) {
  if (photo !== shown) {
    if (address) URL.revokeObjectURL(address);
    address = null;
    photo = shown;
    view = shown ? build(shown) : null;
    box.replaceChildren(...(view ? [view.frame, view.controls] : []));
  }
  if (view) update();
}

function build(shown) {
  const frame = make("div", "frame");
  const image = make("img", "picture");
  image.alt = shown.name;
  image.addEventListener("error", () => {
    image.hidden = true;
    larger.hidden = true;
    frame.classList.add("blind");
    frame.prepend(make("span", "kind", kind(shown.name)), make("span", "hint", "This browser can’t show the photo; the server reads it."));
  });
  address = URL.createObjectURL(shown.file);
  image.src = address;
  const overlay = make("img", "overlay");
  overlay.hidden = true;
  const sheet = make("div", "sheet");  // as large as the picture, so that what lies over it fits
  const larger = button("enlarge", "Enlarge", () => enlarge(address, shown.name));
  sheet.append(image, overlay, larger);
  frame.append(sheet);
  const controls = make("div", "heat-controls");
  const choices = make("fieldset", "choices");
  choices.append(make("legend", "aside", "What speaks for it"));
  const options = ROLES.map(([role]) => choice(choices, role));
  const note = make("p", "hint");
  note.setAttribute("role", "status");
  const slider = make("label", "strength");
  const range = make("input");
  Object.assign(range, { type: "range", min: 0, max: 100, value: strength });
  range.addEventListener("input", () => {
    strength = Number(range.value);
    update();
  });
  slider.append(make("span", "", "Strength"), range);
  controls.append(choices, slider, note);
  return { frame, image, overlay, controls, options, slider, note };
}

function choice(box, role) {
  const label = make("label", "choice");
  const input = make("input");
  Object.assign(input, { type: "radio", name: "heat", value: role ?? "" });
  input.addEventListener("change", () => {
    state.heat = role;
    photo.heatError = null;  // what failed is asked for again
    changed();
  });
  const words = make("span");
  label.append(input, words);
  box.append(label);
  return { role, label, input, words };
}

function update() {
  const { guess } = photo;
  const can = guess && photo.status === "done" && !state.place && (model()?.explains ?? []).length > 0;
  view.controls.hidden = !can;
  if (!can) return show(null);
  const known = Array.isArray(photo.heatMaps) ? photo.heatMaps : null;
  for (const { role, label, input, words } of view.options) {
    const candidate = guess.candidates[role === "answer" ? 0 : 1];
    label.hidden = role !== null && (!candidate || (known !== null && !known.some((each) => each.role === role)));
    words.textContent = role === null ? "Photo" : `${role === "answer" ? "Why" : "Why not"} ${candidate?.name ?? ""}?`;
    input.checked = state.heat === role;
  }
  if (state.heat !== null && photo.heatMaps === null && !photo.heatError) ask(photo);
  return show(known?.find((each) => each.role === state.heat) ?? null);
}

function show(map) {
  const waits = state.heat !== null && photo.heatMaps === "asked";
  view.slider.hidden = !map;
  view.overlay.hidden = !map;
  view.frame.classList.toggle("heat", Boolean(map) && strength > 0);
  view.frame.classList.toggle("waits", waits);
  view.overlay.style.opacity = strength / 100;
  if (map) {
    const source = `data:image/png;base64,${map.png}`;
    if (view.overlay.src !== source) view.overlay.src = source;
    view.overlay.alt = `Heat map over the photo for the ${map.role}`;
  }
  const text = state.heat === null ? "" : photo.heatError ?? (waits
    ? "Looking which parts of the photo matter…"
    : map ? "Orange speaks for it, blue against. It shows what moved this model, not what is true of the place." : "There is no heat map of it.");
  if (view.note.textContent !== text) view.note.textContent = text;
}

async function ask(about) {
  about.heatMaps = "asked";
  const { guess } = about;
  try {
    const [answer] = await api.locate([about], { explain: true });
    if (about.guess !== guess) return;  // it was answered anew meanwhile
    about.heatMaps = answer.heat_maps ?? [];
    about.heatError = answer.error ?? null;
    const best = guess.candidates[0];
    if (about === photo) say(`Heat map for ${best.name} ${percent(best.probability)} shown.`);
  } catch (problem) {
    if (about.guess !== guess) return;
    Object.assign(about, { heatMaps: null, heatError: problem.message });
  }
  changed();
}
