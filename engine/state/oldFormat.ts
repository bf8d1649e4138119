// Reads states of format 1, written by the first release, to convert them: LevelDB with text keys,
//
//   version        the batch that the state belongs to
//   state KEY      the value of a key as JSON; KEY is the encoded key as JSON
//   undo BATCH     {"previous": BATCH, "entries": [[KEY, old JSON or null], ...]}
//
// The first byte of a key distinguishes the formats: here it is a letter, which format 2 never
// uses.

import type { KeyRange, StateReader } from './stateDatabase.ts'
import type { StateEntry } from './stateEntry.ts'
import { damaged, StateError } from './stateError.ts'
import { v8Codec } from './v8Codec.ts'
import { noVersion, type UndoLink, VersionHistory } from './versionHistory.ts'

const versionKey = Buffer.from('version')
const statePrefix = 'state '
const undoPrefix = 'undo '
/** The key under which a window with an inverse stored the batch in which it began. */
const sinceKey = '#since'
const groupSize = 1000

interface OldUndo {
  readonly previous: number
  readonly entries: readonly (readonly [key: string, text: string | null])[]
}

export async function isOldFormat(reader: StateReader): Promise<boolean> {
  const [version] = await reader.getMany([versionKey])
  return version !== undefined
}

/**
 * Yields the entries as of a committed batch, with values encoded by the default codec. Throws
 * STATE_UNREACHABLE when the undo records back to that batch are not kept, and
 * STATE_NOT_CONVERTIBLE for the state of a window with an inverse: the values that it subtracts
 * later were not stored.
 */
export async function* oldEntries(
  where: string,
  reader: StateReader,
  batchId: number,
): AsyncGenerator<readonly StateEntry[], void> {
  const [since] = await reader.getMany([Buffer.from(statePrefix + JSON.stringify(sinceKey))])
  if (since !== undefined) throw notConvertible(where)
  const undone = await undoneSince(where, reader, batchId)
  for await (const group of reader.entries(withPrefix(statePrefix), groupSize)) {
    const entries: StateEntry[] = []
    for (const [name, value] of group) {
      const key = parse(where, textOf(name).slice(statePrefix.length)) as string
      if (!undone.has(key)) entries.push(entryOf(where, key, textOf(value)))
    }
    if (entries.length > 0) yield entries
  }
  const restored: StateEntry[] = []
  for (const [key, text] of undone) if (text !== null) restored.push(entryOf(where, key, text))
  if (restored.length > 0) yield restored
}

/** Values of the keys changed after `batchId`, as they were then, in JSON. */
async function undoneSince(
  where: string,
  reader: StateReader,
  batchId: number,
): Promise<ReadonlyMap<string, string | null>> {
  const undos = new Map<number, OldUndo>()
  const links: UndoLink[] = []
  for await (const group of reader.entries(withPrefix(undoPrefix), groupSize)) {
    for (const [name, value] of group) {
      const version = Number(textOf(name).slice(undoPrefix.length))
      const undo = parse(where, textOf(value)) as OldUndo
      undos.set(version, undo)
      links.push({ version, previous: undo.previous })
    }
  }
  const [version] = await reader.getMany([versionKey])
  const history = new VersionHistory(version ? Number(textOf(version)) : noVersion, links)
  if (!history.isConsistent()) throw damaged(where, 'its versions do not form a chain')
  const plan = history.begin(batchId + 1)
  if (plan.kind === 'unreachable') {
    const message = `the state in ${where} is at batch ${history.version}, and batch ${batchId} is no longer kept`
    throw new StateError('STATE_UNREACHABLE', message)
  }
  const undone = new Map<string, string | null>()
  for (const newer of plan.undo) {
    for (const [key, text] of undos.get(newer)!.entries) undone.set(key, text)
  }
  return undone
}

function entryOf(where: string, key: string, text: string): StateEntry {
  return { kind: 'value', key, value: v8Codec.encode(parse(where, text)) }
}

function withPrefix(prefix: string): KeyRange {
  return { from: Buffer.from(prefix), until: Buffer.from(`${prefix}\x7f`) }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

function parse(where: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw damaged(where, 'an entry is not JSON', cause)
  }
}

function notConvertible(where: string): StateError {
  return new StateError(
    'STATE_NOT_CONVERTIBLE',
    `the state in ${where} cannot be converted: an earlier release wrote it for a window with an inverse, without the ` +
      'values that the window subtracts later; start the job in a new directory',
  )
}
