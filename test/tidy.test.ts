// The house rules that a reader would otherwise have to trust: which room may import which, no
// cycles, nothing ambient, no file that is called after nothing.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const rooms = ['protocol', 'broker', 'agent', 'engine'] as const
/** Import every room: the front door, and the demo. */
const isDoor = (file: string) => file === 'millrace.ts' || file.startsWith('demo/')
const files = trackedFiles().filter((file) => file.endsWith('.ts'))
const sources = files.filter((file) => isProduct(file))
const texts = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

describe('the rule of direction', () => {
  test('protocol imports no other room, and the others only protocol', () => {
    expect(importsOf(sources).filter(breaksDirection).map(describeImport)).toEqual([])
  })

  test('there are no cycles between files', () => {
    expect(cycles()).toEqual([])
  })

  test('the rule bites', () => {
    expect(breaksDirection({ from: 'protocol/client/x.ts', to: 'broker/broker.ts' })).toBe(true)
    expect(breaksDirection({ from: 'agent/agent.ts', to: 'engine/engine.ts' })).toBe(true)
    expect(breaksDirection({ from: 'engine/engine.ts', to: 'test/manualClock.ts' })).toBe(true)
    expect(breaksDirection({ from: 'engine/engine.ts', to: 'protocol/runtime/clock.ts' })).toBe(
      false,
    )
    expect(breaksDirection({ from: 'millrace.ts', to: 'engine/engine.ts' })).toBe(false)
  })
})

