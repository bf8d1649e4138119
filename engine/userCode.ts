// Errors of a job's own functions, with what leads the author to the cause: the record or key being
// processed, and the line of the job that threw. The original error is kept as the cause, with its
// stack.

import { fileURLToPath } from 'node:url'
import { MalformedError } from '../protocol/bytes/malformed.ts'
import { EngineError } from './engineError.ts'

/** Maximum bytes of a value or key in a message. */
const shownBytes = 200
const root = fileURLToPath(new URL('..', import.meta.url))
/**
 * Stack frames in these folders belong to the engine. Jobs that come with Millrace count as users'
 * code.
 */
const ownFolders = [`${root}engine/`, `${root}protocol/`]
const shippedJobs = `${root}engine/jobs/`

/** The record that a scanner is pushing. */
export interface RecordInHand {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly value: Uint8Array | undefined
}

export function failedAtRecord(error: unknown, record: RecordInHand): EngineError {
  const { topic, partition, offset, value } = record
  const place = `${what(error)} at ${topic}-${partition} offset ${offset}`
  const shown = value === undefined ? '' : `, value ${excerptOfBytes(value)}`
  const code = error instanceof MalformedError ? 'RECORD_INVALID' : 'USER_CODE_FAILED'
  return new EngineError(code, place + shown, error, place)
}

/** `operator`: its kind and the uid of its state. */
export function failedAtKey(error: unknown, operator: string, key: unknown): EngineError {
  const place = `${what(error)} in ${operator}`
  const message = `${place}, at key ${excerpt(String(key))}`
  return new EngineError('USER_CODE_FAILED', message, error, place)
}

/** `where` names the function of the job. */
export function failedIn(where: string, error: unknown): EngineError {
  return new EngineError('USER_CODE_FAILED', `${where} failed with ${what(error)}`, error)
}

/** Adds the line of the job that threw; returns all other errors unchanged. */
export function withUserFrame(error: unknown): unknown {
  if (error instanceof EngineError || !(error instanceof Error)) return error
  if (userFrame(error) === undefined) return error
  return new EngineError('USER_CODE_FAILED', what(error), error)
}

/** Quotes a text on one line, shortened, and without control characters for a terminal. */
export function excerpt(text: string, length = text.length): string {
  const isCut = text.length > shownBytes || length > text.length
  const quoted = JSON.stringify(text.slice(0, shownBytes)).replace(unprintable, escaped)
  return isCut ? `${quoted}... (${length} in all)` : quoted
}

function excerptOfBytes(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.subarray(0, shownBytes)).toString('utf8')
  return excerpt(shown, bytes.length > shownBytes ? bytes.length : shown.length)
}

/** C1 controls, line separators and direction changes, which JSON does not escape. */
const unprintable = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

function what(error: unknown): string {
  if (!(error instanceof Error)) return `${printed(error)} was thrown`
  const frame = userFrame(error)
  const name = error.name === 'Error' ? error.constructor.name : error.name
  return `${name}: ${error.message}${frame === undefined ? '' : ` (${frame})`}`
}

function printed(thrown: unknown): string {
  try {
    return excerpt(String(thrown))
  } catch {
    return 'a value that cannot be printed'
  }
}

/** Returns `file:line:column` of the innermost frame outside of this program. */
export function userFrame({ stack }: Error): string | undefined {
  for (const line of stack?.split('\n') ?? []) {
    const [, place, position] =
      /^ *at (?:.*\()?((?:file:\/\/)?\/.*?)(:\d+:\d+)\)?$/.exec(line) ?? []
    if (place === undefined || place.includes('/node_modules/')) continue
    const path = pathOf(place)
    const isOurs = ownFolders.some((folder) => path.startsWith(folder))
    if (!isOurs || path.startsWith(shippedJobs)) return path + position
  }
  return undefined
}

/** A frame names its module by URL or by path. */
function pathOf(place: string): string {
  if (!place.startsWith('file:')) return place
  try {
    return fileURLToPath(place)
  } catch {
    return place
  }
}
