// News come in bursts: what they make a page do is done once for a burst, and not again too soon.

/** `run`, once for all calls within `calmMs` of the first, and at least `spaceMs` after it ran last. The last call is always
 * followed by a run: what a page shows is late by `spaceMs` at most, however long the news go on. */
export function spaced(run, calmMs, spaceMs) {
  let timer = 0;
  let ran = -Infinity;
  return () => {
    if (timer) return;
    const wait = Math.max(calmMs, ran + spaceMs - performance.now());
    timer = setTimeout(() => { timer = 0; ran = performance.now(); run(); }, wait);
  };
}
