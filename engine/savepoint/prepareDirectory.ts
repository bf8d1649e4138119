// Prepares the directory of a job for the current code, before the job runs: decides whether the
// code may continue with the state, moves states or sets them aside, and redistributes them over
// another number of partitions. Atomic: after a crash the directory is either unchanged or ready.

import { join } from 'node:path'
import { assert } from '../../protocol/runtime/assert.ts'
import type { Disk } from '../../protocol/runtime/disk/disk.ts'
import { type Commit, CommitLog } from '../checkpoint/commitLog.ts'
import { changeDirectory, discarded, type Rename } from '../checkpoint/directoryChange.ts'
import { OffsetLog, type OffsetLogEntry } from '../checkpoint/offsetLog.ts'
import { type CodeChange, type CodeOfNow, compareCode, jobChanged } from '../contract/codeChange.ts'
import { contractOf, type StatefulOperator } from '../contract/statefulOperator.ts'
import {
  commitsFile,
  encodeOwner,
  type JobDirectory,
  type JobOwner,
  offsetsFile,
  ownerFile,
  ownerFormat,
  stateFolder,
} from '../jobDirectory.ts'
import type { StateChunks } from '../state/stateEntry.ts'
import { v8Codec } from '../state/v8Codec.ts'
import { readLogs, stateUids } from './jobLogs.ts'
import { missingStates, stateMissing } from './missingStates.ts'
import type { StateAccess } from './stateAccess.ts'

export interface PrepareOptions {
  readonly disk: Disk
  /** Locked by the caller; its logs are not open. */
  readonly directory: JobDirectory
  readonly partitions: number
  readonly now: CodeOfNow & { readonly operators: readonly StatefulOperator[] }
  readonly states: StateAccess
  /** Uids whose state the user discards. */
  readonly discard?: readonly string[] | undefined
}

export interface PreparedDirectory {
  readonly change: Exclude<CodeChange, { kind: 'refused' }>
  /** Set when states were redistributed. */
  readonly reshaped?: { readonly fromPartitions: number; readonly toPartitions: number }
}

/** States that no operator uses any more, or that were in the way of one: `uid.number`. */
const asideFolder = 'stateAside'
const newStateFolder = 'stateNew'

/** Throws JOB_CHANGED or STATE_MISSING without changing anything. */
export async function prepareDirectory(options: PrepareOptions): Promise<PreparedDirectory> {
  const { disk, directory, partitions, now, discard } = options
  const { path, owner } = directory
  const { batches, commits } = await readLogs(disk, path)
  const uids = await stateUids(disk, path)
  const change = compareCode({ before: batches.at(-1), now, stateUids: uids, discard })
  if (change.kind === 'refused') throw jobChanged(owner.name, change.problems)
  const missing = await missingStates(disk, path, owner.partitions, commits.at(-1))
  const unused = [...(discard ?? []), ...(change.kind === 'continue' ? change.removed : [])]
  const lost = missing.filter(({ uid }) => !unused.includes(uid))
  if (lost.length > 0) throw stateMissing(owner.name, path, lost)
  const isReshaped = owner.partitions !== partitions || owner.formatVersion < ownerFormat
  if (change.kind === 'same' && !isReshaped && missing.length === 0) return { change }
  const moves = movesOf(change, uids)
  const aside = new Set(change.kind === 'same' ? [] : change.stale)
  for (const { uid } of missing) {
    moves.delete(uid)
    if (uids.includes(uid)) aside.add(uid)
  }
  // Only used states are redistributed; the others are kept unchanged.
  if (isReshaped) for (const uid of uids) if (!moves.has(uid)) aside.add(uid)
  const renames = await setAside(disk, path, aside)
  if (isReshaped) {
    await spread(options, moves, commits.at(-1)?.batchId ?? -1)
    renames.push(
      { from: stateFolder, to: join(discarded, stateFolder) },
      { from: newStateFolder, to: stateFolder },
    )
  } else {
    await undoUncommitted(options, moves.keys(), batches, commits)
    for (const [uid, to] of moves) if (uid !== to) renames.push(rename(uid, join(stateFolder, to)))
  }
  const files: Record<string, Uint8Array> = {}
  if (change.kind === 'continue') files[offsetsFile] = OffsetLog.encode(ownedBy(batches, now))
  if (commits.length > 0) files[commitsFile] = CommitLog.encode(withStates(commits, moves))
  if (isReshaped) files[ownerFile] = encodeOwner(spreadOwner(owner, partitions))
  await changeDirectory(disk, path, { files, renames })
  if (!isReshaped) return { change }
  return { change, reshaped: { fromPartitions: owner.partitions, toPartitions: partitions } }
}

