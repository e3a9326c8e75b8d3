// How photos come in: dropped, pasted, chosen, taken; and how they go.
import { unfit } from "./api.js";
import { byId, say } from "./dom.js";
import { askAgain, stop } from "./sending.js";
import { changed, choose, newPhoto, state, subjects } from "./state.js";
import { forget } from "./thumbnails.js";
import { count } from "./words.js";

const PICTURE = /\.(jpe?g|jfif|png|webp|gif|bmp|tiff?|heic|heif|avif|jxl|jp2|ppm|tga|ico)$/i;
const AWAY = new Set(["Thumbs.db", ".DS_Store"]);

const looksLikePhoto = (file) => file.type.startsWith("image/") || PICTURE.test(file.name);
const same = (one, other) =>
  one.name === other.name && one.file.size === other.file.size && one.file.lastModified === other.file.lastModified;

// Entries are {file, name, fromFolder}. Of folders only photos are taken; what was named one by one is answered for.
export function add(entries) {
  const wanted = entries.filter(({ file, fromFolder }) => !fromFolder || looksLikePhoto(file));
  const made = wanted.map(({ file, name }) => newPhoto(file, name ?? file.name));
  const fresh = made.filter((photo) => !state.photos.some((old) => same(old, photo)));
  for (const photo of fresh) {
    photo.unfit = unfit(photo.file);
    if (photo.unfit) Object.assign(photo, { status: "failed", error: photo.unfit });
    state.photos.push(photo);
  }
  const notes = [];
  if (made.length > fresh.length) notes.push(`${count(made.length - fresh.length, "photo")} of these ${made.length - fresh.length === 1 ? "is" : "are"} here already.`);
  if (entries.length > wanted.length) notes.push(`${count(entries.length - wanted.length, "file")} in the folder ${entries.length - wanted.length === 1 ? "is no photo" : "are no photos"}.`);
  if (!entries.length) notes.push("There was no photo in that.");
  state.note = notes.join(" ");
  say([fresh.length ? `${count(fresh.length, "photo")} added.` : "", state.note].filter(Boolean).join(" "));
  if (fresh.length) askAgain();
  if (!state.chosen) choose(subjects().find((each) => !each.unfit) ?? subjects()[0] ?? null);
  changed();
}

export function remove(photo) {
  const at = state.photos.indexOf(photo);
  state.photos.splice(at, 1);
  forget(photo);
  if (!state.photos.length) return clear();
  if (state.place) {
    if (state.shown === photo) state.shown = state.photos[0];
  } else if (state.chosen === photo) {
    choose(state.photos[Math.min(at, state.photos.length - 1)]);
  }
  say(`${photo.name} removed.`);
  if (state.place) askAgain();
  changed();
}

export function clear() {
  stop();
  state.photos.forEach(forget);
  Object.assign(state, { photos: [], place: null, note: "" });
  choose(null);
  say("All photos removed.");
}

async function inside(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => { entry.file(resolve, reject); });
    return AWAY.has(file.name) ? [] : [{ file, name: entry.fullPath.replace(/^\//, ""), fromFolder: true }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });
    if (!some.length) break;
    found.push(...some);
  }
  found.sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  const all = [];
  for (const each of found) all.push(...await inside(each));
  return all;
}

async function dropped(transfer) {
  // All must be asked for before the first wait: the browser then takes the transfer away.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const things = items.map((item) => ({ file: item.getAsFile(), entry: item.webkitGetAsEntry?.() }));
  if (!things.length) return [...transfer.files].map((file) => ({ file }));
  const entries = [];
  for (const { file, entry } of things) {
    if (entry?.isDirectory) entries.push(...await inside(entry));
    else if (file) entries.push({ file });
  }
  return entries;
}

function takeDrops() {
  const hasFiles = (event) => [...event.dataTransfer?.types ?? []].includes("Files");
  let depth = 0;  // of elements that are entered and not left
  const show = (visible) => { byId("dropping").hidden = !visible; };
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener("dragleave", (event) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  addEventListener("dragover", (event) => { if (hasFiles(event)) event.preventDefault(); });
  addEventListener("drop", async (event) => {
    depth = 0;
    show(false);
    if (!hasFiles(event)) return;
    event.preventDefault();  // else the browser leaves the page and opens the file
    add(await dropped(event.dataTransfer));
  });
}

let pasted = 0;

function takePastes() {
  addEventListener("paste", (event) => {
    const files = [...event.clipboardData?.files ?? []];
    if (!files.length) return;
    event.preventDefault();
    add(files.map((file) => {
      // Browsers call all pictures of the clipboard image.png.
      if (file.name && file.name !== "image.png") return { file };
      pasted += 1;
      return { file, name: `pasted-${pasted}.png` };
    }));
  });
}

export function listen() {
  takeDrops();
  takePastes();
  for (const id of ["choose", "camera", "folder"]) {
    byId(id).addEventListener("change", (event) => {
      const { files } = event.target;
      const fromFolder = id === "folder";
      add([...files].map((file) => ({ file, name: (fromFolder && file.webkitRelativePath) || file.name, fromFolder })));
      event.target.value = "";  // so that the same can be chosen again
    });
  }
  const byHand = matchMedia("(pointer: coarse)").matches;
  byId("camera-label").hidden = !byHand;
  byId("folder-label").hidden = byHand;
}
