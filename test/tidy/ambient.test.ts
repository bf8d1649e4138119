// House rules for what a simulator has to own: clock, randomness, disk, network, scheduler and the
// process come in through constructors, no module keeps state, and tests count no turns.

import { describe, expect, test } from 'vitest'
import { files, sources, textOf } from './sources.ts'

describe('nothing ambient', () => {
  // The edges: the interfaces' real implementations, the command lines, HTTP, worker threads and
  // child processes. Each line says what it is allowed and why.
  const edges: readonly { file: RegExp; why: string }[] = [
    { file: /^protocol\/runtime\//, why: 'the real clock, randomness, disk and network' },
    { file: /^(?:millrace\.ts$|demo\/)/, why: 'the front door, and the demo' },
    { file: /^[a-z]+\/(.+\/)?[a-z]*[cC]ommand\.ts$/, why: 'a command line' },
    { file: /^engine\/address\/jobClient\.ts$/, why: 'asks a job over HTTP' },
    {
      file: /^protocol\/operations\/lateServer\.ts$/,
      why: 'listens for HTTP before fastify is there',
    },
    { file: /^broker\/admin\/page\//, why: 'runs in the browser' },
    {
      file: /^protocol\/coordination\/log\/nats\/natsTls\.ts$/,
      why: 'compares the names in a certificate',
    },
  ]
  const ambient =
    /\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bperformance\.now\b|\b(?:set|clear)(?:Timeout|Interval|Immediate)\(|\bcrypto\.random|\bqueueMicrotask\(|\bawait undefined\b|\bPromise\.resolve\(\)\.then\(|from '(?:node:)?(?:fs|fs\/promises|net|dgram|tls|http|https|dns|timers|timers\/promises)'/

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
    { file: /^engine\/process\/jobHost\.ts$/, why: 'names its process in the address of the job' },
    { file: /^engine\/process\/startJob\.ts$/, why: 'logs which Node runs' },
    { file: /^engine\/process\/typeCheck\.ts$/, why: 'runs the compiler' },
    { file: /^engine\/commandLine\/submitProgress\.ts$/, why: 'what a command line prints' },
    { file: /^engine\/process\/driverThread\.ts$/, why: 'a message names process.exit' },
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
    const importing = sources.filter((file) => /from 'level'/.test(textOf(file)))
    expect(importing).toEqual(['protocol/runtime/store/levelStore.ts'])
  })

  // A broker without NATS must neither load the client nor pay for it.
  test('the client of NATS is used in one folder, and loaded at the first connection', () => {
    const importing = sources.filter((file) => /from '@nats-io\//.test(textOf(file)))
    const folder = 'protocol/coordination/log/nats/'
    expect(importing.filter((file) => !file.startsWith(folder))).toEqual([])
    const eager = /^import (?!type )[^']*from '@nats-io\//m
    expect(importing.filter((file) => eager.test(textOf(file)))).toEqual([])
    expect(eager.test("import {\n  connect,\n} from '@nats-io/transport-node'")).toBe(true)
    expect(eager.test("import type { Msg } from '@nats-io/transport-node'")).toBe(false)
  })

  test('the rule bites', () => {
    const broken = ['Date.now()', 'setTimeout(f, 1)', "from 'node:fs'", 'Math.random()']
    for (const line of [
      ...broken,
      'queueMicrotask(f)',
      'await undefined',
      'Promise.resolve().then(f)',
    ]) {
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
    {
      file: 'protocol/runtime/process/ownPackage.ts',
      why: 'a file that does not change, read once',
    },
    { file: 'protocol/runtime/process/standardStreams.ts', why: 'streams of the process' },
    { file: 'protocol/runtime/seededGlobals.ts', why: 'globals of the thread' },
    {
      file: 'protocol/telemetry/figures.ts',
      why: 'a formatter without state, created lazily',
    },
    { file: 'protocol/telemetry/logging/logger.ts', why: 'standard error of the process' },
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
    { file: /^test\/tidy\/ambient\.test\.ts$/, why: 'names what it forbids' },
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

function linesWithoutComments(file: string): string[] {
  return textOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .split('\n')
    .map((line) => line.replace(/^\s*\/\/.*$/, '').replace(/\s\/\/ .*$/, ''))
}
