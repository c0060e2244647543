// Spans in any order, with known parents → rows in tree order. Every span gets exactly one row. No step
// recurses, and each is linear but the sort.

export const FLAG = {
  ERROR: 1,
  /** A descendant has an error. */
  ERROR_BELOW: 2,
  /** The parent is named but not in the trace: a root. */
  ORPHAN: 4,
  /** The parents of this span led back to it; the loop is open here. */
  CYCLE: 8,
  /** Another span before this one has the same id. */
  DUPLICATE: 16,
  /** It starts after its parent, or the top of its tree, has ended. */
  LATE: 32,
} as const;

export interface Tree {
  /** Row → place in the input. */
  order: Int32Array;
  /** Row → row of the parent, −1 for a root; always smaller than the row itself. */
  parent: Int32Array;
  /** Row → the first row after its subtree. */
  end: Int32Array;
  depth: Int32Array;
  flags: Uint8Array;
}

/** The rows of spans whose parents are known, and lead back to none of them. */
export function layOutTree(
  parents: Int32Array,
  start: Float64Array,
  duration: Float64Array,
  flags: Uint8Array,
): Tree {
  return layOut(parents, sortByTime({ start, duration }), flags);
}

/** By start; of equal starts the longer span first, as the parent most likely is. */
export function sortByTime({ start, duration }: { start: Float64Array; duration: Float64Array }): Int32Array {
  const byTime = Int32Array.from(start, (_, i) => i);
  return byTime.sort((a, b) => start[a] - start[b] || duration[b] - duration[a] || a - b);
}

function layOut(parents: Int32Array, byTime: Int32Array, flags: Uint8Array): Tree {
  const count = parents.length;
  // Children of each span as a linked list in order of time; slot `count` holds the roots.
  const first = new Int32Array(count + 1).fill(-1);
  const next = new Int32Array(count).fill(-1);
  for (let i = count - 1; i >= 0; i--) {
    const span = byTime[i];
    const parent = parents[span] === -1 ? count : parents[span];
    next[span] = first[parent];
    first[parent] = span;
  }
  const tree: Tree = {
    order: new Int32Array(count),
    parent: new Int32Array(count).fill(-1),
    end: new Int32Array(count),
    depth: new Int32Array(count),
    flags: new Uint8Array(count),
  };
  const rowOf = new Int32Array(count);
  let span = first[count];
  for (let row = 0; row < count; row++) {
    rowOf[span] = row;
    tree.order[row] = span;
    tree.flags[row] = flags[span];
    if (parents[span] !== -1) {
      tree.parent[row] = rowOf[parents[span]];
      tree.depth[row] = tree.depth[tree.parent[row]] + 1;
    }
    // Down, else right, else up until there is a right.
    let at = span;
    span = first[at];
    while (span === -1 && at !== -1) {
      span = next[at];
      at = parents[at];
    }
  }
  setEnds(tree);
  return tree;
}

/** The end of a span covers those of its children, which come after it. */
function setEnds(tree: Tree): void {
  for (let row = tree.parent.length - 1; row >= 0; row--) {
    tree.end[row] = Math.max(tree.end[row], row + 1);
    const parent = tree.parent[row];
    if (parent !== -1) tree.end[parent] = Math.max(tree.end[parent], tree.end[row]);
  }
}
