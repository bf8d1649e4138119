// What a job says about a topic that it reads: where it begins, what becomes of records that fail, and where
// it goes on when records are gone that it had yet to read.

import { EngineError } from '../engineError.ts'
import type { OnRecordError } from './scan.ts'

/** The first record at or after a time, by the timestamps of records; milliseconds since the epoch. */
export interface TimePosition {
  readonly timeMs: number
}

/** A position in a topic: one of its ends, or the first record as new as a time. */
export type StartAt = 'earliest' | 'latest' | Date | TimePosition

/** How a job reads a topic. */
export interface TopicOptions {
  /**
   * What becomes of a record at which the row format or a function of the job fails. `fail`, the default:
   * the job fails. `skip`: the record is left out, counted and, the first of them, logged.
   * `{ deadLetter: 'topic' }`: as skip, and the record goes to that topic, which has to exist, as it is, with
   * headers that say where it was and what went wrong.
   *
   * A record is left out of a chain of map, filter, flatMap, mapValues and union as a whole, up to the next
   * shuffle, action or mapPartitions: a flatMap that throws half way has emitted nothing. What fails behind
   * that (a function that combines, such as reduce, mapPartitions, updateStateByKey) is of more than one
   * record, and fails the job. So does a batch of records that cannot be read at all.
   */
  readonly onError?: OnRecordError
  /**
   * Where a job begins that has not read the topic before: `earliest`, the default, `latest`, or a time.
   * Partitions that are added later are read from their beginning.
   */
  readonly startAt?: StartAt
  /**
   * Where the job goes on when records that it had yet to read were removed, by retention while it was away
   * or slow. `fail`, the default, says what is lost and fails. With a position the job goes on from there,
   * never from what it has read before; the gap is logged and counted. A window that reads earlier batches
   * again, after a restart for example, then goes on without those of their records that are gone.
   */
  readonly onLost?: 'fail' | StartAt
}

/** A position, as it is the same in every thread. */
export type Position = 'earliest' | 'latest' | TimePosition

/** What all streams of a topic have in common. */
export interface TopicSource {
  readonly startAt: Position
  readonly onLost: 'fail' | Position
  /** Dead letter topics of its streams, sorted. */
  readonly deadLetters: readonly string[]
}

/** Options of one fromTopic as what is kept of its topic. Throws JOB_GRAPH_INVALID. */
export function sourceOf(topic: string, options: TopicOptions): TopicSource {
  const { onError = 'fail', startAt = 'earliest', onLost = 'fail' } = options
  return {
    startAt: positionOf(topic, 'startAt', startAt),
    onLost: onLost === 'fail' ? 'fail' : positionOf(topic, 'onLost', onLost),
    deadLetters: deadLettersOf(topic, onError),
  }
}

/** Of another fromTopic of the same topic: it is read once, so that both have to agree. */
export function joinSources(topic: string, one: TopicSource, other: TopicSource): TopicSource {
  for (const option of ['startAt', 'onLost'] as const) {
    const given = [one[option], other[option]].map((position) => JSON.stringify(position))
    if (given[0] === given[1]) continue
    throw invalid(
      topic,
      `two streams of it have ${option} ${given.join(' and ')}, and a job reads a topic from one place: ` +
        'give both the same',
    )
  }
  const deadLetters = [...new Set([...one.deadLetters, ...other.deadLetters])].sort()
  return { ...one, deadLetters }
}

/** Throws JOB_GRAPH_INVALID for a job that would read what it could not read before, again and again. */
export function requireOtherDeadLetters(sources: ReadonlyMap<string, TopicSource>): void {
  for (const [topic, { deadLetters }] of sources) {
    const read = deadLetters.find((deadLetter) => sources.has(deadLetter))
    if (read === undefined) continue
    throw invalid(topic, `its dead letters go to ${read}, which this job reads: take another topic`)
  }
}

function positionOf(topic: string, option: string, given: StartAt): Position {
  if (given === 'earliest' || given === 'latest') return given
  const timeMs = given instanceof Date ? given.getTime() : (given as Partial<TimePosition>)?.timeMs
  if (timeMs !== undefined && Number.isSafeInteger(timeMs) && timeMs >= 0) return { timeMs }
  throw invalid(
    topic,
    `${option} takes 'earliest', 'latest', a Date from 1970 on or { timeMs } in whole milliseconds`,
  )
}

function deadLettersOf(topic: string, onError: OnRecordError): string[] {
  if (onError === 'fail' || onError === 'skip') return []
  const deadLetter = (onError as Partial<typeof onError> | null)?.deadLetter
  if (deadLetter !== undefined && /^[a-zA-Z0-9._-]{1,249}$/.test(deadLetter)) return [deadLetter]
  throw invalid(
    topic,
    "onError takes 'fail', 'skip' or { deadLetter: 'topic' } with the name of a topic",
  )
}

function invalid(topic: string, problem: string): EngineError {
  return new EngineError('JOB_GRAPH_INVALID', `topic ${topic}: ${problem}`)
}
