import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import type { TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import { treeDifference } from '../../../../protocol/coordination/tree/treeDifference.ts'
import { applied, arbitraryEntries, create, pathsOf, remove, set, transact } from './entries.ts'

function between(change: (state: CoordinationState) => void, start = CoordinationState.create(1)) {
  const before = CoordinationState.restore(start.snapshot())
  change(start)
  return treeDifference(before, start).map(({ type, path, zxid }) => [type, path, zxid % 2 ** 40])
}

function tree(...paths: string[]): CoordinationState {
  const state = CoordinationState.create(1)
  transact(
    state,
    paths.map((path) => create(path)),
  )
  return state
}

/** Applies the events to paths; each one has to be possible where it comes. */
function follow(paths: Set<string>, events: readonly TreeEvent[]): void {
  const below = (path: string) => [...paths].filter((each) => each.startsWith(`${path}/`))
  for (const { type, path } of events) {
    expect(paths.has(path)).toBe(type !== 'created')
    if (type === 'created') expect(paths.has(path.replace(/\/[^/]*$/, '') || '/')).toBe(true)
    if (type === 'deleted') expect(below(path)).toEqual([])
    if (type === 'created') paths.add(path)
    if (type === 'deleted') paths.delete(path)
  }
}

describe('the difference of two trees', () => {
  test('of equal trees is nothing', () => {
    expect(between(() => undefined, tree('/a', '/a/b'))).toEqual([])
  })

  test('has deletions with the children first, and the zxid of the later tree', () => {
    const events = between(
      (state) => {
        transact(state, [remove('/a/b/c'), remove('/a/b'), remove('/a'), remove('/d')])
        transact(state, [])
      },
      tree('/a', '/a/b', '/a/b/c', '/d'),
    )
    expect(events).toEqual(['/a/b/c', '/a/b', '/a', '/d'].map((path) => ['deleted', path, 3]))
  })

  test('has creations with the parents first, and changes between them by zxid', () => {
    const events = between((state) => {
      transact(state, [create('/z'), create('/z/y'), create('/z/y/x')])
      transact(state, [set('/d', 'changed')])
      transact(state, [create('/b')])
    }, tree('/d'))
    expect(events).toEqual([
      ['created', '/z', 2],
      ['created', '/z/y', 2],
      ['created', '/z/y/x', 2],
      ['changed', '/d', 3],
      ['created', '/b', 4],
    ])
  })

  test('has a deletion and a creation for a node that was deleted and created again', () => {
    const events = between(
      (state) => {
        transact(state, [remove('/a/b'), remove('/a'), create('/a'), create('/a/b')])
      },
      tree('/a', '/a/b'),
    )
    expect(events).toEqual([
      ['deleted', '/a/b', 2],
      ['deleted', '/a', 2],
      ['created', '/a', 2],
      ['created', '/a/b', 2],
    ])
  })

  test('has a creation only, for a node that was created and then changed', () => {
    const events = between((state) => {
      transact(state, [create('/a')])
      transact(state, [set('/a', 'x')])
      transact(state, [set('/', 'x')])
    })
    expect(events).toEqual([
      ['created', '/a', 1],
      ['changed', '/', 3],
    ])
  })

  test('leads from one tree to the other, each event possible where it comes', () => {
    fc.assert(
      fc.property(arbitraryEntries, arbitraryEntries, (first, later) => {
        const state = CoordinationState.create(1)
        for (const each of first) applied(state, each)
        const before = CoordinationState.restore(state.snapshot())
        for (const each of later) applied(state, each)
        const paths = new Set(pathsOf(before))
        const events = treeDifference(before, state)
        follow(paths, events)
        expect([...paths].sort()).toEqual(pathsOf(state).sort())
        const changed = pathsOf(state).filter((path) => {
          const old = before.exists(path)
          const stat = state.exists(path)!
          return old?.createdZxid === stat.createdZxid && old.modifiedZxid !== stat.modifiedZxid
        })
        const heard = events.filter(({ type }) => type === 'changed').map(({ path }) => path)
        expect(heard.sort()).toEqual(changed.sort())
      }),
      { numRuns: 150 },
    )
  })
})
