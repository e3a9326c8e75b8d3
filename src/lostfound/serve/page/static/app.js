// Puts the page together.
import * as api from "./api.js";
import * as answer from "./answer.js";
import * as arrange from "./arrange.js";
import { byId, make } from "./dom.js";
import * as downloads from "./downloads.js";
import * as intake from "./intake.js";
import * as list from "./list.js";
import * as map from "./map.js";
import * as options from "./options.js";
import { unlock, wake } from "./sending.js";
import { changed, onChange, state } from "./state.js";

function buildNotices() {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    unlock(byId("token").value);
    byId("token").value = "";
    begin();
  });
  onChange(() => {
    byId("token-form").hidden = !state.locked;
    byId("host").textContent = location.host || "this server";
  });
}

function notice(text) {
  byId("notices").append(make("p", "notice", text));
}

let knows = false;  // what the server told of itself

// What the page needs to know; without it photos can be sent all the same.
async function begin() {
  try {
    const [settings, models, countries] = await Promise.all([api.settings(), api.models(), api.countries()]);
    if (knows) return;
    knows = true;
    Object.assign(state, { settings: { ...state.settings, ...settings }, models, countries });
    options.listModels();
    options.listCountries();
    byId("about").textContent = [model(models), settings.version && `lostfound ${settings.version}`].filter(Boolean).join(" · ");
    if (settings.tiles) map.useTiles(settings.tiles);
  } catch (problem) {
    if (problem.status === 401) state.locked = true;
    else notice(`${problem.message} Reload the page to see its options.`);
  }
  changed();
}

const model = (models) => {
  const one = models.find((each) => each.default) ?? models[0];
  return one ? `Model: ${one.name}` : "";
};

intake.listen();
arrange.build();
list.build();
answer.build();
downloads.build();
options.build();
buildNotices();
addEventListener("online", wake);
map.build().catch(() => notice("The map’s borders could not be loaded. Answers come all the same."));
begin();
