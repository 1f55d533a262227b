// Lines drawn, and outlines changed, by hand and by keys.

const STEPS = 10; // key presses for a line's height
const LEAST = 5; // pixels of the screen that a drawn line is long
const APART = 8; // pixels of the screen from one point of it to the next
const HANDLE = 12; // pixels of the screen, its radius: a finger needs 24 (WCAG 2.2, 2.5.8)

function setMode(name) {
  mode = name;
  for (const one of ["draw", "outline"]) button(one).setAttribute("aria-pressed", String(mode === one));
  view.classList.toggle("drawing", mode === "draw");
  view.classList.toggle("changing", mode === "outline");
  view.setAttribute("role", mode === "outline" ? "application" : "group"); // its keys are not those of who reads aloud
  showHandles();
}

function toggle(name) {
  setMode(mode === name ? null : name);
  if (mode === "draw") say("Draw along the foot of the text, from its beginning to its end.");
  if (mode === "outline") {
    say("Drag the line or its sides; or arrow keys move it, with Shift they stretch it. Esc ends.");
    view.focus();
  }
}

function showHandles() {
  overlay.querySelectorAll(".handle").forEach((one) => one.remove());
  if (mode !== "outline" || !current()) return;
  const box = boxOf(current().outline);
  const [width, y] = [box.right - box.left, (box.top + box.bottom) / 2];
  const radius = (HANDLE * page.size[0]) / (stage.clientWidth || 1);
  const sides = [
    ["left", box.left, y],
    ["right", box.right, y],
    ["top", box.left + width / 3, box.top], // of a line that is low they would lie on each other
    ["bottom", box.right - width / 3, box.bottom],
  ];
  for (const [side, cx, cy] of sides) {
    const handle = document.createElementNS(SVG, "circle");
    const attributes = { class: "handle", cx, cy, r: radius };
    for (const [name, value] of Object.entries(attributes)) handle.setAttribute(name, value);
    handle.dataset.side = side;
    overlay.append(handle);
  }
}

function reshape(by) {
  const line = current();
  change(replaced(reshaped(line, by, page.size)), selected, `outline ${line.id}`);
  overlay.querySelectorAll(`[data-at="${selected}"]`).forEach((one) => one.remove());
  overlay.append(...shapes(current(), selected));
  select(selected);
  say("Its outline is changed; read the line again, if you like.");
}

function arrow(key, longer) {
  const { above, below } = reachOf(current());
  const step = Math.max(1, Math.round((above + below) / STEPS));
  const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
  if (longer) reshape(x ? { right: x } : { bottom: y });
  else reshape(x ? { left: x, right: x } : { top: y, bottom: y });
}

function placeOf(event) {
  const box = stage.getBoundingClientRect();
  const scale = page.size[0] / box.width;
  return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
}

const far = ([x0, y0], [x1, y1]) => (Math.hypot(x1 - x0, y1 - y0) * stage.clientWidth) / page.size[0];

function press(event) {
  const { side, at } = event.target.dataset;
  const grasped = side ?? (Number(at) === selected ? "all" : null);
  if (!event.isPrimary || event.button || !(mode === "draw" || (mode === "outline" && grasped))) return;
  event.preventDefault();
  view.setPointerCapture(event.pointerId);
  dragged = { side: grasped, points: [placeOf(event)] };
}

function drag(event) {
  if (!dragged) return;
  const [place, last] = [placeOf(event), dragged.points.at(-1)];
  if (mode === "draw") {
    if (far(place, last) < APART) return;
    dragged.points.push(place);
    overlay.querySelector(".pen")?.remove();
    const pen = shapes({ outline: [], baseline: dragged.points }, "")[1];
    pen.setAttribute("class", "pen");
    return overlay.append(pen);
  }
  const [x, y] = [place[0] - last[0], place[1] - last[1]];
  dragged.points = [place];
  const { side } = dragged;
  if (side === "all") reshape({ left: x, right: x, top: y, bottom: y });
  else reshape({ [side]: side === "left" || side === "right" ? x : y });
}

function release(event) {
  if (!dragged) return;
  const { points } = dragged;
  dragged = null;
  if (mode !== "draw") return;
  overlay.querySelector(".pen")?.remove();
  if (event.type === "pointercancel") return;
  if (far(points[0], points.at(-1)) < LEAST) return say("That is too short for a line: draw along its foot.");
  setMode(null);
  drawn(points);
}
