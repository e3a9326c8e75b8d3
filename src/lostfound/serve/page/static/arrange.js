// Finding one among many photos: a filter by name or country, and other orders than that in which they came.
import { byId } from "./dom.js";
import { changed, onChange, state } from "./state.js";
import { plain } from "./words.js";

const FEW = 8;  // photos that are seen at a glance

const sureness = ({ guess }) => (guess && !guess.abstained ? guess.candidates[0].probability ?? 0 : -1);
const ORDERS = {
  surest: (a, b) => sureness(b) - sureness(a),
  unsurest: (a, b) => sureness(a) - sureness(b),
  place: (a, b) => placeOf(a).localeCompare(placeOf(b)) || sureness(b) - sureness(a),
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
};
const placeOf = ({ guess }) => (guess && !guess.abstained ? guess.candidates[0].name : "\uffff");

export function build() {
  for (const id of ["filter", "order"]) byId(id).addEventListener("input", changed);
  onChange(() => {
    byId("arrange").hidden = state.place !== null || state.photos.length < FEW;
  });
}

// The photos that are listed, in their order.
export function arranged() {
  if (state.place || state.photos.length < FEW) return state.photos;
  const wanted = plain(byId("filter").value.trim());
  const shown = wanted ? state.photos.filter((photo) => textOf(photo).includes(wanted)) : state.photos;
  const order = ORDERS[byId("order").value];
  return order ? [...shown].sort(order) : shown;
}

function textOf({ name, guess }) {
  const said = !guess ? "" : guess.abstained ? "I don't know" : guess.candidates[0].name;
  return plain(`${name}\n${said}\n${guess?.country ?? ""}`);
}
