// The server's messages come as the component's value: a page, a line read again, a file, or something said.

const CLOSER = 1.5; // times
const DOWNLOADED = 60_000; // milliseconds until a file's content may go

const PATIENCE = 150_000; // milliseconds until what was asked for is taken for lost: more than a reading may take

let questions = []; // one at a time: of two answers at once the page would see but one
let asked = 0; // how many: an answer names its question, so that it is unlike the last, which would not be noticed
let since = 0;
let waiting = null; // a page that comes, or that there is none, once the corrections of this one are saved or discarded

function ask(event, some, more) {
  const lost = questions.length && Date.now() - since > PATIENCE;
  if (lost) questions.shift();
  const sent = { page: page.number, lines: some.map(({ problem, ...line }) => line), ...more, question: ++asked };
  questions.push({ event, some, sent });
  if (lost || questions.length === 1) send();
}

function send() {
  since = Date.now();
  trigger(questions[0].event, questions[0].sent);
}

// Of those that are not yet being cut out the last counts.
function cutOut(line) {
  if (questions.some(({ event, some }) => event === "cut" && some[0].outline === line.outline)) return;
  questions = questions.filter(({ event }, at) => !at || event !== "cut");
  ask("cut", [line]);
}

function reread() {
  say(`Line ${selected + 1} is being read …`);
  ask("reread", [current()]);
}

function save() {
  say("The page is being saved …");
  ask("keep", lines);
}

function export_() {
  say("The file is being made …");
  ask("export", lines, { format: find(".format").value });
}

function received(message) {
  if (message.kind !== "page" && message.kind !== "none") return answered(message);
  waiting = message;
  if (lines === kept) return turn();
  find(".unsaved").hidden = false;
  requestAnimationFrame(() => find(".unsaved").scrollIntoView({ block: "center" })); // what is above has changed, too
}

function answered(message) {
  const question = questions[0];
  if (question?.sent.question !== message.question) return; // it was taken for lost
  questions.shift();
  if (questions.length) send();
  if (page?.number !== question.sent.page) return; // another page is shown
  if (message.kind === "cut") return takeCut(question.some[0].outline, message.image);
  if (message.kind === "saved") {
    kept = question.some;
    if (waiting && lines === kept) turn();
  }
  say(message.said);
  if (message.kind === "file") download(message);
  if (message.kind === "line") takeReading(question.some[0], message);
}

// To the page that waits.
function turn() {
  const message = waiting;
  waiting = null;
  find(".unsaved").hidden = true;
  if (message.kind === "page") return open(message);
  [page, kept] = [null, lines];
  editor.hidden = true;
}

function discard() {
  kept = lines;
  turn();
}

function download({ name, content }) {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const link = made("a", { href: URL.createObjectURL(new Blob([bytes])), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOADED);
}

function takeReading(asked, { id, text, confidence, characters }) {
  const line = lines.find((one) => one.id === id);
  if (!line) return; // it was deleted meanwhile
  if (line.text !== asked.text) return say("Its text was changed meanwhile, and stays as it is.");
  change(lines.map((one) => (one === line ? { ...line, text, confidence, characters, problem: null } : one)));
  show();
}

// ---- what is pressed ----

const actions = {
  ...{ reread, split, merge, block, undo, redo, add, save, discard, delete: remove, export: export_ },
  ...{ previous: () => step(-1), next: () => step(1), up: () => move(-1), down: () => move(1) },
  ...{ draw: () => toggle("draw"), outline: () => toggle("outline") },
  ...{ closer: () => setZoom(zoom * CLOSER), farther: () => setZoom(zoom / CLOSER), whole: () => setZoom(0) },
};

function step(by) {
  const at = selected + by;
  if (!lines[at]) return say(by < 0 ? "It is the first line." : "It is the last line.");
  select(at);
  if (list.contains(document.activeElement)) focusText();
}

function pressed(event) {
  const { key, altKey, shiftKey, target } = event;
  const control = event.ctrlKey || event.metaKey;
  const [text, arrows] = [target.matches(".lines input"), key.startsWith("Arrow")];
  const by = { ArrowUp: -1, ArrowDown: 1, Enter: 1 }[key];
  let action = null;
  if (event.isComposing) return;
  const letter = control && !altKey ? key.toLowerCase() : null;
  if (letter === "z") action = shiftKey ? redo : undo;
  else if (letter === "y") action = redo;
  else if (letter === "s") action = save;
  else if (key === "Escape" && mode) action = () => { setMode(null); say(""); focusText(); };
  else if (text && control && key === "Enter") action = split;
  else if (text && altKey && arrows && by) action = () => move(by);
  else if (text && by && !control && !altKey) action = () => step(by);
  else if (target === view && mode === "outline" && arrows && current()) action = () => arrow(key, shiftKey);
  if (!action) return;
  event.preventDefault();
  action();
}

element.addEventListener("click", (event) => {
  const name = event.target.closest("[data-do]")?.dataset.do;
  if (name) actions[name]();
  else if (event.target.dataset.at) {
    select(Number(event.target.dataset.at));
    if (!mode) focusText();
  }
});
element.addEventListener("keydown", pressed);
view.addEventListener("pointerdown", press);
view.addEventListener("pointermove", drag);
for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, release);
window.addEventListener("beforeunload", (event) => lines === kept || event.preventDefault());
watch("value", () => props.value && received(props.value));
