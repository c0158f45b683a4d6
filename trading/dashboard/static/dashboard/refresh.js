// When the panels are asked for: at the events that concern them, and now and then; without a stream of events, as often
// as they may be. No panel is ever asked for more often than that.
"use strict";

const TICK_MS = 250;
const AGAIN_MS = 30000; // a stream that was refused is asked for again
// Every order changes its stock, so these tell of orders too; orders themselves would be many.
const STREAM = "/events?types=stock,leader,replica";

const panels = Array.from(document.querySelectorAll("[data-every]"), (element) => ({
  element,
  everyMs: 1000 * element.dataset.every,
  calmMs: 1000 * element.dataset.calm,
  events: element.dataset.events.split(" "),
  askedAt: performance.now(), // by `load`
  isWanted: false,
}));
let stream = null;
let refusedAt = -Infinity;

function isLive() {
  return stream !== null && stream.readyState === EventSource.OPEN;
}

function tick() {
  if (document.hidden) {
    return;
  }
  const now = performance.now();
  for (const panel of panels) {
    const gapMs = isLive() && !panel.isWanted ? panel.calmMs : panel.everyMs;
    if (now - panel.askedAt >= gapMs) {
      htmx.trigger(panel.element, "refresh");
    }
  }
  if (stream === null && now - refusedAt >= AGAIN_MS) {
    listen();
  }
}

function want(wanted) {
  wanted.forEach((panel) => (panel.isWanted = true));
  tick();
}

function listen() {
  stream = new EventSource(STREAM);
  for (const type of ["stock", "leader", "replica"]) {
    stream.addEventListener(type, () => want(panels.filter((panel) => panel.events.includes(type))));
  }
  // What happened before the place is told by no event.
  stream.addEventListener("place", () => want(panels));
  stream.addEventListener("reset", () => want(panels));
  stream.addEventListener("error", function () {
    if (stream.readyState === EventSource.CLOSED) {
      stream = null;
      refusedAt = performance.now();
    }
  });
}

function hush() {
  if (stream !== null) {
    stream.close();
    stream = null;
  }
}

document.addEventListener("htmx:beforeRequest", function (event) {
  const panel = panels.find(({ element }) => element === event.target);
  if (panel) {
    panel.askedAt = performance.now();
    panel.isWanted = false;
  }
});

// A browser opens few connections to one site: a tab that nobody sees holds none.
document.addEventListener("visibilitychange", function () {
  if (document.hidden) {
    hush();
  } else {
    panels.forEach(({ element }) => htmx.trigger(element, "refresh"));
    refusedAt = -Infinity;
    tick();
  }
});
addEventListener("pagehide", hush);

setInterval(tick, TICK_MS);
tick();
