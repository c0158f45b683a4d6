// Follows a stream with the npm package eventsource and prints each event as a line of JSON:
// node eventsource.mjs PACKAGE URL HEADERS SECONDS
import { pathToFileURL } from "node:url";

const [folder, url, headers, seconds] = process.argv.slice(2);
const { EventSource } = await import(pathToFileURL(`${folder}/dist/index.js`));
const source = new EventSource(url, {
  fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...JSON.parse(headers) } }),
});
for (const type of ["place", "order", "stock", "leader", "replica", "reset"]) {
  source.addEventListener(type, (event) => {
    console.log(JSON.stringify({ type: event.type, data: JSON.parse(event.data), place: event.lastEventId }));
  });
}
setTimeout(() => process.exit(1), 1000 * Number(seconds));