describe('nothing ambient', () => {
  // The edges: the interfaces' real implementations, the command lines, HTTP, worker threads and
  // child processes. Each line says what it is allowed and why.
  const edges: readonly { file: RegExp; why: string }[] = [
    { file: /^protocol\/runtime\//, why: 'the real clock, randomness, disk and network' },
    { file: /^(?:millrace\.ts$|demo\/)/, why: 'the front door, and the demo' },
    { file: /^[a-z]+\/(.+\/)?[a-z]*[cC]ommand\.ts$/, why: 'a command line' },
    { file: /^engine\/jobClient\.ts$/, why: 'asks a job over HTTP' },
    {
      file: /^protocol\/operations\/lateServer\.ts$/,
      why: 'listens for HTTP before fastify is there',
    },
    { file: /^broker\/admin\/page\//, why: 'runs in the browser' },
  ]
  const ambient =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\b(?:set|clear)(?:Timeout|Interval|Immediate)\(|\bcrypto\.random|\bqueueMicrotask\(|\bawait undefined\b|from '(?:node:)?(?:fs|fs\/promises|net|dgram|tls|http|https|dns|timers|timers\/promises)'/

  test('clock, randomness, disk, network and scheduler come in through constructors', () => {
    const found = sources
      .filter((file) => !edges.some((edge) => edge.file.test(file)))
      .flatMap((file) => ambientLines(file))
    expect(found).toEqual([])
  })

  // Beside the edges above: what speaks to the process that it runs in, or to one that it started.
  const processEdges: readonly { file: RegExp; why: string }[] = [
    { file: /^protocol\/commandLine\/stopSignals\.ts$/, why: 'waits for signals' },
    { file: /^protocol\/operations\/routes\/version\.ts$/, why: 'says which Node runs' },
    { file: /^agent\/embeddedAgent\.ts$/, why: 'the agent inside a program of its user' },
    {
      file: /^agent\/sources\/exec(?:Process|Source)\.ts$/,
      why: 'a command of the user runs in it',
    },
    { file: /^engine\/jobHost\.ts$/, why: 'names its process in the address of the job' },
    { file: /^engine\/typeCheck\.ts$/, why: 'runs the compiler' },
    { file: /^engine\/submitProgress\.ts$/, why: 'what a command line prints' },
    { file: /^engine\/driverThread\.ts$/, why: 'a message names process.exit' },
  ]
  const ambientProcess =
    /(?<![.#\w])process\.(?:env|cwd|argv|exit|exitCode|kill|pid|platform|hrtime|memoryUsage|cpuUsage|uptime|on|once|off|removeListener|stdout|stderr|stdin|execPath|execArgv|versions?|umask|chdir|nextTick|emitWarning)\b/

  test('no file but the edges asks the process that it runs in', () => {
    const found = sources
      .filter((file) => ![...edges, ...processEdges].some((edge) => edge.file.test(file)))
      .flatMap((file) => matchingLines(file, ambientProcess))
    expect(found).toEqual([])
  })

  test('level is imported in one place', () => {
    const importing = sources.filter((file) => /from 'level'/.test(texts.get(file)!))
    expect(importing).toEqual(['protocol/runtime/levelStore.ts'])
  })

  test('the rule bites', () => {
    const broken = ['Date.now()', 'setTimeout(f, 1)', "from 'node:fs'", 'Math.random()']
    for (const line of [...broken, 'queueMicrotask(f)', 'await undefined']) {
      expect(ambient.test(line)).toBe(true)
    }
    expect(ambient.test('clock.setTimer(1, f)')).toBe(false)
    expect(ambientProcess.test('process.env.HOME')).toBe(true)
    expect(ambientProcess.test('this.#process.exit')).toBe(false)
  })

  // A variable of a module is shared by all that runs in the process: a second node or a second run
  // of a simulation sees what the first left there. What remains is a cache, or belongs to the
  // process itself.
  const ownVariables: readonly { file: string; why: string }[] = [
    { file: 'agent/sources/taildir/lines.ts', why: 'memory that no call leaves anything in' },
    { file: 'engine/contract/codeRecorder.ts', why: "hooks of the thread's module loader" },
    { file: 'protocol/bytes/lz4Frame.ts', why: 'memory that no call leaves anything in' },
    { file: 'protocol/runtime/ownPackage.ts', why: 'a file that does not change, read once' },
    { file: 'protocol/runtime/seededGlobals.ts', why: 'globals of the thread' },
    { file: 'protocol/runtime/standardStreams.ts', why: 'streams of the process' },
    { file: 'protocol/telemetry/figures.ts', why: 'a formatter without state, created lazily' },
    { file: 'protocol/telemetry/logger.ts', why: 'standard error of the process' },
  ]
  const moduleVariable = /^(?:export )?(?:let|var) /

  test('no module has variables of its own', () => {
    const found = sources
      .filter((file) => linesWithoutComments(file).some((line) => moduleVariable.test(line)))
      .filter((file) => !file.startsWith('broker/admin/page/'))
    expect(found).toEqual(ownVariables.map(({ file }) => file))
    expect(moduleVariable.test('let lanes = 0')).toBe(true)
    expect(moduleVariable.test('  let lanes = 0')).toBe(false)
  })

  // A test that lets some turns pass and hopes finds out on the day on which a part needs one turn
  // more. What is in memory settles (`settle`), what is real is waited for (`until` in
  // test/eventLoop.ts).
  const countsTurns = /\bsetImmediate\b|\bfor \(.*\bawait (?:undefined|Promise\.resolve\(\))/
  const turnsAllowed: readonly { file: RegExp; why: string }[] = [
    { file: /^test\/eventLoop\.ts$/, why: 'waits for conditions, turn by turn' },
    { file: /^test\/tidy\.test\.ts$/, why: 'names what it forbids' },
    { file: /^test\/bench\//, why: 'measures how long a turn takes' },
    { file: /^test\/broker\/testing\/startBroker\.test\.ts$/, why: 'fakes it' },
    { file: /^test\/broker\/testing\/leftovers\.test\.ts$/, why: 'the script of a child process' },
    { file: /^test\/broker\/log\//, why: 'delays of single writes' },
    {
      file: /^test\/engine\/(?:executor\/stateStores\.test|scheduler\/driver\.test|testing\/engineFaults)\.ts$/,
      why: 'draw how late an answer is',
    },
  ]

  test('tests wait for conditions or until nothing is runnable, and count no turns', () => {
    const found = files
      .filter((file) => file.startsWith('test/'))
      .filter((file) => !turnsAllowed.some((allowed) => allowed.file.test(file)))
      .filter((file) => linesWithoutComments(file).some((line) => countsTurns.test(line)))
    expect(found).toEqual([])
    expect(countsTurns.test('for (let n = 0; n < 9; n++) await undefined')).toBe(true)
    expect(countsTurns.test('await settle()')).toBe(false)
  })

  function ambientLines(file: string): string[] {
    return matchingLines(file, ambient)
  }

  function matchingLines(file: string, pattern: RegExp): string[] {
    return linesWithoutComments(file)
      .map((line, index) => ({ line, number: index + 1 }))
      .filter(({ line }) => pattern.test(line))
      .map(({ line, number }) => `${file}:${number}: ${line.trim()}`)
  }
})

describe('files', () => {
  test('every source file opens by saying what it is', () => {
    expect(
      sources.filter(
        (file) =>
          !texts
            .get(file)!
            .replace(/^#!.*\n/, '')
            // An entry of the package opens with the text of its reference page.
            .match(/^\/\/|^\/\*\*\n(?: \*.*\n)* \* @module/),
      ),
    ).toEqual([])
  })

  test('no source file is longer than 600 lines', () => {
    expect(sources.filter((file) => texts.get(file)!.split('\n').length > 601)).toEqual([])
  })

  test('none is called after nothing', () => {
    const vague = /(^|\/)(utils?|helpers?|types|index|common|misc)(\.ts|\/)/
    expect(files.filter((file) => vague.test(file))).toEqual([])
  })

  test('no test is skipped or focused unconditionally', () => {
    const skipped = /\b(?:test|it|describe)\.(?:skip|only|todo)\(/
    const tests = files.filter((file) => file.endsWith('.test.ts') && file !== 'test/tidy.test.ts')
    expect(tests.filter((file) => skipped.test(texts.get(file)!))).toEqual([])
  })
})

interface Import {
  readonly from: string
  readonly to: string
}

function trackedFiles(): string[] {
  const list = ['ls-files', '--cached', '--others', '--exclude-standard']
  const names = execFileSync('git', list, { cwd: root, encoding: 'utf8' }).trim().split('\n')
  const removed = execFileSync('git', ['ls-files', '--deleted'], { cwd: root, encoding: 'utf8' })
  return names.filter((name) => !removed.split('\n').includes(name))
}

function isProduct(file: string): boolean {
  return isDoor(file) || rooms.some((room) => file.startsWith(`${room}/`))
}

function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : file
}

function breaksDirection({ from, to }: Import): boolean {
  if (isDoor(from)) return roomOf(to) === 'test'
  return roomOf(to) !== roomOf(from) && roomOf(to) !== 'protocol'
}

function importsOf(from: readonly string[]): Import[] {
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+)'|(?:new URL|ownModule)\('(\.[^']+\.ts)'/g
  return from.flatMap((file) =>
    [...texts.get(file)!.matchAll(pattern)].map((match) => ({
      from: file,
      to: normalize(join(dirname(file), (match[1] ?? match[2])!)),
    })),
  )
}

function describeImport({ from, to }: Import): string {
  return `${from} imports ${to}`
}

/** Cycles by imports that exist at run time; `import type` is gone by then. */
function cycles(): string[] {
  const graph = new Map<string, string[]>()
  for (const file of sources) {
    const text = texts.get(file)!.replace(/^import type [^;]*?from '[^']+'$/gms, '')
    const targets = [...text.matchAll(/^(?:import|export)\b[^'(]*?'(\.[^']+)'/gms)]
    graph.set(
      file,
      targets.map((match) => normalize(join(dirname(file), match[1]!))),
    )
  }
  const found: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const visit = (file: string, path: readonly string[]) => {
    if (state.get(file) === 'done') return
    if (state.get(file) === 'open') {
      found.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      return
    }
    state.set(file, 'open')
    for (const next of graph.get(file) ?? []) visit(next, [...path, file])
    state.set(file, 'done')
  }
  for (const file of sources) visit(file, [])
  return found
}

function linesWithoutComments(file: string): string[] {
  return texts
    .get(file)!
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.replace(/^\s*\/\/.*$/, '').replace(/\s\/\/ .*$/, ''))
}
