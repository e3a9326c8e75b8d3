// What is taken from the page: files of all answers, coordinates in the clipboard.
import { byId, make, say } from "./dom.js";
import { csv, geoJson, kml } from "./exports.js";
import { onChange, state, subjects } from "./state.js";

const KINDS = {
  geojson: [geoJson, "application/geo+json"],
  csv: [(answers) => `\ufeff${csv(answers)}`, "text/csv"],  // the mark tells spreadsheets that it is UTF-8
  kml: [kml, "application/vnd.google-earth.kml+xml"],
};

export function build() {
  for (const one of byId("downloads").querySelectorAll("button")) {
    one.addEventListener("click", () => download(one.dataset.kind));
  }
  onChange(() => { byId("downloads").hidden = !subjects().some((each) => each.guess); });
}

function answers() {
  const done = subjects().filter((each) => each.guess || each.status === "failed");
  return done.map((each) => each.isPlace
    ? { name: state.photos[0].name, names: state.photos.map((photo) => photo.name), guess: each.guess, error: each.error }
    : each);
}

function download(kind) {
  const [text, type] = KINDS[kind];
  const address = URL.createObjectURL(new Blob([text(answers())], { type }));
  const link = make("a");
  link.href = address;
  link.download = `located.${kind}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  say(`located.${kind} downloaded.`);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyByHand(text);  // without https, browsers give no clipboard
  }
  say(`Copied: ${text}`);
}

function copyByHand(text) {
  const field = make("textarea", "aside");
  field.value = text;
  const before = document.activeElement;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  before?.focus();
}
