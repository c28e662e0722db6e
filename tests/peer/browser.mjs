// A participant of a LiveKit room in a real browser: Debian's Chromium, headless, with LiveKit's livekit-client.
//
// usage: node browser.mjs FOLDER-WITH-node_modules URL TOKEN
//
// Commands on standard input, events as lines of JSON on standard output, as person.py has them:
//   tone HERTZ | key DIGIT | heard | stats | attributes | leave
// `heard` is {"event":"heard","by":{identity:{"peak_hz","level"}}} of the sound that plays at this moment.
import { createServer } from "node:http";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [folder, url, token] = process.argv.slice(2);
const { chromium } = createRequire(join(folder, "x.js"))("playwright-core");
const tell = (event) => process.stdout.write(JSON.stringify(event) + "\n");

/** What runs in the page. */
const page_script = `
const LK = LivekitClient, ears = {};
const context = new AudioContext();
const speaker = context.createMediaStreamDestination(), gain = context.createGain(), voice = context.createOscillator();
gain.gain.value = 0; voice.connect(gain).connect(speaker); voice.start();
const room = new LK.Room({ adaptiveStream: false, dynacast: false });
const on = (name, what) => room.on(name, what);
on("trackSubscribed", (track, publication, who) => {
  tell({ event: "subscribed", identity: who.identity, mime: publication.mimeType, name: publication.trackName, sid: publication.trackSid });
  if (track.kind !== "audio") return;
  const element = track.attach(); element.play().catch((e) => tell({ event: "fault", why: String(e) }));
  const analyser = context.createAnalyser(); analyser.fftSize = 32768; analyser.smoothingTimeConstant = 0;
  context.createMediaStreamSource(new MediaStream([track.mediaStreamTrack])).connect(analyser);
  ears[who.identity] = { analyser, track, element };
});
on("trackUnsubscribed", (track, publication, who) => tell({ event: "unsubscribed", identity: who.identity, sid: publication.trackSid }));
on("participantConnected", (who) => tell({ event: "joined", identity: who.identity, kind: who.kind, attributes: who.attributes, name: who.name }));
on("participantDisconnected", (who) => tell({ event: "left", identity: who.identity }));
on("sipDTMFReceived", (dtmf, who) => tell({ event: "key", digit: dtmf.digit, code: dtmf.code, identity: who ? who.identity : "" }));
on("activeSpeakersChanged", (all) => tell({ event: "speaking", identities: all.map((s) => s.identity) }));
on("disconnected", (reason) => tell({ event: "disconnected", reason }));
async function join(url, token) {
  await context.resume();
  await room.connect(url, token);
  tell({ event: "connected", identity: room.localParticipant.identity, others: [...room.remoteParticipants.keys()] });
  const track = new LK.LocalAudioTrack(speaker.stream.getAudioTracks()[0], undefined, true);
  const published = await room.localParticipant.publishTrack(track, { source: LK.Track.Source.Microphone });
  tell({ event: "published", sid: published.trackSid });
}
function heard() {
  const by = {};
  for (const [who, ear] of Object.entries(ears)) {
    const bins = new Float32Array(ear.analyser.frequencyBinCount), wave = new Float32Array(ear.analyser.fftSize);
    ear.analyser.getFloatFrequencyData(bins); ear.analyser.getFloatTimeDomainData(wave);
    let best = 0; for (let i = 1; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    const level = Math.sqrt(wave.reduce((sum, x) => sum + x * x, 0) / wave.length);
    by[who] = { peak_hz: level > 1e-4 ? best * context.sampleRate / ear.analyser.fftSize : 0, level };
  }
  tell({ event: "heard", by });
}
async function stats() {
  const of = {};
  for (const [who, ear] of Object.entries(ears)) {
    for (const r of (await ear.track.receiver.getStats()).values()) {
      if (r.type === "inbound-rtp") of[who] = { ...of[who], received: r.packetsReceived, lost: r.packetsLost,
        concealed: r.concealedSamples, samples: r.totalSamplesReceived, jitter_buffer_ms: 1000 * r.jitterBufferDelay / r.jitterBufferEmittedCount };
      if (r.type === "codec") of[who] = { ...of[who], mime: r.mimeType };
    }
  }
  tell({ event: "stats", of });
}
const obey = {
  tone: (hertz) => { voice.frequency.value = Number(hertz) || 1; gain.gain.value = Number(hertz) > 0 ? 0.25 : 0; },
  key: (digit) => room.localParticipant.publishDtmf("0123456789*#ABCD".indexOf(digit.toUpperCase()), digit),
  heard, stats,
  attributes: () => { const all = [...room.remoteParticipants.values()];
    tell({ event: "attributes", of: Object.fromEntries(all.map((p) => [p.identity, p.attributes])),
      kind: Object.fromEntries(all.map((p) => [p.identity, p.kind])) }); },
  leave: () => room.disconnect(),
};
`;

const library = readFileSync(join(folder, "node_modules/livekit-client/dist/livekit-client.umd.js"));
// Served from loopback: a page from there may use microphones and sound, one from a file may not.
const server = createServer((request, response) => {
  if (request.url === "/livekit.js") return response.end(library);
  response.setHeader("content-type", "text/html");
  response.end(`<script src="/livekit.js"></script><script>${page_script}</script>`);
}).listen(0, "127.0.0.1");
await new Promise((done) => server.once("listening", done));

const profile = mkdtempSync(join(tmpdir(), "browser-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.TRUNKLINE_TEST_CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
});
let over = false;
async function end() {
  if (over) return;
  over = true;
  await browser.close().catch(() => {});
  server.close();
  rmSync(profile, { recursive: true, force: true });
  tell({ event: "gone" });
  process.exit(0);
}
const page = await browser.newPage();
page.on("pageerror", (error) => tell({ event: "fault", why: String(error) }));
await page.exposeFunction("tell", tell);
await page.goto(`http://127.0.0.1:${server.address().port}/`);
try {
  await page.evaluate(([url, token]) => join(url, token), [url, token]);
} catch (error) {
  tell({ event: "failed", why: String(error) });
  await end();
}
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...rest] = line.split(" ");
  if (word === "leave") break;
  await page.evaluate(([word, argument]) => obey[word](argument), [word, rest.join(" ")])
    .catch((error) => tell({ event: "fault", command: line, why: String(error) }));
}
await page.evaluate(() => obey.leave()).catch(() => {});
await end();