/**
 * Returns the batches with the newest one as if it had been planned with the current code, whose
 * operators own the state in the directory from now on. If it is not committed, this code runs it.
 */
export function ownedBy(
  batches: readonly OffsetLogEntry[],
  { code, operators }: CodeOfNow,
): OffsetLogEntry[] {
  const newest = batches.at(-1)
  if (newest === undefined) return []
  return [...batches.slice(0, -1), { ...newest, code, operators: operators.map(contractOf) }]
}

/** New uids of the used states, by their old ones. */
function movesOf(change: PreparedDirectory['change'], uids: readonly string[]) {
  const moves = new Map(uids.map((uid) => [uid, uid]))
  if (change.kind === 'same') return moves
  for (const uid of [...change.removed, ...change.stale]) moves.delete(uid)
  for (const { from, to } of change.moved) if (uids.includes(from)) moves.set(from, to)
  return moves
}

/** Returns the commits with the used states under their new uids. */
function withStates(commits: readonly Commit[], moves: ReadonlyMap<string, string>): Commit[] {
  return commits.map((commit) => {
    if (commit.states === undefined) return commit
    return { ...commit, states: commit.states.flatMap((uid) => moves.get(uid) ?? []).sort() }
  })
}

async function setAside(disk: Disk, path: string, uids: Iterable<string>): Promise<Rename[]> {
  const renames: Rename[] = []
  for (const uid of uids) {
    let number = 1
    const place = () => join(asideFolder, `${uid}.${number}`)
    while ((await disk.stat(join(path, place()))) !== undefined) number++
    renames.push(rename(uid, place()))
  }
  return renames
}

function rename(uid: string, to: string): Rename {
  return { from: join(stateFolder, uid), to }
}

/**
 * Undoes a batch that is not committed. The current code reruns it, and its windows may be due in
 * other batches: an operator that does not run in this one would keep the changes of the previous
 * code.
 */
async function undoUncommitted(
  { directory: { path }, partitions, states }: PrepareOptions,
  uids: Iterable<string>,
  batches: readonly OffsetLogEntry[],
  commits: readonly Commit[],
): Promise<void> {
  const committedId = commits.at(-1)?.batchId ?? -1
  if (batches.at(-1)?.batchId === committedId) return
  for (const uid of uids) await states.undo(join(path, stateFolder, uid), partitions, committedId)
}

/** Writes the redistributed states into a directory beside the old ones, durably. */
async function spread(
  { disk, directory: { path, owner }, partitions, states, now }: PrepareOptions,
  moves: ReadonlyMap<string, string>,
  batchId: number,
): Promise<void> {
  const directory = join(path, newStateFolder)
  await disk.remove(directory)
  await disk.makeDirectory(directory)
  // Before the first commit, all state belongs to a batch that will be rerun.
  if (batchId >= 0) {
    for (const [uid, to] of moves) {
      const place = [join(path, stateFolder, uid), owner.partitions, batchId] as const
      if (await states.isNew(...place)) continue
      const found = states.exportState(...place)
      const operator = now.operators.find((each) => each.uid === to)
      const chunks = owner.formatVersion === 1 ? converted(found, operator) : found
      await states.importState(join(directory, to), partitions, batchId, chunks)
    }
  }
  await disk.syncDirectory(directory)
  await disk.syncDirectory(path)
}

/**
 * States of format 1 are exported with the default codec. They belong to updateStateByKey (see
 * codeChange), whose values are now stored with their times, and possibly with a codec of the job's
 * own.
 */
async function* converted(
  chunks: StateChunks,
  operator: StatefulOperator | undefined,
): StateChunks {
  const codec = operator?.stateCodec
  assert(codec, 'updateStateByKey must have a codec for its states')
  for await (const chunk of chunks) {
    yield chunk.map((entry) =>
      entry.kind === 'timer'
        ? entry
        : { ...entry, value: codec.encode([v8Codec.decode(entry.value)]) },
    )
  }
}

function spreadOwner(owner: JobOwner, partitions: number): JobOwner {
  return { ...owner, partitions, formatVersion: ownerFormat }
}
