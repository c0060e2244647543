// Spans in any order, with parents named by id → rows in tree order.
//
// Whatever the input, every span gets exactly one row: a parent that is missing makes its child a
// root (ORPHAN), a loop is opened at its earliest span (CYCLE), and of spans that share an id each
// keeps its row (DUPLICATE) while their children go to one of them. No step recurses, and each is
// linear but the sort.
import { KIND_CLIENT, KIND_SERVER } from './otlp.ts';

export const FLAG = {
  ERROR: 1,
  /** A descendant has an error. */
  ERROR_BELOW: 2,
  /** The parent is named but not in the trace. */
  ORPHAN: 4,
  /** The parents of this span led back to it. */
  CYCLE: 8,
  /** Another span before this one has the same id. */
  DUPLICATE: 16,
} as const;

export interface TreeInput {
  ids: string[];
  /** Empty for a root. */
  parentIds: string[];
  start: Float64Array;
  duration: Float64Array;
  kind: Uint8Array;
}

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

export function buildTree(input: TreeInput): Tree {
  const flags = new Uint8Array(input.ids.length);
  const parents = findParents(input, flags);
  const byTime = sortByTime(input);
  openCycles(parents, byTime, flags);
  return layOut(parents, byTime, flags);
}

/** Input place → input place of the parent, −1 without one. */
function findParents(input: TreeInput, flags: Uint8Array): Int32Array {
  const { ids, parentIds, kind } = input;
  const owner = new Map<string, number>();
  const shared = new Map<number, number>();
  for (let i = 0; i < ids.length; i++) {
    const first = owner.get(ids[i]);
    if (first === undefined) {
      owner.set(ids[i], i);
      continue;
    }
    flags[i] |= FLAG.DUPLICATE;
    // Zipkin's shared spans: client and server under one id. The server's is below the client's,
    // and has the children.
    if (kind[first] === KIND_CLIENT && kind[i] === KIND_SERVER) {
      shared.set(i, first);
      owner.set(ids[i], i);
    } else if (kind[first] === KIND_SERVER && kind[i] === KIND_CLIENT && !shared.has(first)) {
      shared.set(first, i);
    }
  }
  const parents = new Int32Array(ids.length).fill(-1);
  for (let i = 0; i < ids.length; i++) {
    const client = shared.get(i);
    if (client !== undefined) {
      parents[i] = client;
    } else if (parentIds[i] !== '') {
      const parent = owner.get(parentIds[i]);
      if (parent === undefined) flags[i] |= FLAG.ORPHAN;
      else parents[i] = parent;
    }
  }
  return parents;
}

/** By start; of equal starts the longer span first, as the parent most likely is. */
function sortByTime({ ids, start, duration }: TreeInput): Int32Array {
  const byTime = Int32Array.from(ids, (_, i) => i);
  return byTime.sort((a, b) => start[a] - start[b] || duration[b] - duration[a] || a - b);
}

function openCycles(parents: Int32Array, byTime: Int32Array, flags: Uint8Array): void {
  const rank = new Int32Array(parents.length);
  byTime.forEach((span, at) => {
    rank[span] = at;
  });
  // 0 = not seen; otherwise the number of the walk that came by first.
  const walkOf = new Int32Array(parents.length);
  for (let walk = 1; walk <= byTime.length; walk++) {
    let at = byTime[walk - 1];
    while (at !== -1 && walkOf[at] === 0) {
      walkOf[at] = walk;
      at = parents[at];
    }
    if (at !== -1 && walkOf[at] === walk) openLoop(at, parents, rank, flags);
  }
}

/** Cuts the loop through `member` above its earliest span. */
function openLoop(member: number, parents: Int32Array, rank: Int32Array, flags: Uint8Array): void {
  let earliest = member;
  for (let at = parents[member]; at !== member; at = parents[at]) {
    if (rank[at] < rank[earliest]) earliest = at;
  }
  parents[earliest] = -1;
  flags[earliest] |= FLAG.CYCLE;
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
