// Records at which a format or an operator fails, under each policy: the result of a chain omits
// these records, whether or not the chain shared a pass, and in every attempt.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DStream, type JobStream, job, type TopicOptions } from '../../../engine/engine.ts'
import { EngineError } from '../../../engine/engineError.ts'
import { SharedPasses } from '../../../engine/executor/sharedPasses.ts'
import { type Action, runAction } from '../../../engine/rdd/action.ts'
import { writeBuckets } from '../../../engine/rdd/buckets.ts'
import type { Lineage, TaskContext } from '../../../engine/rdd/lineage.ts'
import type { RowFormat } from '../../../engine/rows/rowFormat.ts'
import { pushHeld } from '../../../engine/sources/heldRecord.ts'
import { offsetsOf } from '../../../engine/sources/offsetSet.ts'
import { mostDeadLetterBytes, TaskRejections } from '../../../engine/sources/taskRejections.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { lineRecords } from '../sources/lineRecords.ts'
import { StreamHarness } from '../stream/streamHarness.ts'

const lines: RowFormat<string> = {
  name: 'line',
  describe: () => 'line()',
  row: (bytes, start, end) => bytes.toString('utf8', start, end),
}

/** The graph of a job over topics in memory, in its first batch, and tasks of the graph. */
class Batch {
  readonly graph: StreamGraph
  readonly #topics: Readonly<Record<string, readonly string[]>>
  readonly #passes = new SharedPasses(systemScheduler)

  constructor(
    topics: Readonly<Record<string, readonly string[]>>,
    build: (stream: JobStream) => void,
  ) {
    this.#topics = topics
    this.graph = new StreamGraph(job('guarded', build), { batchIntervalMs: 1000 })
    const ranges = Object.entries(topics).map(([topic, { length }]) => {
      return { topic, partition: 0, from: 0, until: length }
    })
    this.graph.addBatch({ batchId: 0, timeMs: 1000, ranges })
  }

  rdd(output: number): Lineage<unknown> {
    return this.graph.rdd(this.graph.outputs[output]!.stream, 0)!
  }

  /** Runs all partitions of an output's RDD; returns its elements and the rejected records. */
  async run(output: number, options: { shares?: boolean; action?: Action } = {}) {
    const { shares = true, action = { kind: 'collect' } } = options
    const rdd = this.rdd(output)
    const { task, rejections } = this.task(shares)
    const elements: unknown[] = []
    for (let partition = 0; partition < rdd.partitionCount; partition++) {
      elements.push(...((await runAction(action, rdd, partition, task)) as unknown[]))
    }
    return { elements, offsets: offsetsIn(rejections), rejections }
  }

