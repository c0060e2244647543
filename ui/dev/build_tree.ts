// Development only: who is whose parent, by ids. The app gets parents from the server; the mock and the
// tests find them here.
//
// A parent that is missing makes its child a root (ORPHAN), a loop is opened at its earliest span
// (CYCLE), and of spans that share an id each keeps its row (DUPLICATE) while their children go to one
// of them.
import { KIND_CLIENT, KIND_SERVER } from '../app/trace/otlp.ts';
import { FLAG, layOutTree, sortByTime, type Tree } from '../app/trace/tree.ts';

export interface TreeInput {
  ids: string[];
  /** Empty for a root. */
  parentIds: string[];
  start: Float64Array;
  duration: Float64Array;
  kind: Uint8Array;
}

export function buildTree(input: TreeInput): Tree {
  const flags = new Uint8Array(input.ids.length);
  const parents = findParents(input, flags);
  openCycles(parents, sortByTime(input), flags);
  return layOutTree(parents, input.start, input.duration, flags);
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
