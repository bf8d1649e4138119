// The version record: which batch a state is at, and which batches can be undone. Opening a state
// reads this record alone, whatever the size of the state.

import { isOldFormat } from './oldFormat.ts'
import type { StateReader } from './stateDatabase.ts'
import { damaged, StateError } from './stateError.ts'
import { versionKey } from './stateLayout.ts'
import { noVersion, type UndoLink, VersionHistory } from './versionHistory.ts'

/** The size of a state after a batch, without timers. */
export interface StateSize {
  /** Keys with a value; parts of keys are not counted. */
  readonly rows: number
  /** Bytes of encoded keys and values, including parts. */
  readonly bytes: number
}

export const emptySize: StateSize = { rows: 0, bytes: 0 }

/**
 * Sizes by version, as far as they are known: of the newest version and of those that can be
 * restored.
 */
export type StateSizes = ReadonlyMap<number, StateSize>

/** Format 1 was JSON texts under text keys; stateTransfer still reads it. */
const format = 2

interface VersionRecord {
  readonly format: number
  readonly version: number
  /** Pairs of a version and the one before it, newest first. */
  readonly undo: readonly (readonly [version: number, previous: number])[]
  /** Absent in states written by earlier releases, and for their versions. */
  readonly sizes?: readonly (readonly [version: number, rows: number, bytes: number])[]
}

export interface StoredVersion {
  readonly history: VersionHistory
  readonly sizes: StateSizes
}

export function encodeVersion(history: VersionHistory, sizes: StateSizes): Buffer {
  const undo = history.links.map(({ version, previous }) => [version, previous] as const)
  const known = [...sizes].map(([version, { rows, bytes }]) => [version, rows, bytes] as const)
  const record: VersionRecord = { format, version: history.version, undo, sizes: known }
  return Buffer.from(JSON.stringify(record))
}

/** `where` names the state in messages. Throws STATE_DAMAGED, and STATE_OLD_FORMAT for format 1. */
export async function readVersion(where: string, reader: StateReader): Promise<StoredVersion> {
  const [record] = await reader.getMany([versionKey])
  if (record !== undefined) return decodeVersion(where, record)
  if (!(await isOldFormat(reader))) {
    return { history: new VersionHistory(noVersion, []), sizes: new Map([[noVersion, emptySize]]) }
  }
  throw new StateError(
    'STATE_OLD_FORMAT',
    `the state in ${where} was written by an earlier release; convert it before opening it`,
  )
}

function decodeVersion(where: string, bytes: Uint8Array): StoredVersion {
  let record: VersionRecord
  let links: UndoLink[]
  let sizes: Map<number, StateSize>
  try {
    record = JSON.parse(Buffer.from(bytes).toString()) as VersionRecord
    links = record.undo.map(([version, previous]) => ({ version, previous }))
    sizes = new Map([[noVersion, emptySize]])
    for (const [version, rows, bytes] of record.sizes ?? []) sizes.set(version, { rows, bytes })
  } catch (cause) {
    throw damaged(where, 'its version record cannot be parsed', cause)
  }
  if (record.format !== format) {
    const message = `the state in ${where} has format ${record.format}, written by a later release`
    throw new StateError('STATE_DAMAGED', `${message}; start the job with that release`)
  }
  const history = new VersionHistory(record.version, links)
  if (history.isConsistent()) return { history, sizes }
  throw damaged(where, 'its versions do not form a chain')
}