  task(shares: boolean) {
    const rejections = new TaskRejections()
    const task = {
      batchId: 0,
      timeMs: 1000,
      scan: async (scan, sink) => {
        await Promise.resolve()
        const records = lineRecords(scan.range, this.#topics[scan.range.topic]!)
        pushHeld(records, scan, sink, task.reject)
      },
      reject: (record) => rejections.reject(record),
    } as TaskContext
    if (shares) {
      task.share = (rdd, partition, sink) => this.#passes.share(rdd, partition, task, sink)
    }
    return { task, rejections }
  }
}

function offsetsIn(rejections: TaskRejections): number[] {
  return rejections.report().rejectedOffsets.flatMap((piece) => [...offsetsOf(piece)])
}

function shown(stream: DStream<unknown>): void {
  stream.foreachRDD(() => {})
}

function failAt(wanted: string) {
  return <T>(element: T): T => {
    if (String(element).includes(wanted)) throw new Error(`cannot take ${wanted}`)
    return element
  }
}

const skip: TopicOptions = { onError: 'skip' }

describe('rejected records', () => {
  type Kind = 'map' | 'filter' | 'flatMap' | 'mapValues'
  interface Step {
    readonly kind: Kind
    /** Salt that determines the results of the step and the texts at which it fails. */
    readonly salt: number
  }
  const steps = fc.array(
    fc.record({
      kind: fc.constantFrom<Kind>('map', 'filter', 'flatMap', 'mapValues'),
      salt: fc.nat(1000),
    }),
    { maxLength: 4 },
  )

  const hash = (text: string) => {
    let sum = 7
    for (const character of text) sum = (sum * 31 + character.charCodeAt(0)) | 0
    return Math.abs(sum ^ (sum >>> 9))
  }
  type Element = readonly [string, string]
  const requireSound = (salt: number, text: string) => {
    if (hash(`fails ${salt} ${text}`) % 7 === 0) throw new Error('it fails here')
  }
  const change = (salt: number, text: string) => {
    requireSound(salt, text)
    return `${text}.${salt % 3}`
  }
  const keeps = (salt: number, text: string) => {
    requireSound(salt, text)
    return hash(`${salt} ${text}`) % 4 !== 0
  }
  function* several(salt: number, text: string): Generator<string> {
    for (let at = 0; at < hash(`${salt} ${text}`) % 4; at++) {
      // The step may fail half way, after it has emitted elements.
      requireSound(salt, `${text} ${at}`)
      yield `${text}/${at}`
    }
  }

  const apply = (stream: DStream<Element>, { kind, salt }: Step): DStream<Element> => {
    if (kind === 'map') return stream.map(([key, text]): Element => [key, change(salt, text)])
    if (kind === 'filter') return stream.filter(([, text]) => keeps(salt, text))
    if (kind === 'mapValues') return stream.mapValues((text) => change(salt, text))
    return stream.flatMap(function* ([key, text]): Generator<Element> {
      for (const each of several(salt, text)) yield [key, each]
    })
  }
  /** Returns the elements that a record gives after all steps, or undefined if a step fails. */
  const given = (line: string, all: readonly Step[]): string[] | undefined => {
    let texts = [line]
    try {
      for (const { kind, salt } of all) {
        if (kind === 'filter') texts = texts.filter((text) => keeps(salt, text))
        else if (kind === 'flatMap') texts = texts.flatMap((text) => [...several(salt, text)])
        else texts = texts.map((text) => change(salt, text))
      }
    } catch {
      return undefined
    }
    return texts
  }

  test('are omitted by every chain separately, also when chains share passes, and on a retry', async () => {
    let rejected = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 12 }),
        steps,
        fc.array(fc.tuple(steps, steps), { minLength: 1, maxLength: 3 }),
        async (input, trunk, branches) => {
          const batch = new Batch({ t: input }, (stream) => {
            let shared: DStream<Element> = stream
              .fromTopic('t', lines, skip)
              .map((line): Element => [line, line])
            for (const step of trunk) shared = apply(shared, step)
            for (const [first, second] of branches) {
              let branch = shared
              for (const step of first) branch = apply(branch, step)
              // This output adds another pass to share, in the middle of the chain.
              shown(branch)
              for (const step of second) branch = apply(branch, step)
              shown(branch)
            }
          })
          const chains = branches.flatMap(([first, second]) => [
            [...trunk, ...first],
            [...trunk, ...first, ...second],
          ])
          const expected = chains.map((chain) => {
            const results = input.map((line) => given(line, chain))
            rejected += results.filter((result) => result === undefined).length
            return {
              texts: results.flatMap((result) => result ?? []),
              lost: results.flatMap((result, at) => (result === undefined ? [at] : [])),
            }
          })
          const all = chains.map((_, at) => at)
          const together = await Promise.all(all.map((at) => batch.run(at)))
          const alone = await Promise.all(all.map((at) => batch.run(at, { shares: false })))
          for (const [at, { texts, lost }] of expected.entries()) {
            const textsOf = (elements: unknown[]) => elements.map((each) => (each as Element)[1])
            expect(textsOf(together[at]!.elements)).toEqual(texts)
            expect(textsOf(alone[at]!.elements)).toEqual(texts)
            expect(alone[at]!.offsets).toEqual(lost)
          }
          const reported = new Set(together.flatMap(({ offsets }) => offsets))
          expect([...reported].sort((one, other) => one - other)).toEqual(
            [...new Set(expected.flatMap(({ lost }) => lost))].sort((one, other) => one - other),
          )
        },
      ),
      { numRuns: 200 },
    )
    expect(rejected).toBeGreaterThan(100)
  })

  test('are omitted in every attempt of a task, whether or not the attempt shares its pass again', async () => {
    const failures = new Set<string>()
    /** Fails the first attempt of each task, after the chain. */
    const once = (name: string) => (elements: readonly string[], partition: number) => {
      const attempt = `${name}/${partition}`
      if (failures.has(attempt)) return elements
      failures.add(attempt)
      throw new Error('the first attempt fails')
    }
    const found = new Map<string, string[]>()
    const branches = job('branches', (stream) => {
      const shared = stream
        .fromTopic('lines', StreamHarness.lines, skip)
        .flatMap((line) => [line, `${failAt('bad')(line)}2`])
      const output = (name: string, branch: DStream<string>) =>
        branch.foreachRDD(async (rdd) => void found.set(name, await rdd.collect()))
      output('b', shared.map(failAt('b2')).mapPartitions(once('b')))
      output('c', shared.filter((line) => failAt('c')(line) !== '').mapPartitions(once('c')))
      output('all', shared)
    })
    await using harness = await StreamHarness.start(branches)
    await harness.batch(['a', 'b', 'bad', 'c', 'd', 'e'])
    expect(failures.size).toBe(4)
    const doubled = (lines: readonly string[]) => lines.flatMap((line) => [line, `${line}2`])
    // Lines alternate between two partitions.
    expect(found.get('b')).toEqual(doubled(['a', 'd', 'c', 'e']))
    expect(found.get('c')).toEqual(doubled(['a', 'd', 'b', 'e']))
    expect(found.get('all')).toEqual(doubled(['a', 'd', 'b', 'c', 'e']))
  })

  test('are omitted when the format fails; a tombstone is neither a row nor an error', async () => {
    const format: RowFormat<string> = {
      ...lines,
      row: (bytes, start, end) => failAt('b')(bytes.toString('utf8', start, end)),
    }
    const batch = new Batch({ t: ['a', 'b', 'c'] }, (stream) => {
      shown(stream.fromTopic('t', format, skip))
    })
    const { elements, rejections } = await batch.run(0)
    expect(elements).toEqual(['a', 'c'])
    const [only, ...others] = rejections.report().rejected
    expect(others).toEqual([])
    expect(only).toMatchObject({ topic: 't', partition: 0, offset: 1, onError: 'skip' })
    expect(only!.error).toMatch(
      /^Error: cannot take b \(.*recordErrors\.test\.ts:\d+:\d+\) at t-0 offset 1$/,
    )
    expect(only).not.toHaveProperty('record')
  })

  test('are omitted from chains of any length, with all of their elements', async () => {
    const batch = new Batch({ t: ['a', 'b', 'd', 'c', 'e'] }, (stream) => {
      let chain: DStream<string> = stream
        .fromTopic('t', lines, skip)
        .flatMap((line) => [line, `${line}2`])
      for (let at = 0; at < 1300; at++) {
        if (at === 700) chain = chain.map(failAt('b2'))
        else if (at === 1200) chain = chain.filter((line) => failAt('c')(line) !== '')
        else chain = chain.map((line) => line)
      }
      shown(chain)
    })
    const { elements, offsets } = await batch.run(0)
    expect(elements).toEqual(['a', 'a2', 'd', 'd2', 'e', 'e2'])
    expect(offsets).toEqual([1, 3])
  })

  test('are omitted from a union, by the policy of their topic', async () => {
    const build = (stream: JobStream) => {
      const strict = stream.fromTopic('strict', lines)
      const lenient = stream.fromTopic('lenient', lines, skip)
      shown(strict.union(lenient).flatMap((line) => ['x', failAt('b')(line)]))
    }
    const sound = new Batch({ strict: ['a', 'c'], lenient: ['a', 'b'] }, build)
    expect((await sound.run(0)).elements).toEqual(['x', 'a', 'x', 'c', 'x', 'a'])
    const unsound = new Batch({ strict: ['b'], lenient: ['a'] }, build)
    await expect(unsound.run(0)).rejects.toMatchObject({ code: 'USER_CODE_FAILED' })
  })
})

