// Outlines and baselines of lines: arrays of points [x, y] in pixels of the page. A frame is the direction in which a
// line runs: s along it, t across it, downwards where it runs to the right.

const THINNEST = 4; // pixels that a line keeps, either way
const ASPECT = 20; // times as long as high: a line of a page that has none yet

function frameOf(baseline) {
  const [[x, y], [right, bottom]] = [baseline[0], baseline.at(-1)];
  const length = Math.hypot(right - x, bottom - y) || 1;
  const [u, v] = [(right - x) / length, (bottom - y) / length];
  return {
    to: ([px, py]) => [px * u + py * v, py * u - px * v],
    from: ([s, t]) => [s * u - t * v, s * v + t * u],
  };
}

function boxOf(points) {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

// The least and the largest t of an outline, in its frame, at a place s; null where it does not reach.
function spanAt(outline, s) {
  const crossed = outline.flatMap(([s0, t0], index) => {
    const [s1, t1] = outline[(index + 1) % outline.length];
    if (s < Math.min(s0, s1) || s > Math.max(s0, s1)) return [];
    return s0 === s1 ? [t0, t1] : [t0 + ((s - s0) / (s1 - s0)) * (t1 - t0)];
  });
  return crossed.length ? [Math.min(...crossed), Math.max(...crossed)] : null;
}

// Where a baseline, in its frame, is at a place s; straight on beyond its ends.
function heightAt(baseline, s) {
  const next = baseline.findIndex((point) => point[0] >= s);
  if (next === 0) return baseline[0][1];
  if (next < 0) return baseline.at(-1)[1];
  const [[s0, t0], [s1, t1]] = [baseline[next - 1], baseline[next]];
  return t0 + ((s - s0) / (s1 - s0 || 1)) * (t1 - t0);
}

// How far a line reaches above and below of its baseline, halfway.
function reachOf(line) {
  const { to } = frameOf(line.baseline);
  const [outline, baseline] = [line.outline.map(to), line.baseline.map(to)];
  const middle = (baseline[0][0] + baseline.at(-1)[0]) / 2;
  const foot = heightAt(baseline, middle);
  const [top, bottom] = spanAt(outline, middle) ?? [foot - THINNEST, foot];
  return { above: Math.max(foot - top, THINNEST), below: Math.max(bottom - foot, 0) };
}

// What lines of a page mostly reach; where there are none, by the length of the first.
function usualReach(lines, length) {
  if (!lines.length) return { above: length / ASPECT, below: length / ASPECT / 3 };
  const middle = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const reaches = lines.map(reachOf);
  return { above: middle(reaches.map((one) => one.above)), below: middle(reaches.map((one) => one.below)) };
}

// The outline of a line that has but a baseline.
function bandOf(baseline, { above, below }) {
  const { to, from } = frameOf(baseline);
  const along = baseline.map(to);
  const shifted = (by) => along.map(([s, t]) => from([s, t + by]));
  return [...shifted(-above), ...shifted(below).reverse()];
}

// A line cut across at a share of its length: two pairs of outline and baseline.
function cutAt(line, share) {
  const { to, from } = frameOf(line.baseline);
  const [outline, baseline] = [line.outline.map(to), line.baseline.map(to)];
  const places = outline.map((point) => point[0]);
  const [begin, end] = [Math.min(...places), Math.max(...places)];
  const at = begin + Math.min(Math.max(share, 0.02), 0.98) * (end - begin);
  const foot = [at, heightAt(baseline, at)];
  return [1, -1].map((side) => {
    const inside = (s) => side * (at - s) >= 0;
    const kept = outline.flatMap(([s, t], index) => {
      const [nextS, nextT] = outline[(index + 1) % outline.length];
      const edge = inside(s) ? [[s, t]] : [];
      return inside(s) === inside(nextS) ? edge : [...edge, [at, t + ((at - s) / (nextS - s)) * (nextT - t)]];
    });
    const own = baseline.filter(([s]) => inside(s) && s !== at);
    const far = side > 0 ? begin : end;
    const points = own.length ? own : [[far, foot[1]]];
    return { outline: kept.map(from), baseline: (side > 0 ? [...points, foot] : [foot, ...points]).map(from) };
  });
}

// Two lines as one.
function joined(one, other) {
  const { to, from } = frameOf(one.baseline);
  const outlines = [one.outline.map(to), other.outline.map(to)];
  const places = [...new Set(outlines.flat().map((point) => point[0]))].sort((a, b) => a - b);
  const spans = places.map((s) => [s, outlines.map((outline) => spanAt(outline, s)).filter(Boolean).flat()]);
  const tops = spans.map(([s, values]) => [s, Math.min(...values)]);
  const bottoms = spans.map(([s, values]) => [s, Math.max(...values)]);
  const [first, second] = [one.baseline.map(to), other.baseline.map(to)].sort((a, b) => a[0][0] - b[0][0]);
  const baseline = [...first, ...second.filter(([s]) => s > first.at(-1)[0])];
  return { outline: [...tops, ...bottoms.reverse()].map(from), baseline: baseline.map(from) };
}

// A line moved or stretched: `by` says by how many pixels which sides of its box go.
function reshaped(line, by, size) {
  const box = boxOf(line.outline);
  const stretched = (low, high, from, to, most) => {
    const length = Math.max(to - from, 1);
    if (low !== undefined && high !== undefined) {
      const shift = Math.min(Math.max(low, -from), most - 1 - to);
      return (value) => value + shift;
    }
    const fixed = low === undefined ? from : to;
    const change = low === undefined ? high ?? 0 : -low;
    const factor = Math.max(length + change, THINNEST) / length;
    return (value) => fixed + (value - fixed) * factor;
  };
  const x = stretched(by.left, by.right, box.left, box.right, size[0]);
  const y = stretched(by.top, by.bottom, box.top, box.bottom, size[1]);
  const moved = (points) => within(points.map((point) => [x(point[0]), y(point[1])]), size);
  return { ...line, outline: moved(line.outline), baseline: moved(line.baseline) };
}

function within(points, [width, height]) {
  const clip = (value, most) => Math.round(10 * Math.min(Math.max(value, 0), most - 1)) / 10;
  return points.map(([x, y]) => [clip(x, width), clip(y, height)]);
}
