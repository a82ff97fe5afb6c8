// Calls of the server. An API key, where one is needed, stays in this tab's session.

import { ask, h } from "./dom.js";

export const state = { collection: null };
const KEY = "handnet-key";
const pictures = new Map();
const MAX_PICTURES = 300;

class ServerError extends Error {
  constructor(problem, status) {
    super(problem.detail || `The server answered ${status}.`);
    this.errors = problem.errors;
    this.status = status;
  }
}

let asking = null;

async function askForKey(detail) {
  const input = h("input", { type: "password", required: true, autocomplete: "off", name: "key" });
  const content = [h("h2", {}, "This server asks for an API key"), h("p", { class: "note" }, detail), h("label", { class: "field" }, "API key", input)];
  const answer = await ask(content, h("button", { class: "main", value: "use" }, "Use it"));
  if (!answer) return false;
  sessionStorage.setItem(KEY, input.value.trim());
  return true;
}

async function call(path, options = {}) {
  for (;;) {
    const key = sessionStorage.getItem(KEY);
    const headers = { ...options.headers, ...(key ? { authorization: `Bearer ${key}` } : {}) };
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      throw new ServerError({ detail: "The server does not answer. Is it still running?" }, 0);
    }
    if (response.ok) return response;
    let problem = {};
    try { problem = await response.json(); } catch { /* not of this server: its status says enough */ }
    if (response.status !== 401) throw new ServerError(problem, response.status);
    // Calls that fail together ask once.
    asking ??= askForKey(problem.detail).finally(() => { asking = null; });
    if (!(await asking)) throw new ServerError(problem, response.status);
  }
}

const base = () => `/v1/collections/${encodeURIComponent(state.collection.name)}`;

export const getJson = async (path) => (await call(path)).json();
export const getBlob = async (path) => (await call(path)).blob();
export const getCollections = () => getJson("/v1/collections");
export const listPeople = (search, offset, limit) =>
  getJson(`${base()}/people?${new URLSearchParams({ search, offset, limit })}`);
export const showPerson = (id) => getJson(`${base()}/people/${id}`);
export const removePerson = (id) => call(`${base()}/people/${id}`, { method: "DELETE" });
export const removePhoto = (id, photo) => call(`${base()}/people/${id}/photos/${photo}`, { method: "DELETE" });
export const renamePerson = (id, name) =>
  call(`${base()}/people/${id}`, { method: "PATCH", body: JSON.stringify({ name }), headers: { "content-type": "application/json" } });

export async function postPhotos(verb, photos, fields = {}) {
  const form = new FormData();
  for (const photo of photos) form.append("photos", photo, photo.name || "photo.jpg");
  for (const [name, value] of Object.entries(fields)) if (value !== "" && value !== null) form.append(name, value);
  return (await call(`${base()}/${verb}`, { method: "POST", body: form })).json();
}

// An <img> that is filled when its picture has come; a picture asks for the key as any other call.
export function loadImage(path, alt, attributes = {}) {
  const image = h("img", { alt, ...attributes });
  if (!pictures.has(path)) {
    if (pictures.size >= MAX_PICTURES) {
      const [oldest, url] = pictures.entries().next().value;
      pictures.delete(oldest);
      url.then((made) => URL.revokeObjectURL(made), () => {});
    }
    pictures.set(path, getBlob(path).then((blob) => URL.createObjectURL(blob)));
  }
  pictures.get(path).then((url) => { image.src = url; }, () => { pictures.delete(path); image.replaceWith(h("span", {}, "no picture")); });
  return image;
}

export const picturePath = (person, photo) => `${base()}/people/${person}/photos/${photo}/picture`;

export function face(person, photo, name) {
  const letters = name.split(/\s+/).map((word) => [...word][0] || "").slice(0, 2).join("").toUpperCase();
  return h("span", { class: "face" }, photo ? loadImage(picturePath(person, photo), `enrolled photo of ${name}`) : h("span", { "aria-hidden": "true" }, letters));
}