describe('errors that concern more than one record fail the job', () => {
  const topics = { t: ['a', 'b', 'c'] }

  test('in mapPartitions, and in operators after it', async () => {
    for (const build of [
      (rows: DStream<string>) => rows.mapPartitions((all) => all.map(failAt('b'))),
      (rows: DStream<string>) => rows.mapPartitions((all) => all).map(failAt('b')),
    ]) {
      const batch = new Batch(topics, (stream) => shown(build(stream.fromTopic('t', lines, skip))))
      await expect(batch.run(0)).rejects.toThrow('cannot take b')
    }
  })

  test('in a combining function, with the record that it was processing', async () => {
    const batch = new Batch({ t: ['a', 'a', 'a'] }, (stream) => {
      const pairs = stream.fromTopic('t', lines, skip).map((line) => [line, 1] as const)
      shown(
        pairs.reduceByKey<string, number>(() => {
          throw new Error('no sum')
        }),
      )
    })
    const [shuffle] = batch.rdd(0).dependencies
    if (shuffle?.kind !== 'shuffle') throw new Error('no shuffle')
    const { task, rejections } = batch.task(true)
    await expect(writeBuckets(shuffle, 0, task)).rejects.toThrow(/no sum.* at t-0 offset 1/)
    expect(offsetsIn(rejections)).toEqual([])
  })

  test('of the engine itself, which every record would cause', async () => {
    const batch = new Batch(topics, (stream) => {
      const rows = stream.fromTopic('t', lines, skip)
      shown(
        rows.map(() => {
          throw new EngineError('JOB_GRAPH_INVALID', 'not here')
        }),
      )
    })
    await expect(batch.run(0)).rejects.toMatchObject({ code: 'JOB_GRAPH_INVALID' })
  })

  test('at the first record, when the policy is to fail', async () => {
    const batch = new Batch(topics, (stream) =>
      shown(stream.fromTopic('t', lines).map(failAt('b'))),
    )
    const failed = batch.run(0)
    await expect(failed).rejects.toThrow(/cannot take b.* at t-0 offset 1, value "b"/)
  })
})

