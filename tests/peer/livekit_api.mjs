// LiveKit's SIP API by LiveKit's own JavaScript package, for tests and for people: prints one line of JSON.
//
// usage: node livekit_api.mjs FOLDER-WITH-node_modules URL KEY SECRET METHOD '[ARGUMENTS]'
//
// METHOD is one of SipClient's. An argument {"update": {…}} is a ListUpdate; {"direct": {…}} and so on is a rule.
// A refusal is {"error": {"code", "message", "status", "metadata"}} and exit code 3.
import { createRequire } from "node:module";
import path from "node:path";

const [folder, url, key, secret, method, json] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(folder), "main.js"));
const { SipClient } = require("livekit-server-sdk");
const { ListUpdate } = require("@livekit/protocol");

function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if ("update" in value) return new ListUpdate(value.update);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revive(inner)]));
}

const shown = (answer) =>
  Array.isArray(answer) ? answer.map(shown) : (answer?.toJson?.() ?? answer ?? {});

try {
  const client = new SipClient(url, key, secret);
  console.log(JSON.stringify(shown(await client[method](...revive(JSON.parse(json))))));
} catch (e) {
  const { code, message, status, metadata } = e;
  console.log(JSON.stringify({ error: { code, message, status, metadata } }));
  process.exit(3);
}
