import { describe, expect, it } from 'vitest';
import { buildTree } from '../../dev/build_tree.ts';
import { KIND_CLIENT, KIND_SERVER } from './otlp.ts';
import { FLAG, type Tree } from './tree.ts';

interface Case {
  id: string;
  parent?: string;
  start?: number;
  duration?: number;
  kind?: number;
}

function build(spans: Case[]): Tree {
  return buildTree({
    ids: spans.map((span) => span.id),
    parentIds: spans.map((span) => span.parent ?? ''),
    start: Float64Array.from(spans, (span) => span.start ?? 0),
    duration: Float64Array.from(spans, (span) => span.duration ?? 1),
    kind: Uint8Array.from(spans, (span) => span.kind ?? 0),
  });
}

/** The tree as indented ids: "a .b ..c". */
function drawn(spans: Case[]): string {
  const tree = build(spans);
  return Array.from(tree.order, (at, row) => '.'.repeat(tree.depth[row]) + spans[at].id).join(' ');
}

function check(tree: Tree): void {
  const count = tree.order.length;
  expect([...tree.order].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
  for (let row = 0; row < count; row++) {
    expect(tree.parent[row]).toBeLessThan(row);
    expect(tree.end[row]).toBeGreaterThan(row);
    const parent = tree.parent[row];
    if (parent !== -1) {
      expect(tree.end[row]).toBeLessThanOrEqual(tree.end[parent]);
      expect(tree.depth[row]).toBe(tree.depth[parent] + 1);
    }
  }
}

describe('buildTree', () => {
  const cases: [name: string, spans: Case[], expect: string][] = [
    ['nothing', [], ''],
    ['one span', [{ id: 'a' }], 'a'],
    [
      'children before parents, in order of start',
      [
        { id: 'c', parent: 'a', start: 5 },
        { id: 'd', parent: 'b', start: 3 },
        { id: 'b', parent: 'a', start: 2 },
        { id: 'a', start: 1 },
      ],
      'a .b ..d .c',
    ],
    [
      'equal starts: the longer one first',
      [
        { id: 'a', duration: 9 },
        { id: 'b', parent: 'a', duration: 1 },
        { id: 'c', parent: 'a', duration: 4 },
      ],
      'a .c .b',
    ],
    [
      'a child that starts before its parent stays below it',
      [
        { id: 'a', start: 5 },
        { id: 'b', parent: 'a', start: 1 },
      ],
      'a .b',
    ],
    [
      'several roots',
      [
        { id: 'b', start: 2 },
        { id: 'a', start: 1 },
      ],
      'a b',
    ],
    [
      'an orphan and its child',
      [{ id: 'a' }, { id: 'b', parent: 'gone', start: 1 }, { id: 'c', parent: 'b', start: 2 }],
      'a b .c',
    ],
    ['its own parent', [{ id: 'a', parent: 'a' }], 'a'],
    [
      'a loop of three, opened at the earliest, with a branch',
      [
        { id: 'a', parent: 'c', start: 3 },
        { id: 'b', parent: 'a', start: 1 },
        { id: 'c', parent: 'b', start: 2 },
        { id: 'd', parent: 'c', start: 0 },
      ],
      'b .c ..d ..a',
    ],
  ];
  it.each(cases)('%s', (_, spans, expected) => {
    expect(drawn(spans)).toBe(expected);
    check(build(spans));
  });

  it('flags what is odd', () => {
    const tree = build([
      { id: 'a' },
      { id: 'b', parent: 'gone', start: 1 },
      { id: 'c', parent: 'c', start: 2 },
      { id: 'a', parent: 'b', start: 3 },
    ]);
    expect([...tree.flags]).toEqual([0, FLAG.ORPHAN, FLAG.DUPLICATE, FLAG.CYCLE]);
  });

  it('puts the server span of a shared id below the client span, with the children', () => {
    const spans = [
      { id: 'r' },
      { id: 'x', parent: 'r', start: 2, kind: KIND_SERVER },
      { id: 'x', parent: 'r', start: 1, kind: KIND_CLIENT },
      { id: 'y', parent: 'x', start: 3 },
    ];
    const tree = build(spans);
    expect([...tree.order]).toEqual([0, 2, 1, 3]);
    expect([...tree.depth]).toEqual([0, 1, 2, 3]);
  });

  it('survives 50 000 loops and a chain of 50 000', () => {
    const loops = Array.from({ length: 100_000 }, (_, i) => ({ id: `l${i}`, parent: `l${i ^ 1}`, start: i }));
    const tree = build(loops);
    expect(tree.order.length).toBe(100_000);
    expect(tree.flags.filter((flags) => flags & FLAG.CYCLE).length).toBe(50_000);
    const chain = Array.from({ length: 50_000 }, (_, i) => ({
      id: `c${i}`,
      parent: i ? `c${i - 1}` : '',
      start: -i,
    }));
    expect(build(chain).depth[49_999]).toBe(49_999);
  });

  it('gives every span of random parents exactly one row', () => {
    let state = 1;
    const random = (max: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % max;
    };
    for (let round = 0; round < 200; round++) {
      const spans = Array.from({ length: 1 + random(30) }, () => ({
        id: `s${random(25)}`,
        parent: random(4) ? `s${random(28)}` : '',
        start: random(10),
        duration: random(5),
        kind: random(6),
      }));
      check(build(spans));
    }
  });
});
