// The record that says which batch a state is of and which batches can be undone: all that is read when a
// state is opened, however large the state is.

import { isOldFormat } from './oldFormat.ts'
import type { StateReader } from './stateDatabase.ts'
import { damaged, StateError } from './stateError.ts'
import { versionKey } from './stateLayout.ts'
import { noVersion, type UndoLink, VersionHistory } from './versionHistory.ts'

/** Format 1 were JSON texts under text keys, which stateTransfer still reads. */
const format = 2

interface VersionRecord {
  readonly format: number
  readonly version: number
  /** Version and the version before it, from the newest. */
  readonly undo: readonly (readonly [version: number, previous: number])[]
}

export function encodeVersion(history: VersionHistory): Buffer {
  const undo = history.links.map(({ version, previous }) => [version, previous] as const)
  const record: VersionRecord = { format, version: history.version, undo }
  return Buffer.from(JSON.stringify(record))
}

/** `where` names the state in messages. Throws STATE_DAMAGED, and STATE_OLD_FORMAT for format 1. */
export async function readVersion(where: string, reader: StateReader): Promise<VersionHistory> {
  const [record] = await reader.getMany([versionKey])
  if (record !== undefined) return decodeVersion(where, record)
  if (!(await isOldFormat(reader))) return new VersionHistory(noVersion, [])
  throw new StateError(
    'STATE_OLD_FORMAT',
    `the state in ${where} was written by an earlier release: convert it before it is opened`,
  )
}

function decodeVersion(where: string, bytes: Uint8Array): VersionHistory {
  let record: VersionRecord
  let links: UndoLink[]
  try {
    record = JSON.parse(Buffer.from(bytes).toString()) as VersionRecord
    links = record.undo.map(([version, previous]) => ({ version, previous }))
  } catch (cause) {
    throw damaged(where, 'its version cannot be read', cause)
  }
  if (record.format !== format) {
    const message = `the state in ${where} has format ${record.format}, which a later release wrote`
    throw new StateError('STATE_DAMAGED', `${message}: start the job with that release`)
  }
  const history = new VersionHistory(record.version, links)
  if (history.isConsistent()) return history
  throw damaged(where, 'its versions do not form a chain')
}
