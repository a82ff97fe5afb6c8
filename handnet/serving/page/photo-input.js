// A place for photos: chosen, dropped, pasted, taken with the camera, or an example.

import { getBlob, getJson, loadImage } from "./api.js";
import { ask, h, svg } from "./dom.js";

const TAKEN = ["image/jpeg", "image/png", "image/gif", "image/bmp"];
const MAX_BYTES = 8_000_000;
const MAX_SIDE_PX = 4096;

// What the server does not read (HEIC, WebP) or would refuse as too large becomes a JPEG here, turned upright.
async function prepare(file) {
  if (TAKEN.includes(file.type) && file.size <= MAX_BYTES) return file;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, MAX_SIDE_PX / Math.max(bitmap.width, bitmap.height));
    const canvas = h("canvas", { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await toFile(canvas, file.name);
  } catch {
    return file; // The server says what is wrong with it.
  }
}

async function toFile(canvas, name) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
  return new File([blob], name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
}

async function takePhoto() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1600 } } });
  } catch {
    await ask([h("h2", {}, "No camera"), h("p", {}, "There is none, or the browser was not allowed to use it. Browsers allow it on this machine's own address and over https only.")], []);
    return null;
  }
  const video = h("video", { autoplay: true, playsinline: true });
  video.muted = true;
  video.srcObject = stream;
  const shoot = h("button", { class: "main", value: "shoot", disabled: true }, "Take the photo");
  video.addEventListener("loadeddata", () => { shoot.disabled = false; });
  const answer = await ask([h("h2", {}, "Hold one hand flat before the camera"), video], shoot);
  let file = null;
  if (answer && video.videoWidth) {
    const canvas = h("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    file = await toFile(canvas, "camera.jpg");
  }
  stream.getTracks().forEach((track) => track.stop());
  return file;
}

export function photoInput({ title, several = false, examples = false, onchange = () => {} }) {
  let photos = [];
  let urls = [];
  const input = h("input", { type: "file", accept: "image/*", multiple: several, "aria-label": title });
  const drop = h("label", { class: "drop" });
  const thumbs = h("div", { class: "thumbs" });
  const camera = h("button", { type: "button", class: "small" }, "Use the camera");
  const clear = h("button", { type: "button", class: "small", hidden: true }, several ? "Clear all" : "Clear");
  const extra = h("div", { class: "thumbs" });

  function draw() {
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = photos.map((photo) => URL.createObjectURL(photo));
    drop.classList.toggle("filled", photos.length > 0);
    clear.hidden = !photos.length;
    const unseen = (text) => (event) => event.target.replaceWith(h("span", { class: "hint" }, text));
    if (photos.length) drop.replaceChildren(h("img", { class: "photo", src: urls[0], alt: `chosen: ${photos[0].name}`, onerror: unseen(`${photos[0].name} cannot be shown`) }), input);
    else {
      const picture = svg("svg", { viewBox: "0 0 48 48", "aria-hidden": "true" }, svg("path", { d: "M18 25V12M23.5 23V9.5M29 23V11M34 25v-9M18 25l-3.6-3.4c-1.9-1.7-4.5.4-3.3 2.6L17 34.500c1.900 3.500 5 5.200 9 5.200 5.800 0 8-4 8-9.500V25" }));
      drop.replaceChildren(picture, h("strong", {}, title), h("span", { class: "hint" }, "Drop it here, paste it, or tap to choose"), input);
    }
    thumbs.replaceChildren(...(photos.length > 1 ? photos.map((photo, place) => h("button", { type: "button", class: "thumb", "aria-label": `Leave out ${photo.name}`, onclick: () => set(photos.filter((_, other) => other !== place)) }, h("img", { src: urls[place], alt: "", onerror: unseen("?") }))) : []));
  }
  function set(files) {
    photos = several ? files : files.slice(-1);
    input.value = "";
    draw();
    onchange(photos);
  }
  async function add(files) {
    const prepared = await Promise.all([...files].map(prepare));
    if (prepared.length) set(several ? [...photos, ...prepared] : prepared);
  }
  input.addEventListener("change", () => add([...input.files]));
  for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => { event.preventDefault(); add(event.dataTransfer.files); });
  camera.addEventListener("click", async () => { const file = await takePhoto(); camera.focus(); if (file) add([file]); });
  clear.addEventListener("click", () => { set([]); input.focus(); });
  if (examples) {
    getJson("/v1/examples").then((names) => {
      if (!names.length) return;
      extra.replaceChildren(...names.map((name) => {
        const path = `/v1/examples/${encodeURIComponent(name)}`;
        const choose = async () => add([new File([await getBlob(path)], name, { type: "image/jpeg" })]);
        return h("button", { type: "button", class: "thumb", title: name, "aria-label": `Example: ${name}`, onclick: choose }, loadImage(path, ""));
      }));
      extra.before(h("p", { class: "quiet" }, "Or try an example"));
    }, () => {});
  }
  draw();
  const element = h("div", { class: "stack" }, drop, thumbs, h("div", { class: "row" }, camera, clear), extra);
  return { element, get photos() { return photos; }, clear: () => set([]), add };
}

// What is pasted goes into the first photo place of the tab that is shown.
export function takePasted(inputs) {
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])].filter((file) => file.type.startsWith("image/"));
    const shown = inputs.filter((input) => input.element.offsetParent !== null);
    const place = shown.find((input) => !input.photos.length) || shown[0];
    if (files.length && place) { event.preventDefault(); place.add(files); }
  });
}
