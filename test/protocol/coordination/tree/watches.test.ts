import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import type { WatchMode } from '../../../../protocol/coordination/coordination.ts'
import { CoordinationState } from '../../../../protocol/coordination/tree/coordinationState.ts'
import type { TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import { treeDifference } from '../../../../protocol/coordination/tree/treeDifference.ts'
import { Watches } from '../../../../protocol/coordination/tree/watches.ts'
import { applied, arbitraryEntries, pathsOf } from './entries.ts'

let watches: Watches
let heard: string[]

beforeEach(() => {
  watches = new Watches()
  heard = []
})

function event(type: TreeEvent['type'], path: string): TreeEvent {
  return { type, path, zxid: 1 }
}

function watch(path: string, mode: WatchMode, onEvent?: (event: TreeEvent) => void) {
  return watches.add(path, mode, {
    onEvent: (each) => {
      heard.push(`${path}: ${each.type} ${each.path}`)
      onEvent?.(each)
    },
  })
}

describe('a watch of a node', () => {
  test('hears of the node, and of its children being created and deleted', () => {
    watch('/a', 'node')
    const types = ['created', 'changed', 'deleted'] as const
    const paths = ['/', '/a', '/a/b', '/a/b/c', '/ab', '/b']
    watches.deliver(paths.flatMap((path) => types.map((type) => event(type, path))))
    expect(heard).toEqual([
      '/a: created /a',
      '/a: changed /a',
      '/a: deleted /a',
      '/a: created /a/b',
      '/a: deleted /a/b',
    ])
  })

  test('of the root hears of its children, and once of itself', () => {
    watch('/', 'node')
    watches.deliver([event('changed', '/'), event('created', '/a'), event('created', '/a/b')])
    expect(heard).toEqual(['/: changed /', '/: created /a'])
  })
})

describe('a recursive watch', () => {
  test('hears of the node and of everything below it, and of nothing else', () => {
    watch('/a', 'recursive')
    const paths = ['/a', '/a/b', '/a/b/c', '/ab', '/ab/c', '/b/a', '/']
    watches.deliver(paths.map((path) => event('changed', path)))
    expect(heard).toEqual(['/a: changed /a', '/a: changed /a/b', '/a: changed /a/b/c'])
  })

  test('of the root hears everything once', () => {
    watch('/', 'recursive')
    watches.deliver([event('changed', '/'), event('created', '/a'), event('deleted', '/a/b')])
    expect(heard).toEqual(['/: changed /', '/: created /a', '/: deleted /a/b'])
  })

  test('hears what leads from any state to the next', () => {
    const inside = (path: string) => path === '/a' || path.startsWith('/a/')
    fc.assert(
      fc.property(arbitraryEntries, arbitraryEntries, (first, later) => {
        const state = CoordinationState.create(1)
        for (const each of first) applied(state, each)
        const before = CoordinationState.restore(state.snapshot())
        const fresh = new Watches()
        const last = new Map<string, TreeEvent>()
        fresh.add('/a', 'recursive', { onEvent: (each) => last.set(each.path, each) })
        for (const each of later) state.apply(each, ({ events }) => fresh.deliver(events))
        const difference = treeDifference(before, state).filter(({ path }) => inside(path))
        // What was heard last of each path says what became of it, but for paths that neither
        // state has.
        for (const path of new Set([...pathsOf(before), ...pathsOf(state)].filter(inside))) {
          const expected = difference.findLast((each) => each.path === path)
          const { type: heardType } = last.get(path) ?? {}
          expect(heardType === 'deleted').toBe(expected?.type === 'deleted')
          expect(heardType === undefined).toBe(expected === undefined)
          const stat = state.exists(path)
          if (stat !== undefined && expected !== undefined) {
            expect(last.get(path)!.zxid).toBe(stat.modifiedZxid)
          }
        }
      }),
      { numRuns: 150 },
    )
  })
})

describe('a delivery', () => {
  test('calls listeners event by event, in the order of the events', () => {
    watch('/a', 'node')
    watch('/', 'recursive')
    watches.deliver([event('created', '/a'), event('deleted', '/a')])
    expect(heard).toEqual(['/a: created /a', '/: created /a', '/a: deleted /a', '/: deleted /a'])
  })

  test('does not call a watch any more that was removed, by itself or by another', () => {
    const removals: (() => void)[] = []
    removals.push(
      watch('/a', 'node', () => {
        for (const remove of removals) remove()
      }),
    )
    removals.push(watch('/a', 'node'))
    removals.push(watch('/a', 'recursive'))
    watches.deliver([event('created', '/a'), event('changed', '/a')])
    expect(heard).toEqual(['/a: created /a'])
    for (const remove of removals) remove()
  })

  test('goes on to the others when a listener of the same path removes itself', () => {
    const remove = watch('/a', 'node', () => remove())
    watch('/a', 'node')
    watches.deliver([event('created', '/a'), event('changed', '/a')])
    expect(heard).toEqual(['/a: created /a', '/a: created /a', '/a: changed /a'])
  })

  test('does not call a watch that was added during it, but the next delivery does', () => {
    const remove = watch('/a', 'node', () => {
      remove()
      watch('/a', 'node')
      watch('/', 'recursive')
    })
    watches.deliver([event('created', '/a'), event('changed', '/a')])
    expect(heard).toEqual(['/a: created /a'])
    watches.deliver([event('deleted', '/a')])
    expect(heard).toEqual(['/a: created /a', '/a: deleted /a', '/: deleted /a'])
  })

  test('is not begun within another', () => {
    watch('/a', 'node', () => watches.deliver([]))
    expect(() => watches.deliver([event('created', '/a')])).toThrow('must not deliver')
    watch('/b', 'node')
    watches.deliver([event('created', '/b')])
    expect(heard.at(-1)).toBe('/b: created /b')
  })
})

test('a watch that is removed twice leaves a later one of the path', () => {
  const remove = watch('/a', 'node')
  remove()
  watch('/a', 'node')
  remove()
  watches.deliver([event('created', '/a')])
  expect(heard).toEqual(['/a: created /a'])
})
