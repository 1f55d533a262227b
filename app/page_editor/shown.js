// What the editor shows of a page: its picture with the lines, and their texts.

const CLOSEST = 12; // times as wide as the view
const SVG = "http://www.w3.org/2000/svg";

const find = (name) => element.querySelector(name);
const parts = [".editor", ".view", ".stage", ".stage img", ".stage svg", ".lines"];
const [editor, view, stage, picture, overlay, list] = parts.map(find);
const button = (name) => find(`[data-do="${name}"]`);
const made = (name, properties = {}) => Object.assign(document.createElement(name), properties);

const detail = made("div", { className: "detail" });
const cut = made("img", { className: "cut" });
const cuts = new WeakMap(); // of an outline: the address of what is cut out along it
const [marks, doubts] = [made("p", { className: "reading" }), made("p", { className: "doubts" })];
detail.append(marks, doubts);

element.closest(".gradio-container").style.overflow = "clip"; // where it is hidden nothing sticks

let page; // as the server described it
let lines = [];
let selected = 0;
let steps = []; // what can be undone: [lines, selected] before and after
let undone = []; // what can be redone: the same
let kind = null; // of the last step: further ones of this kind are part of it
let mode = null; // "draw", "outline", or none
let zoom = 1;
let seen = new Set();
let ids = 0; // the highest number of one
let kept = lines; // as they were saved, or came
let dragged = null;

const say = (text) => (find(".said").textContent = text);
const current = () => lines[selected];
const letters = (text) => Array.from(text);
const inputs = () => [...list.querySelectorAll("input")];

// ---- what is shown ----

function open(message) {
  page = message;
  lines = message.lines;
  [selected, steps, undone, kind, zoom, seen, kept] = [0, [], [], null, 1, new Set(), lines];
  ids = Math.max(0, ...lines.map((line) => Number(/^line-(\d+)$/.exec(line.id)?.[1] ?? 0)));
  setMode(null);
  cut.dataset.line = "";
  picture.src = message.image.url;
  overlay.setAttribute("viewBox", `0 0 ${message.size.join(" ")}`);
  find(".folder").textContent = message.folder;
  find(".format").replaceChildren(...message.formats.map(([value, text]) => made("option", { value, text })));
  editor.hidden = false;
  show();
  setZoom(1);
  say("");
}

// Everything anew; who types stays in the text of the selected line.
function show() {
  const typing = list.contains(document.activeElement);
  list.replaceChildren(...lines.map(item));
  overlay.replaceChildren(...lines.flatMap(shapes));
  select(Math.min(selected, lines.length - 1));
  if (typing) focusText();
}

function item(line, index) {
  const begins = index > 0 && lines[index - 1].block !== line.block;
  const text = made("input", { type: "text", value: line.text, spellcheck: false, autocomplete: "off", dir: "auto" });
  text.setAttribute("aria-label", `Line ${index + 1}${begins ? ", which begins a block" : ""}`);
  text.setAttribute("autocapitalize", "off");
  text.maxLength = page.most_text;
  text.addEventListener("focus", () => index !== selected && select(index));
  text.addEventListener("input", () => typed(text));
  const row = made("li", { className: begins ? "begins" : "" });
  row.append(text, made("span", { className: "sure" }));
  tellSure(row, line);
  return row;
}

function tellSure(row, line) {
  const sure = row.querySelector(".sure");
  sure.className = `sure doubt${line.text ? doubt(line.confidence) : 3}`;
  sure.textContent = line.problem ? "not read" : line.text ? percent(line.confidence) : "empty";
  sure.title = line.problem ?? "how sure the reading is";
}

function shapes(line, index) {
  const shaped = { polygon: line.outline, polyline: line.baseline };
  return Object.entries(shaped).map(([name, points]) => {
    const shape = document.createElementNS(SVG, name);
    shape.setAttribute("points", points.map((point) => point.join(",")).join(" "));
    shape.dataset.at = index;
    return shape;
  });
}

