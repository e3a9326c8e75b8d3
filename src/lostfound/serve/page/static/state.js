// What the page knows: the photos, what was said of them, what is chosen. Who draws it listens.

export const state = {
  photos: [],        // in the order they came
  place: null,       // what is said of all of them together, while they show one place
  chosen: null,      // the photo, or the place, that is looked at
  shown: null,       // of a place: the photo whose picture is shown
  heat: null,        // which heat map lies over it: null, "answer", "runner-up"
  options: {
    model: null, countries: [], mode: "countries", box: null, prior: "", samePlace: false, always: false,
  },
  settings: { tiles: null, max_photos: 64, max_bytes: null, version: "" },
  models: [],
  countries: [],
  gone: false,       // does the server not answer?
  busyUntil: null,   // when it is asked again, if it was too busy
  locked: false,     // does it ask for a token?
};

let number = 0;

// Photo states: waiting, sending, answering, done, failed.
export function newPhoto(file, name) {
  number += 1;
  return {
    id: number, file, name, status: "waiting", share: 0, guess: null, error: null,
    thumbnail: undefined,  // the address of a small picture; null where the browser can't show the photo
    heatMaps: null,        // as the server gives them; "asked" meanwhile
    heatError: null,
  };
}

export const newPlace = () => ({
  id: 0, isPlace: true, name: "One place", status: "waiting", share: 0, guess: null, error: null,
});

const listeners = new Set();
let planned = false;

export const onChange = (listener) => listeners.add(listener);

// Drawn once for all changes of a moment.
export function changed() {
  if (planned) return;
  planned = true;
  queueMicrotask(() => {
    planned = false;
    for (const listener of listeners) listener();
  });
}

// What has answers: the photos one by one, or their place.
export const subjects = () => (state.place ? [state.place] : state.photos);

export const model = () =>
  state.models.find((each) => each.name === state.options.model) ??
  state.models.find((each) => each.default) ?? state.models[0] ?? null;

export function choose(subject) {
  state.chosen = subject;
  state.shown = subject?.isPlace ? state.photos[0] ?? null : subject;
  changed();
}