test('an action that has enough elements ends a guarded pass', async () => {
  const decoded: string[] = []
  const noting: RowFormat<string> = {
    ...lines,
    row(bytes, start, end) {
      const line = bytes.toString('utf8', start, end)
      decoded.push(line)
      return line
    },
  }
  const batch = new Batch({ t: ['b', 'a', 'c', 'd'] }, (stream) => {
    shown(stream.fromTopic('t', noting, skip).map(failAt('b')))
  })
  const action = { kind: 'collect', limit: 2 } as const
  const { elements, offsets } = await batch.run(0, { shares: false, action })
  expect(elements).toEqual(['a', 'c'])
  expect(offsets).toEqual([0])
  expect(decoded).toEqual(['b', 'a', 'c'])
})

describe('the report of a task', () => {
  test('has an exact count, and a limited number of texts', async () => {
    const input = Array.from({ length: 20_000 }, (_, at) => (at % 10 === 3 ? 'a' : 'b'))
    const batch = new Batch({ t: input }, (stream) => {
      shown(stream.fromTopic('t', lines, skip).map(failAt('b')))
    })
    const { elements, offsets, rejections } = await batch.run(0)
    expect(elements).toHaveLength(2000)
    expect(offsets).toEqual(input.flatMap((line, at) => (line === 'b' ? [at] : [])))
    expect(rejections.report().rejected).toHaveLength(1000)
  })

  test('has unchanged dead letters, up to a limit that fails the task', async () => {
    const deadLetters: TopicOptions = { onError: { deadLetter: 'dead' } }
    const large = 'b'.repeat(mostDeadLetterBytes / 4)
    const build = (stream: JobStream) =>
      shown(stream.fromTopic('t', lines, deadLetters).map(failAt('b')))
    const few = await new Batch({ t: ['a', 'b1', large] }, build).run(0)
    expect(few.elements).toEqual(['a'])
    const [first, second] = few.rejections.report().rejected
    expect(first).toMatchObject({ offset: 1, onError: { deadLetter: 'dead' } })
    expect(first!.record).toEqual({
      key: null,
      value: new Uint8Array(Buffer.from('b1')),
      headers: [],
    })
    expect(structuredClone(second)!.record!.value).toHaveLength(large.length)
    const many = new Batch({ t: [large, large, large, large] }, build).run(0)
    await expect(many).rejects.toMatchObject({ code: 'REJECTED_TOO_MANY' })
  })
})
