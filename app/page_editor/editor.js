// The server's messages come as the component's value: a page, a line read again, a file, or something said.

const CLOSER = 1.5; // times
const DOWNLOADED = 60_000; // milliseconds until a file's content may go

const PATIENCE = 150_000; // milliseconds until what was asked for is taken for lost: more than a reading may take

let asked = kept; // lines that are being saved
let questions = []; // one at a time: of two answers at once the page would see but one
let since = 0;

function ask(event, some, text, more) {
  say(text);
  const lost = questions.length && Date.now() - since > PATIENCE;
  if (lost) questions.shift();
  questions.push([event, { page: page.number, lines: some.map(({ problem, ...line }) => line), ...more }]);
  if (lost || questions.length === 1) send();
}

function send() {
  since = Date.now();
  trigger(...questions[0]);
}

const reread = () => ask("reread", [current()], `Line ${selected + 1} is being read …`);

function save() {
  asked = lines;
  ask("keep", lines, "The page is being saved …");
}

function export_() {
  ask("export", lines, "The file is being made …", { format: find(".format").value });
}

function received(message) {
  if (message.kind === "page") return open(message);
  if (message.kind === "none") {
    [page, kept] = [null, lines];
    editor.hidden = true;
  } else {
    questions.shift();
    if (questions.length) send();
  }
  if (page?.number !== message.page) return; // an answer that comes when another page is shown
  say(message.said);
  if (message.kind === "saved") kept = asked;
  if (message.kind === "file") download(message);
  if (message.kind === "line") takeReading(message);
}

function download({ name, content }) {
  const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
  const link = made("a", { href: URL.createObjectURL(new Blob([bytes])), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOADED);
}

function takeReading({ id, text, confidence, characters }) {
  change(lines.map((line) => (line.id === id ? { ...line, text, confidence, characters, problem: null } : line)));
  show();
}

// ---- what is pressed ----

const actions = {
  ...{ reread, split, merge, block, undo, add, save, delete: remove, export: export_ },
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
  if (control && !altKey && key.toLowerCase() === "z" && !shiftKey) action = undo;
  else if (control && !altKey && key.toLowerCase() === "s") action = save;
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
picture.addEventListener("load", showCut);
window.addEventListener("beforeunload", (event) => lines === kept || event.preventDefault());
watch("value", () => props.value && received(props.value));
