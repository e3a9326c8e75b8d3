// Numbers as people read them, the same as the pages and tables of the command line write them.

const NARROW = "\u00a0";

export const number = (value) => value.toLocaleString("en-GB");

export function percent(p) {
  if (p === null || p === undefined) return "";
  if (p > 0 && p < 0.005) return `<1${NARROW}%`;
  if (p < 1 && p > 0.995) return `>99${NARROW}%`;
  return `${Math.round(p * 100)}${NARROW}%`;
}

// An estimate has no more than two digits.
export function radius(km) {
  const rounded = Number(km.toPrecision(2));
  if (rounded < 1) return `${number(Math.round(1000 * rounded))}${NARROW}m`;
  return `${rounded < 10 ? rounded.toFixed(1) : number(rounded)}${NARROW}km`;
}

export function coordinates(latitude, longitude) {
  const one = (value, plus, minus) => `${Math.abs(value).toFixed(3)}°${NARROW}${value < 0 ? minus : plus}`;
  return `${one(latitude, "N", "S")}, ${one(longitude, "E", "W")}`;
}

// As maps and spreadsheets take them; five decimals are a metre.
export const plainCoordinates = (latitude, longitude) => `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;

export const count = (n, one, many = `${one}s`) => `${number(n)} ${n === 1 ? one : many}`;

export function bytes(n) {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))}${NARROW}kB`;
  return `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)}${NARROW}MB`;
}

// Lists in which each name is told apart from the next.
export function listed(names, most = 3) {
  const rest = names.length - most;
  const some = rest > 0 ? [...names.slice(0, most), `${rest} more`] : names;
  return some.length < 2 ? some.join("") : `${some.slice(0, -1).join(", ")} and ${some.at(-1)}`;
}

// What is searched: without accents and case.
export const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
