// The options of a topic that a job reads: where to start, what to do with records that fail, and
// where to continue after records were lost.

import { EngineError } from '../engineError.ts'
import type { OnRecordError } from './scan.ts'

/** The first record at or after a time, by record timestamps, in milliseconds since the epoch. */
export interface TimePosition {
  readonly timeMs: number
}

/** A position in a topic: one of its ends, or the first record at or after a time. */
export type StartAt = 'earliest' | 'latest' | Date | TimePosition

/** Options of `fromTopic`. */
export interface TopicOptions {
  /**
   * Policy for a record at which the row format or a function of the job fails. `fail`, the
   * default: the job fails. `skip`: the record is left out and counted, and the first few are
   * logged. `{ deadLetter: 'topic' }`: like skip, and the record is written to that topic
   * unchanged, with headers that name its position and the error. The topic must exist.
   *
   * A record is left out as a whole from a chain of map, filter, flatMap, mapValues and union, up
   * to the next shuffle, action or mapPartitions: a flatMap that throws midway emits nothing. An
   * error after that point (in a function that combines records, such as reduce, mapPartitions or
   * updateStateByKey) concerns more than one record, and fails the job. So does a record batch that
   * cannot be read at all.
   */
  readonly onError?: OnRecordError
  /**
   * Where a job that has not read the topic before starts: `earliest`, the default, `latest`, or a
   * time. Partitions added later are read from their beginning.
   */
  readonly startAt?: StartAt
  /**
   * Where the job continues when retention removed records that it had yet to read, while it was
   * stopped or behind. `fail`, the default: the job fails and reports the lost offsets. With a
   * position, the job continues there, but never before what it has read; the gap is logged and
   * counted. A window that reads earlier batches again, for example after a restart, then continues
   * without their lost records.
   */
  readonly onLost?: 'fail' | StartAt
}

/** A position as a plain value, the same in every thread. */
export type Position = 'earliest' | 'latest' | TimePosition

/** Options shared by all streams of a topic. */
export interface TopicSource {
  readonly startAt: Position
  readonly onLost: 'fail' | Position
  /** Dead letter topics of its streams, sorted. */
  readonly deadLetters: readonly string[]
}

/** Validates the options of one fromTopic. Throws JOB_GRAPH_INVALID. */
export function sourceOf(topic: string, options: TopicOptions): TopicSource {
  const { onError = 'fail', startAt = 'earliest', onLost = 'fail' } = options
  return {
    startAt: positionOf(topic, 'startAt', startAt),
    onLost: onLost === 'fail' ? 'fail' : positionOf(topic, 'onLost', onLost),
    deadLetters: deadLettersOf(topic, onError),
  }
}

/** Merges the options of two fromTopic calls. A topic is read once, so they must agree. */
export function joinSources(topic: string, one: TopicSource, other: TopicSource): TopicSource {
  for (const option of ['startAt', 'onLost'] as const) {
    const given = [one[option], other[option]].map((position) => JSON.stringify(position))
    if (given[0] === given[1]) continue
    throw invalid(
      topic,
      `two of its streams set ${option} to ${given.join(' and ')}, but a job reads a topic once; ` +
        'set both to the same value',
    )
  }
  const deadLetters = [...new Set([...one.deadLetters, ...other.deadLetters])].sort()
  return { ...one, deadLetters }
}

/** Throws JOB_GRAPH_INVALID for a job that would read its own dead letters in an endless loop. */
export function requireOtherDeadLetters(sources: ReadonlyMap<string, TopicSource>): void {
  for (const [topic, { deadLetters }] of sources) {
    const read = deadLetters.find((deadLetter) => sources.has(deadLetter))
    if (read === undefined) continue
    throw invalid(
      topic,
      `its dead letters go to ${read}, which this job reads; choose another topic`,
    )
  }
}

function positionOf(topic: string, option: string, given: StartAt): Position {
  if (given === 'earliest' || given === 'latest') return given
  const timeMs = given instanceof Date ? given.getTime() : (given as Partial<TimePosition>)?.timeMs
  if (timeMs !== undefined && Number.isSafeInteger(timeMs) && timeMs >= 0) return { timeMs }
  throw invalid(
    topic,
    `${option} must be 'earliest', 'latest', a Date since 1970, or { timeMs } in integer milliseconds`,
  )
}

function deadLettersOf(topic: string, onError: OnRecordError): string[] {
  if (onError === 'fail' || onError === 'skip') return []
  const deadLetter = (onError as Partial<typeof onError> | null)?.deadLetter
  if (deadLetter !== undefined && /^[a-zA-Z0-9._-]{1,249}$/.test(deadLetter)) return [deadLetter]
  throw invalid(
    topic,
    "onError must be 'fail', 'skip', or { deadLetter: 'topic' } with a valid topic name",
  )
}

function invalid(topic: string, problem: string): EngineError {
  return new EngineError('JOB_GRAPH_INVALID', `topic ${topic}: ${problem}`)
}
