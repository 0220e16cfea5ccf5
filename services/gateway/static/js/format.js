// How numbers, money, dates and units are written. Unknown is a dash with the word for screen readers, never a zero.

const LOCALE = navigator.languages?.length ? [...navigator.languages] : undefined;
const cached = new Map();

function formatter(kind, options) {
  const key = kind.name + JSON.stringify(options);
  if (!cached.has(key)) cached.set(key, new kind(LOCALE, options));
  return cached.get(key);
}

export const UNKNOWN = "–";
const missing = (value) => value === null || value === undefined || value === "" || Number.isNaN(Number(value));

/** A count or quantity as the reader's locale writes it. Decimal strings of the API come in as they are. */
export function number(value, digits = 2, least = 0) {
  return missing(value) ? UNKNOWN : formatter(Intl.NumberFormat, { minimumFractionDigits: least, maximumFractionDigits: digits }).format(Number(value)).replace("-", "−");
}

/** The word for a unit, beside a number: "each" is how systems write "units". */
export function unitWord(unit, value = 2) {
  if (!unit || unit === "each" || unit === "EA") return Number(value) === 1 ? "unit" : "units";
  return unit;
}

export const quantity = (value, unit) => (missing(value) ? UNKNOWN : `${number(value)} ${unitWord(unit, value)}`);

const NO_CURRENCY = "XXX"; // ISO 4217; terms that name none

export function money(value, currency, digits) {
  if (missing(value)) return UNKNOWN;
  const amount = Number(value);
  if (!currency || currency === NO_CURRENCY) return number(amount, digits ?? 2, digits ?? 2);
  const options = { style: "currency", currency, currencyDisplay: "narrowSymbol" };
  if (digits !== undefined) Object.assign(options, { maximumFractionDigits: digits, minimumFractionDigits: digits });
  return formatter(Intl.NumberFormat, options).format(amount).replace("-", "−");
}

export const wholeMoney = (value, currency) => money(value, currency, 0);

export function percent(value, digits = 0) {
  return missing(value) ? UNKNOWN : formatter(Intl.NumberFormat, { style: "percent", maximumFractionDigits: digits }).format(Number(value));
}

/** A business date (YYYY-MM-DD) is a day at a location, not an instant: it is never shifted into another zone. */
export function day(value, { year = false, weekday = true } = {}) {
  if (!value) return UNKNOWN;
  const options = { day: "numeric", month: "short", timeZone: "UTC", ...(weekday && { weekday: "short" }), ...(year && { year: "numeric" }) };
  return formatter(Intl.DateTimeFormat, options).format(new Date(`${value.slice(0, 10)}T00:00:00Z`));
}

/** An instant in the location's zone (else the reader's), with the zone named. */
export function instant(value, zone, { date = true, seconds = false } = {}) {
  if (!value) return UNKNOWN;
  const options = { hour: "2-digit", minute: "2-digit", timeZoneName: "short", ...(seconds && { second: "2-digit" }), ...(date && { day: "numeric", month: "short" }), ...(zone && { timeZone: zone }) };
  try {
    return formatter(Intl.DateTimeFormat, options).format(new Date(value));
  } catch {
    return formatter(Intl.DateTimeFormat, { ...options, timeZone: "UTC" }).format(new Date(value));
  }
}

const zones = new Map(); // of locations, as the status tells them
/** Whether one of them was new. */
export function learnZones(locations) {
  const news = (locations ?? []).filter((one) => one.time_zone && zones.get(one.location) !== one.time_zone);
  for (const one of news) zones.set(one.location, one.time_zone);
  return news.length > 0;
}
export const zoneOf = (location) => zones.get(location);

export const utc = (value) => (value ? `${new Date(value).toISOString().replace("T", " ").slice(0, 19)} UTC` : "");

/** The day `days` after a business date, as YYYY-MM-DD. */
export function plusDays(value, days) {
  const moved = new Date(`${value}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

export function daysBetween(from, to) {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);
}

/** "1 line", "12 lines": the plural of a plain English noun. */
export const count = (amount, noun, plural = `${noun}s`) => `${number(amount, 0)} ${Number(amount) === 1 ? noun : plural}`;

/** Sum of decimal strings, for a total on screen; ten-thousandths as integers, so that 0.1 + 0.2 is 0.3. */
export const total = (values) => values.reduce((sum, value) => sum + Math.round(Number(value ?? 0) * 10_000), 0) / 10_000;

export const shortId = (id) => (id && id.length > 16 ? `${id.slice(0, 8)}…${id.slice(-4)}` : id ?? UNKNOWN);

// Names that the field writes in its own way; every code that is shown goes through `words`.
const NAMES = {
  adida: "ADIDA", croston_sba: "Croston-SBA", ets: "ETS", holt_winters: "Holt-Winters", imapa: "IMAPA", lightgbm: "LightGBM", lightgbm_tweedie: "LightGBM (Tweedie)",
  ses: "SES", tsb: "TSB", xgboost: "XGBoost", xgboost_tweedie: "XGBoost (Tweedie)",
};
export const words = (code) => NAMES[code] ?? (code ? code.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase()) : UNKNOWN);