function select(index) {
  list.children[selected]?.removeAttribute("aria-current");
  if (index !== selected) kind = null;
  selected = Math.max(index, 0);
  const line = current();
  for (const one of find(".of-line").children) one.disabled = !line;
  if (document.activeElement.disabled) view.focus(); // else keys would go nowhere
  inputs().forEach((text, at) => (text.tabIndex = at === selected ? 0 : -1));
  overlay.querySelectorAll("[data-at]").forEach((shape) => {
    shape.classList.toggle("selected", Number(shape.dataset.at) === selected);
  });
  if (line) seen.add(line.id);
  showHandles();
  showUnseen();
  if (!line) return;
  const row = list.children[selected];
  row.setAttribute("aria-current", "true");
  row.prepend(cut);
  row.append(detail);
  const before = lines[selected - 1];
  button("block").textContent = before && before.block !== line.block ? "Join the block above" : "Begin a block";
  button("block").disabled = !before;
  showCut();
  showDoubts();
  scrollTo(line);
  scrollList(row);
}

function showUnseen() {
  const unseen = lines.filter((line) => line.text && !seen.has(line.id)).length;
  find(".unseen").textContent = unseen ? `You have not yet been to ${unseen} of ${lines.length} lines.` : "";
}

// The line straightened, as it is read. While that is made anew the last of the same line stays.
function showCut() {
  const line = current();
  const image = cuts.get(line.outline);
  if (image) [cut.src, cut.dataset.line] = [image, line.id];
  else cutOut(line);
  cut.style.visibility = cut.dataset.line === line.id ? "visible" : "hidden"; // it takes its room all the same
  cut.alt = `Line ${selected + 1}, cut out of the page`;
}

function takeCut(outline, image) {
  cuts.set(outline, image);
  if (current()?.outline === outline) showCut();
}

const doubt = (probability) => page.doubts.filter((limit) => probability < limit).length;
const percent = (probability) => `${Math.round(100 * probability)}%`;

function showDoubts() {
  const line = current();
  const pairs = letters(line.text).map((letter, at) => [line.characters[at], letter]);
  marks.replaceChildren(
    ...pairs.map(([sure, letter]) =>
      doubt(sure)
        ? made("mark", { className: `doubt${doubt(sure)}`, title: percent(sure), textContent: letter })
        : letter,
    ),
  );
  const least = pairs.filter(([sure]) => doubt(sure)).sort((a, b) => a[0] - b[0]).slice(0, page.most_doubtful);
  const named = least.map(([sure, letter]) => `${letter === " " ? "␣" : letter} ${percent(sure)}`).join(", ");
  doubts.textContent = line.problem ?? (named ? `Least sure: ${named}.` : "");
}

function scrollTo(line) {
  const [box, scale] = [boxOf(line.outline), stage.clientWidth / page.size[0]];
  const [top, bottom] = [box.top * scale, box.bottom * scale];
  const [left, right] = [box.left * scale, box.right * scale];
  if (top < view.scrollTop || bottom > view.scrollTop + view.clientHeight)
    view.scrollTop = (top + bottom - view.clientHeight) / 2;
  if (left < view.scrollLeft || right > view.scrollLeft + view.clientWidth) view.scrollLeft = left - 10;
}

// The list alone, where it has a bar of its own: the page stays where it is.
function scrollList(row) {
  const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
  if (top < list.scrollTop || bottom > list.scrollTop + list.clientHeight) list.scrollTop = top - list.clientHeight / 3;
}

function setZoom(value) {
  const [width, height] = page.size;
  const most = parseFloat(getComputedStyle(view).maxHeight);
  const whole = Math.min(1, (most * width) / (height * view.clientWidth));
  zoom = Math.min(Math.max(value, whole), CLOSEST);
  stage.style.width = `${100 * zoom}%`;
  if (current()) scrollTo(current());
  showHandles();
}

function focusText(caret) {
  const text = inputs()[selected];
  (text ?? view).focus();
  if (caret !== undefined) text?.setSelectionRange(caret, caret);
}
