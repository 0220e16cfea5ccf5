// A moment on a page: in the zone of the location it is about, with UTC on hover.
import { h } from "./dom.js";
import { instant, learnZones, utc, zoneOf } from "./format.js";

const texts = new WeakMap(); // of the moments on pages: a row may be drawn before its location's zone is known

/** `location`: where it counts; without one, or until its zone is known, the reader's own zone is named. */
export function when(value, location, options) {
  const text = () => instant(value, zoneOf(location), options);
  const element = h("time", { datetime: value, title: utc(value) }, text());
  texts.set(element, text);
  return element;
}

/** Takes the zones of the status and says the moments on the page in them. */
export function learnPlaces(locations) {
  if (!learnZones(locations)) return;
  for (const element of document.querySelectorAll("time")) if (texts.has(element)) element.textContent = texts.get(element)();
}
