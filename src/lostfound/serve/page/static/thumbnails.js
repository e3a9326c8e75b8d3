// Small pictures of photos, made one at a time: a photo in full takes 50 MB in memory, and there may be hundreds.
import { changed } from "./state.js";

const SIDE = 192;  // pixels of the shorter side, for dense screens
const waiting = [];
let working = false;

export function want(photo) {
  if (photo.thumbnail !== undefined || waiting.includes(photo)) return;
  waiting.push(photo);
  if (!working) work();
}

export function forget(photo) {
  if (photo.thumbnail) URL.revokeObjectURL(photo.thumbnail);
  photo.forgotten = true;
}

async function work() {
  working = true;
  while (waiting.length) {
    const photo = waiting.shift();
    if (photo.forgotten) continue;
    photo.thumbnail = await small(photo.file).then((blob) => URL.createObjectURL(blob), () => null);
    if (photo.forgotten) forget(photo);
    changed();
  }
  working = false;
}

async function small(file) {
  const whole = await createImageBitmap(file);
  try {
    const share = Math.min(1, SIDE / Math.min(whole.width, whole.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(whole.width * share));
    canvas.height = Math.max(1, Math.round(whole.height * share));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";  // under what is transparent
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = "high";
    context.drawImage(whole, 0, 0, canvas.width, canvas.height);
    return await new Promise((resolve, reject) => {
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture"))), "image/jpeg", 0.82);
    });
  } finally {
    whole.close();
  }
}

// What stands for a photo that the browser can't show.
export const kind = (name) => (/\.([a-z0-9]{2,4})$/i.exec(name)?.[1] ?? "photo").toUpperCase();
