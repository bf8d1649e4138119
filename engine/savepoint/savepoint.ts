// A savepoint: the complete contents of a job after a committed batch, in a directory of its own.
// Atomic: written under a temporary name, synced and renamed. It must never be changed afterwards.
//
// `manifest` is one frame of JSON (see Manifest); the state of each operator has a file.

import { createHash } from 'node:crypto'
import { basename, dirname, join } from 'node:path'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { type Commit, decodeCommit } from '../checkpoint/commitLog.ts'
import { encodeEntry, readEntries } from '../checkpoint/entryFormat.ts'
import { decodeEntry, isOperator, type OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import type { OperatorContract } from '../contract/statefulOperator.ts'
import { EngineError } from '../engineError.ts'
import type { StateChunks } from '../state/stateEntry.ts'
import { readStateFile, type StateFileSize, writeStateFile } from './stateFile.ts'

export interface Manifest {
  readonly formatVersion: number
  /** Version of Millrace that wrote it. */
  readonly millrace: string
  /** Name of the job. */
  readonly job: string
  readonly partitions: number
  /**
   * The batches that windows may still read, oldest first. The savepoint is as of the last one, and
   * has its positions, topic ids, watermarks and code version.
   */
  readonly batches: readonly OffsetLogEntry[]
  /** Commit of the last batch. */
  readonly commit: Commit
  readonly states: readonly SavedState[]
}

export interface SavedState extends StateFileSize {
  readonly operator: OperatorContract
  readonly file: string
}

export interface Savepoint {
  readonly path: string
  /** Hash of the manifest; identifies the savepoint. */
  readonly id: string
  readonly manifest: Manifest
}

export interface SavedJob extends Omit<Manifest, 'formatVersion' | 'states'> {
  readonly operators: readonly OperatorContract[]
}

const formatVersion = 1
const manifestFile = 'manifest'

/**
 * Writes a savepoint. `stateOf` returns undefined for a state on which no batch has run; it is
 * omitted, and starts empty. Rejects with SAVEPOINT_INVALID when `path` exists.
 */
export async function writeSavepoint(
  disk: Disk,
  path: string,
  { operators, ...saved }: SavedJob,
  stateOf: (operator: OperatorContract) => Promise<StateChunks | undefined>,
): Promise<Savepoint> {
  if ((await disk.stat(path)) !== undefined) {
    throw invalid(path, 'the path already exists; give the savepoint another name')
  }
  const temporary = join(dirname(path), `.${basename(path)}.tmp`)
  await disk.makeDirectory(dirname(path))
  await disk.remove(temporary)
  await disk.makeDirectory(temporary)
  try {
    const states = await writeStates(disk, temporary, operators, stateOf)
    const manifest: Manifest = { formatVersion, ...saved, states }
    const content = encodeEntry(Buffer.from(JSON.stringify(manifest)))
    await disk.writeFileAtomic(join(temporary, manifestFile), content)
    await disk.rename(temporary, path)
    await disk.syncDirectory(dirname(path))
    return { path, id: idOf(content), manifest }
  } catch (error) {
    // Best effort, so that a full disk is freed; the next savepoint of this name removes remaining
    // files.
    await disk.remove(temporary).catch(() => {})
    throw error
  }
}

async function writeStates(
  disk: Disk,
  directory: string,
  operators: readonly OperatorContract[],
  stateOf: (operator: OperatorContract) => Promise<StateChunks | undefined>,
): Promise<SavedState[]> {
  const states: SavedState[] = []
  for (const operator of operators) {
    const state = await stateOf(operator)
    if (state === undefined) continue
    const file = `${operator.uid}.state`
    states.push({ operator, file, ...(await writeStateFile(disk, join(directory, file), state)) })
  }
  return states
}

/** Reads the manifest, and verifies all other files. Rejects with SAVEPOINT_INVALID. */
export async function openSavepoint(disk: Disk, path: string): Promise<Savepoint> {
  const content = await disk.readFile(join(path, manifestFile))
  if (content === undefined) throw invalid(path, 'it has no manifest; give the path of a savepoint')
  const manifest = decodeManifest(path, content)
  for (const state of manifest.states) for await (const _chunk of readState(disk, path, state));
  return { path, id: idOf(content), manifest }
}

/** Yields the entries of an operator's state. Throws SAVEPOINT_INVALID when they are damaged. */
export async function* readState(
  disk: Disk,
  path: string,
  { file, bytes, entries }: SavedState,
): StateChunks {
  try {
    yield* readStateFile(disk, join(path, file), { bytes, entries })
  } catch (cause) {
    throw invalid(path, `its file ${file} is damaged (${(cause as Error).message}); ${copy}`, cause)
  }
}

function decodeManifest(path: string, content: Buffer): Manifest {
  const { entries, soundBytes } = readEntries(content)
  if (entries.length !== 1 || soundBytes !== content.length) {
    throw invalid(path, `its manifest is damaged; ${copy}`)
  }
  const manifest = parsed(entries[0]!)
  if (typeof manifest.formatVersion === 'number' && manifest.formatVersion > formatVersion) {
    throw invalid(
      path,
      `it was written by Millrace ${manifest.millrace} in format ${manifest.formatVersion}, and this version reads up ` +
        `to format ${formatVersion}; use that version, or a newer one`,
    )
  }
  try {
    requireManifest(manifest)
  } catch (cause) {
    throw invalid(path, `its manifest is invalid (${(cause as Error).message}); ${copy}`, cause)
  }
  return manifest
}

function parsed(content: Buffer): Partial<Manifest> {
  try {
    return (JSON.parse(content.toString()) ?? {}) as Partial<Manifest>
  } catch {
    return {}
  }
}

function requireManifest(manifest: Partial<Manifest>): asserts manifest is Manifest {
  const { job, partitions, batches, commit, states } = manifest
  if (typeof job !== 'string' || !Number.isSafeInteger(partitions)) throw new TypeError('no job')
  if (!Array.isArray(batches) || batches.length === 0) throw new TypeError('no batches')
  batches.forEach(decodeEntry)
  decodeCommit(commit)
  if (!Array.isArray(states) || !states.every(isSavedState)) throw new TypeError('no states')
}

function isSavedState(value: unknown): value is SavedState {
  const { operator, file, bytes, entries } = (value ?? {}) as Partial<SavedState>
  const isSize = Number.isSafeInteger(bytes) && Number.isSafeInteger(entries)
  const isName = isOperator(operator) && /^[a-zA-Z0-9_-]+$/.test(operator.uid)
  return isName && file === `${operator.uid}.state` && isSize
}

const copy = 'restore a copy of the savepoint, or start from another one'

export function invalid(path: string, what: string, cause?: unknown): EngineError {
  return new EngineError('SAVEPOINT_INVALID', `savepoint ${path}: ${what}`, cause)
}

function idOf(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16)
}
