// Histories as text: one entry a line, as JSON. For histories of real processes, and to keep one
// that has an anomaly.
//
// Contract: what is read is checked before it is used: a history that breaks the format is refused
// with the number of the line. Unknown fields are ignored, so that a recorder may note more.

import { CodedError } from '../../../protocol/runtime/codedError.ts'
import type { History, HistoryEntry } from './history.ts'

export type HistoryErrorCode = 'HISTORY_INVALID'

export class HistoryError extends CodedError<HistoryErrorCode> {}

/** Longest line that is read, in characters. */
const longestLine = 16 * 1024 * 1024

export function historyLine(entry: HistoryEntry): string {
  return `${JSON.stringify(entry)}\n`
}

export function formatHistory(history: History): string {
  return history.map(historyLine).join('')
}

/** Throws a HistoryError that names the first line which is not an entry of a history. */
export function parseHistory(text: string): History {
  const reader = new HistoryReader()
  for (const line of text.split('\n')) reader.line(line)
  return reader.history
}

/** Reads line by line what stands in a file. */
export class HistoryReader {
  readonly #entries: HistoryEntry[] = []
  /** What each operation was invoked as; undefined once it is completed. */
  readonly #kinds = new Map<number, { process: string; kind: string } | undefined>()
  #lineNumber = 0

  get history(): History {
    return this.#entries
  }

  /** Empty lines are skipped. */
  line(line: string): void {
    this.#lineNumber++
    if (line.trim() === '') return
    const entry = this.#parsed(line)
    const problem = entryProblem(entry) ?? this.#orderProblem(entry as HistoryEntry)
    if (problem !== undefined) this.#refuse(problem)
    this.#entries.push(entry as HistoryEntry)
  }

  #parsed(line: string): unknown {
    if (line.length > longestLine) this.#refuse(`is longer than ${longestLine} characters`)
    try {
      return JSON.parse(line)
    } catch (error) {
      return this.#refuse(`is not JSON: ${(error as Error).message}`, error)
    }
  }

  #refuse(problem: string, cause?: unknown): never {
    const message = `line ${this.#lineNumber} of the history ${problem}`
    throw new HistoryError('HISTORY_INVALID', message, cause)
  }

  /** An operation is invoked once, then completed at most once, by one process. */
  #orderProblem({ id, process, type, operation }: HistoryEntry): string | undefined {
    const isKnown = this.#kinds.has(id)
    const invoked = this.#kinds.get(id)
    if (type === 'invoke') {
      this.#kinds.set(id, { process, kind: operation.kind })
      return isKnown ? `invokes the operation ${id} a second time` : undefined
    }
    this.#kinds.set(id, undefined)
    if (!isKnown)
      return type === 'ok' ? undefined : `completes the operation ${id}, which was not invoked`
    if (invoked === undefined) return `completes the operation ${id} a second time`
    if (invoked.process !== process) return `completes the operation ${id} of another process`
    return invoked.kind === operation.kind
      ? undefined
      : `completes the operation ${id} as another kind`
  }
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const isOffset: Check = (value) => Number.isSafeInteger(value) && (value as number) >= -1
const isValue: Check = (value) => isText(value) || isNumber(value)
const isOneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    allowed.includes(value as string)
const isOptional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const isRecordOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check)

const isOffsets = isRecordOf(isOffset)
const isPair: Check = (value) =>
  Array.isArray(value) && value.length === 2 && isOffset(value[0]) && isValue(value[1])

const isWatermarks: Check = (value) =>
  isObject(value) &&
  ['logStartOffset', 'lastStableOffset', 'highWatermark', 'compactedTo'].every((name) =>
    isOptional(isOffset)(value[name]),
  )

/** The fields of each kind of operation. */
const fields: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  send: { partition: isText, value: isValue, offset: isOptional(isOffset) },
  poll: { records: isRecordOf(isListOf(isPair)), positions: isOptional(isOffsets) },
  commit: { group: isText, generation: isOptional(isNumber), offsets: isOffsets },
  txn: {
    steps: isListOf((step) => isStep(step)),
    end: isOneOf('commit', 'abort'),
    endTimeMs: isOptional(isNumber),
  },
  assign: { partitions: isListOf(isText), seeks: isOptional(isListOf(isText)) },
  seek: { positions: isOffsets },
  subscribe: { group: isText, topics: isListOf(isText) },
  rebalance: {
    group: isText,
    generation: isNumber,
    revoked: isListOf(isText),
    assigned: isListOf(isText),
  },
  crash: {},
  committed: { group: isText, offsets: isOffsets },
  resetOffsets: { group: isText, offsets: isOffsets },
  watermarks: { partitions: isRecordOf(isWatermarks) },
  mark: { name: isOneOf('liveness', 'caughtUp') },
}

function isStep(step: unknown): boolean {
  return (
    isObject(step) &&
    isOneOf('send', 'poll', 'commit')(step.kind) &&
    operationProblem(step) === undefined
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function entryProblem(entry: unknown): string | undefined {
  if (!isObject(entry)) return 'is not an object'
  if (!Number.isSafeInteger(entry.id)) return 'has no id'
  if (!isText(entry.process)) return 'has no process'
  if (!isOneOf('invoke', 'ok', 'fail', 'info')(entry.type)) return 'has no type'
  if (!isNumber(entry.timeMs)) return 'has no timeMs'
  if (!isOptional(isText)(entry.error)) return 'has an error that is not a text'
  return isObject(entry.operation) ? operationProblem(entry.operation) : 'has no operation'
}

function operationProblem(operation: Record<string, unknown>): string | undefined {
  const kind = String(operation.kind)
  const expected = Object.hasOwn(fields, kind) ? fields[kind]! : undefined
  if (expected === undefined) return `has an operation of the unknown kind ${kind}`
  for (const [name, check] of Object.entries(expected))
    if (!check(operation[name])) return `has an operation ${kind} whose ${name} is not valid`
  return undefined
}
