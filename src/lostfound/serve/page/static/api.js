// The server, as the page asks it.
import { bytes } from "./words.js";
import { state } from "./state.js";

export class Problem extends Error {
  // status 0: the server did not answer.
  constructor(status, message, retryAfter = null) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;  // seconds
  }
  get isBusy() { return this.status === 429 || this.status === 503; }
  get isGone() { return this.status === 0 || this.status === 502; }
}

const SAID = {
  401: "The server asks for a token.",
  413: "This is more than the server takes.",
  415: "This is no photo that the server can read.",
  422: "This is no photo that the server can read.",
  429: "The server is busy.",
  503: "The server is busy.",
  504: "The server took too long.",
};

let token = null;
export const useToken = (given) => { token = given || null; };

// Asks for JSON. XMLHttpRequest, as it alone tells how much has been sent.
function request(method, address, { body = null, onProgress = null, signal = null } = {}) {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    asked.open(method, address);
    asked.setRequestHeader("Accept", "application/json");
    if (token) asked.setRequestHeader("Authorization", `Bearer ${token}`);
    if (onProgress) asked.upload.addEventListener("progress", (event) => onProgress(event.loaded / event.total));
    asked.addEventListener("load", () => {
      const answer = parsed(asked.responseText);
      if (asked.status === 200 && answer !== null) resolve(answer);
      else reject(new Problem(asked.status, words(asked.status, answer), seconds(asked)));
    });
    asked.addEventListener("error", () => reject(new Problem(0, "The server does not answer.")));
    asked.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => asked.abort());
    asked.send(body);
  });
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const words = (status, answer) =>
  typeof answer?.error === "string" ? answer.error : SAID[status] ?? `The server answered with an error (${status}).`;

function seconds(asked) {
  const said = asked.getResponseHeader("Retry-After");
  if (said === null || said === "") return null;
  const value = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(value) ? Math.max(0, value) : null;
}

export const settings = () => request("GET", "/v1/settings");
export const models = async () => (await request("GET", "/v1/models")).models;
export const countries = async () => (await request("GET", "/v1/countries")).countries;
export const answers = () => request("GET", "/v1/settings").then(() => true, (problem) => !problem.isGone);

// The options as the server's query has them.
export function query({ explain = false, samePlace = false } = {}) {
  const { model, countries, mode, box, prior, always } = state.options;
  const asked = new URLSearchParams({ top: "5" });
  if (model) asked.set("model", model);
  if (countries.length) asked.set(mode, countries.join(","));
  if (box) asked.set("box", box.join(","));
  if (prior) asked.set("prior", prior);
  if (always) asked.set("always_answer", "true");
  if (samePlace) asked.set("same_place", "true");
  if (explain) asked.set("explain", "true");
  return asked.toString();
}

// Where photos are: the guesses in their order.
export async function locate(photos, { explain, samePlace, onProgress, signal } = {}) {
  const form = new FormData();
  for (const photo of photos) form.append("photos", photo.file, photo.name);
  const answer = await request("POST", `/v1/locate?${query({ explain, samePlace })}`, { body: form, onProgress, signal });
  if (!Array.isArray(answer.guesses)) throw new Problem(500, "The server's answer holds no guesses.");
  return answer.guesses;
}

// Why a photo is not even sent; null if it is.
export function unfit(file) {
  if (file.size === 0) return "The file is empty.";
  const most = state.settings.max_bytes;
  if (most && file.size > most) return `Too large: ${bytes(file.size)}, and this server takes up to ${bytes(most)}.`;
  if (file.type && !file.type.startsWith("image/")) return `This is no photo (${file.type}).`;
  return null;
}
