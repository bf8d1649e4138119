// House rules for imports: a room imports only `protocol`, the folders inside a room have an order,
// and no two files import each other, not even for types.

import { describe, expect, test } from 'vitest'
import { type Import, importsOf, isDoor, sources } from './sources.ts'

/**
 * Each room in layers, the lowest first: folders, folders of folders, and single files of the room
 * itself. What is in a layer imports only lower layers and its own folder. `.` stands for the
 * room's other files.
 */
const layers: Readonly<Record<string, readonly (readonly string[])[]>> = {
  protocol: [
    ['runtime'],
    ['bytes'],
    ['kafka', 'configuration'],
    ['client'],
    ['telemetry'],
    ['coordination'],
    ['actor', 'operations', 'commandLine'],
  ],
  broker: [
    ['errors.ts', 're2Pattern.ts', 'metrics/table'],
    ['log'],
    ['configuration'],
    ['controller'],
    ['replication'],
    ['coordinators'],
    ['groups', 'transactions'],
    ['server'],
    ['metrics', 'admin'],
    ['.'],
    ['testing'],
  ],
  agent: [
    ['errors.ts', 'event.ts', 'hostIdentity.ts', 'javaPattern.ts', 'agentReasons.ts'],
    ['escapes.ts', 'configuration'],
    ['componentTypes.ts', 'monitoring', 'polled.ts'],
    ['channels', 'componentWatch.ts'],
    ['componentRunner.ts'],
    ['interceptors', 'selectors'],
    ['channelProcessor.ts'],
    ['sources', 'sinks'],
    ['.'],
  ],
  engine: [
    ['engineError.ts', 'threadMemory.ts', 'modulePath.ts'],
    ['userCode.ts', 'keys'],
    ['state'],
    ['contract'],
    ['rows'],
    ['sources'],
    ['checkpoint', 'metrics'],
    ['rdd'],
    ['shuffle'],
    ['stream'],
    ['jobModule.ts', 'jobDirectory.ts'],
    ['executor', 'savepoint'],
    ['scheduler'],
    ['lifecycle'],
    ['address'],
    ['process'],
    ['commandLine'],
    ['.'],
    ['testing', 'jobs'],
  ],
}

/** The public methods of these return each other; one file for all three would have 800 lines. */
const streams = [
  'engine/stream/dstream.ts',
  'engine/stream/eventStream.ts',
  'engine/stream/eventWindows.ts',
]

describe('direction between rooms', () => {
  test('protocol imports no other room, and the others only protocol', () => {
    expect(importsOf(sources).filter(breaksDirection).map(describeImport)).toEqual([])
  })

  test('the rule bites', () => {
    const breaks = (from: string, to: string) => breaksDirection({ from, to })
    expect(breaks('protocol/client/x.ts', 'broker/broker.ts')).toBe(true)
    expect(breaks('agent/agent.ts', 'engine/engine.ts')).toBe(true)
    expect(breaks('engine/engine.ts', 'test/memoryLogger.ts')).toBe(true)
    expect(breaks('millrace.ts', 'test/memoryLogger.ts')).toBe(true)
    expect(breaks('engine/engine.ts', 'protocol/runtime/runtime.ts')).toBe(false)
    expect(breaks('demo/demo.ts', 'engine/engine.ts')).toBe(false)
  })
})

describe('direction inside rooms', () => {
  test('a folder imports only folders of lower layers', () => {
    expect(importsOf(sources).filter(breaksLayers).map(describeImport)).toEqual([])
  })

  test('every folder of a room has its layer, and every layer exists', () => {
    expect(sources.filter((file) => !isDoor(file) && layerOf(file) < 0)).toEqual([])
    const listed = Object.entries(layers).flatMap(([room, order]) =>
      order.flat().map((entry) => (entry === '.' ? room : `${room}/${entry}`)),
    )
    const isThere = (entry: string) =>
      sources.some((file) => file === entry || file.startsWith(`${entry}/`))
    expect(listed.filter((entry) => !isThere(entry))).toEqual([])
  })

  test('no files import each other, directly or through others', () => {
    expect(cyclicGroups(importsOf(sources))).toEqual([streams])
  })

  test('the rules bite', () => {
    expect(
      cyclicGroups([
        { from: 'a', to: 'b' },
        { from: 'b', to: 'c' },
        { from: 'c', to: 'a' },
        { from: 'c', to: 'd' },
      ]),
    ).toEqual([['a', 'b', 'c']])
    expect(
      breaksLayers({ from: 'broker/log/partitionLog.ts', to: 'broker/server/dispatch.ts' }),
    ).toBe(true)
    expect(
      breaksLayers({ from: 'broker/server/dispatch.ts', to: 'broker/log/partitionLog.ts' }),
    ).toBe(false)
    expect(breaksLayers({ from: 'broker/log/logManager.ts', to: 'broker/broker.ts' })).toBe(true)
  })
})

function breaksDirection({ from, to }: Import): boolean {
  if (isDoor(from)) return roomOf(to) === 'test'
  return roomOf(to) !== roomOf(from) && roomOf(to) !== 'protocol'
}

function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file
}

function breaksLayers({ from, to }: Import): boolean {
  const [room] = from.split('/')
  if (!layers[room!] || !to.startsWith(`${room}/`)) return false
  const entry = entryOf(from)
  if (entry === undefined || entryOf(to) === entry) return false
  return layerOf(to) >= layerOf(from)
}

/** The entry of the layers that stands for the file: the longest one that it is in. */
function entryOf(file: string): string | undefined {
  const [room, ...rest] = file.split('/')
  const path = rest.join('/')
  const listed = (layers[room!] ?? []).flat()
  const entries = listed.filter((entry) => path === entry || path.startsWith(`${entry}/`))
  if (entries.length === 0) return rest.length === 1 ? '.' : undefined
  return entries.reduce((best, next) => (next.length > best.length ? next : best))
}

/** -1 for a file of no layer. */
function layerOf(file: string): number {
  const entry = entryOf(file)
  const order = layers[file.split('/')[0]!] ?? []
  return order.findIndex((layer) => entry !== undefined && layer.includes(entry))
}

function describeImport({ from, to }: Import): string {
  return `${from} imports ${to}`
}

/** Groups of files that reach each other (Tarjan's strongly connected components), sorted. */
function cyclicGroups(imports: readonly Import[]): string[][] {
  const targets = new Map<string, string[]>()
  for (const { from, to } of imports) {
    targets.set(from, [...(targets.get(from) ?? []), to])
  }
  const number = new Map<string, number>()
  const lowest = new Map<string, number>()
  const path: string[] = []
  const onPath = new Set<string>()
  const groups: string[][] = []
  const visit = (file: string) => {
    number.set(file, number.size)
    lowest.set(file, number.get(file)!)
    path.push(file)
    onPath.add(file)
    for (const target of targets.get(file) ?? []) {
      if (!number.has(target)) {
        visit(target)
        lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!))
      } else if (onPath.has(target)) {
        lowest.set(file, Math.min(lowest.get(file)!, number.get(target)!))
      }
    }
    if (lowest.get(file) !== number.get(file)) return
    const group = path.splice(path.indexOf(file))
    for (const member of group) onPath.delete(member)
    if (group.length > 1) groups.push(group.sort())
  }
  for (const file of targets.keys()) if (!number.has(file)) visit(file)
  return groups
}
