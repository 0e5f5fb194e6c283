// Two edits of one text: small, and enough for people who do not write in the same word.

// The one place where two texts differ: from `start` to `end` of the first stands `text` in the second.
function edit(before, after) {
  let start = 0, tail = 0;
  const most = Math.min(before.length, after.length);
  while (start < most && before[start] === after[start]) start++;
  while (tail < most - start && before.at(-1 - tail) === after.at(-1 - tail)) tail++;
  return { start, end: before.length - tail, text: after.slice(start, after.length - tail) };
}

// What came of `base` when `mine` and `theirs` were written at the same time.
export function rebase(base, mine, theirs) {
  if (mine === base || mine === theirs) return theirs;
  const a = edit(base, mine), b = edit(base, theirs);
  const grown = b.text.length - (b.end - b.start);
  if (a.end <= b.start) return theirs.slice(0, a.start) + a.text + theirs.slice(a.end);
  if (b.end <= a.start) return theirs.slice(0, a.start + grown) + a.text + theirs.slice(a.end + grown);
  // In the same place: theirs stays, and what was written here stands behind it.
  const place = b.start + b.text.length;
  return theirs.slice(0, place) + a.text + theirs.slice(Math.max(place, Math.min(a.end + grown, theirs.length)));
}

// Where a caret belongs when one text takes the place of another.
export function shift(place, before, after) {
  const { start, end, text } = edit(before, after);
  if (place <= start) return place;
  return place >= end ? place + text.length - (end - start) : start + text.length;
}
