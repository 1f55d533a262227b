// What is done to lines. They are never changed but replaced, so that what is undone is the array of them as it was.

const MOST_UNDONE = 200; // steps

// Take new lines; steps of one kind that follow each other are undone together.
function change(next, at = selected, name = null) {
  const before = name && name === kind ? steps.pop()[0] : [lines, selected];
  steps = [...steps, [before, [next, at]]].slice(-MOST_UNDONE);
  undone = [];
  [kind, lines, selected] = [name, next, at];
}

function changed(next, at, text) {
  change(next, at);
  show();
  say(text);
}

const replaced = (line) => lines.map((one, at) => (at === selected ? line : one));

function typed(text) {
  const line = current();
  const clean = text.value.replace(/[\x00-\x1f\x7f]/g, " ");
  if (clean !== text.value) text.value = clean;
  const [before, after] = [letters(line.text), letters(clean)];
  const shorter = Math.min(before.length, after.length);
  let [head, tail] = [0, 0];
  while (head < shorter && before[head] === after[head]) head++;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  // What a person has typed is sure.
  const characters = [
    ...line.characters.slice(0, head),
    ...Array(after.length - head - tail).fill(1),
    ...line.characters.slice(before.length - tail),
  ];
  change(replaced(told(line, clean, characters)), selected, `${line.id} ${clean.split(" ").length}`);
  showDoubts();
  tellSure(list.children[selected], current());
}

function told(line, text, characters) {
  const confidence = characters.reduce((sum, one) => sum + one, 0) / (characters.length || 1);
  return { ...line, text, characters, confidence, problem: null };
}

const newId = () => `line-${++ids}`;

function placed(line, places) {
  return { ...line, outline: within(places.outline, page.size), baseline: within(places.baseline, page.size) };
}

function blank(baseline, reach) {
  const line = { id: newId(), block: 0, text: "", confidence: 0, characters: [], problem: null };
  return placed(line, { outline: bandOf(baseline, reach), baseline });
}

// A line at a place of the order, of the block of the one before.
function insert(line, at, text) {
  const block = (lines[at - 1] ?? lines[at])?.block ?? 0;
  changed([...lines.slice(0, at), { ...line, block }, ...lines.slice(at)], at, text);
}

function add() {
  const line = current();
  if (!line) {
    const [width, height] = page.size;
    const baseline = [[width * 0.1, height / 2], [width * 0.9, height / 2]];
    insert(blank(baseline, usualReach([], width)), 0, "Line 1 is new; arrow keys move it.");
  } else {
    const reach = reachOf(line);
    const pitch = reach.above + reach.below;
    const below = reshaped(line, { top: pitch, bottom: pitch }, page.size);
    insert(blank(below.baseline, reach), selected + 1, `Line ${selected + 2} is new; arrow keys move it.`);
  }
  setMode("outline");
  view.focus();
}

// A line drawn along its foot: it comes behind the one above it.
function drawn(points) {
  const baseline = points[0][0] <= points.at(-1)[0] ? points : points.reverse();
  const [begin, end] = [baseline[0], baseline.at(-1)];
  const level = (begin[1] + end[1]) / 2;
  const above = lines
    .map((line, at) => ({ at, box: boxOf(line.baseline) }))
    .filter(({ box }) => box.left < end[0] && box.right > begin[0] && (box.top + box.bottom) / 2 < level);
  const nearest = above.sort((a, b) => b.box.bottom - a.box.bottom)[0];
  const at = nearest ? nearest.at + 1 : 0;
  insert(blank(baseline, usualReach(lines, end[0] - begin[0])), at, "");
  reread();
  focusText();
}

function split() {
  const [line, text] = [current(), inputs()[selected]];
  const caret = text.selectionStart;
  const [all, before] = [letters(line.text), letters(line.text.slice(0, caret)).length];
  if (!before || before === all.length) return say("Put the cursor between the two parts of the text first.");
  const parts = [[0, before], [before, all.length]].map(([from, to]) => {
    while (from < to && all[from] === " ") from++;
    while (to > from && all[to - 1] === " ") to--;
    return told(line, all.slice(from, to).join(""), line.characters.slice(from, to));
  });
  const places = cutAt(line, before / all.length);
  const [one, other] = parts.map((part, at) => placed(part, places[at]));
  const next = [...lines.slice(0, selected), one, { ...other, id: newId() }, ...lines.slice(selected + 1)];
  changed(next, selected + 1, `Split into lines ${selected + 1} and ${selected + 2}.`);
  focusText(0);
}

function merge() {
  const [one, other] = [current(), lines[selected + 1]];
  if (!other) return say("There is no next line.");
  const gap = one.text && other.text ? " " : "";
  const characters = [...one.characters, ...letters(gap).map(() => 1), ...other.characters];
  const line = placed(told(one, one.text + gap + other.text, characters), joined(one, other));
  const next = [...lines.slice(0, selected), line, ...lines.slice(selected + 2)];
  changed(next, selected, `Merged into line ${selected + 1}.`);
}

function remove() {
  const next = lines.filter((_, at) => at !== selected);
  const text = `Line ${selected + 1} is deleted; undo brings it back.`;
  changed(next, Math.max(0, Math.min(selected, next.length - 1)), text);
}

// Past the next line, or over the edge of the block.
function move(by) {
  const [line, other] = [current(), lines[selected + by]];
  if (!other) return say(by < 0 ? "It is the first line." : "It is the last line.");
  const moved = { ...line, block: other.block };
  if (line.block !== other.block) return changed(replaced(moved), selected, "It is in another block now.");
  const next = [...lines];
  [next[selected], next[selected + by]] = [other, line];
  changed(next, selected + by, `It is line ${selected + by + 1} now.`);
}

// From this line on another block, or one with the block above.
function block() {
  const above = lines[selected - 1].block;
  const apart = current().block !== above;
  const by = apart ? above - current().block : 1;
  const next = lines.map((line, at) => (at < selected ? line : { ...line, block: line.block + by }));
  changed(next, selected, apart ? "One block with the lines above." : "A block begins here.");
}

function undo() {
  if (!steps.length) return say("There is nothing to undo.");
  undone.push(steps.pop());
  restore(undone.at(-1)[0], "Undone.");
}

function redo() {
  if (!undone.length) return say("There is nothing to redo.");
  steps.push(undone.pop());
  restore(steps.at(-1)[1], "Redone.");
}

function restore(state, text) {
  [lines, selected] = state;
  kind = null;
  show();
  say(text);
}
