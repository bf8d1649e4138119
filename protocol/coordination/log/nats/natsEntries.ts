// Reads of the stream of entries, and how a log comes to be: the newest generation is the one with
// the highest number, and the creation of its stream decides alone, because only one of several
// concurrent creations with different subjects can succeed.
//
// All reads are answered by the stream's leader (`allow_direct` is off). A leader that was replaced
// and does not know it yet may answer with less than there is, never with something else; a
// position is only used if the leader has just heard from a majority.

import type { StreamInfo } from '@nats-io/jetstream'
import type { Random } from '../../../runtime/random.ts'
import { randomUuid, uuidText } from '../../../runtime/random.ts'
import { CoordinationError } from '../../coordinationError.ts'
import type { LogEntry, LogIdentity } from '../coordinationLog.ts'
import { maxEntriesOfRead } from './deliveryCore.ts'
import { apiCodeOf, apiCodes } from './natsFailure.ts'
import type { NatsLink } from './natsLink.ts'
import {
  checkStreamConfig,
  type EntriesStream,
  entriesConfig,
  entriesStreamName,
  entriesStreamOf,
  generationOf,
  staleness,
  subjects,
} from './natsStreams.ts'

/** The stream as it is now; undefined if it does not exist. */
export async function lookAt(
  link: NatsLink,
  name: string,
  stream: string,
): Promise<EntriesStream | undefined> {
  const info = await streamInfo(link, stream)
  return info && entriesStreamOf(name, info)
}

async function streamInfo(link: NatsLink, stream: string): Promise<StreamInfo | undefined> {
  try {
    const what = 'look at the coordination log'
    const info = await link.api(what, (streams) => streams.info(stream))
    const problem = staleness(info)
    if (problem === undefined) return info
    throw new CoordinationError('COORDINATION_UNAVAILABLE', `cannot ${what}: ${problem}`)
  } catch (error) {
    if (apiCodeOf(error) === apiCodes.streamNotFound) return undefined
    throw error
  }
}

/** The highest generation that exists; undefined if there is no log. */
export async function newestGeneration(
  link: NatsLink,
  name: string,
): Promise<EntriesStream | undefined> {
  const names = await link.streamNames(subjects.allEntries(name))
  const generations = names.flatMap((stream) => generationOf(name, stream) ?? [])
  if (generations.length === 0) return undefined
  return await lookAt(link, name, entriesStreamName(name, Math.max(...generations)))
}

/** The newest generation with its configuration checked, which is created if there is none. */
export async function openNewest(
  link: NatsLink,
  name: string,
  replicas: number,
  random: Random,
): Promise<EntriesStream> {
  let newest = await newestGeneration(link, name)
  if (newest === undefined) {
    await createEntries(
      link,
      name,
      { generation: 1, id: uuidText(randomUuid(random)) },

      replicas,
    )
    newest = await newestGeneration(link, name)
  }
  const info = newest && (await streamInfo(link, newest.stream))
  if (!info) {
    throw new CoordinationError(
      'COORDINATION_UNAVAILABLE',
      `the stream of the coordination log ${name} does not exist yet; retry`,
    )
  }
  const opened = entriesStreamOf(name, info)
  if (opened.isSealed) throw sealedWithoutSuccessor(opened)
  checkStreamConfig(info.config, entriesConfig(name, opened.identity, replicas))
  return opened
}

/** Returns false if the generation exists with another identity: somebody else was faster. */
export async function createEntries(
  link: NatsLink,
  name: string,
  identity: LogIdentity,
  replicas: number,
): Promise<boolean> {
  try {
    await link.api('create the stream of the coordination log', (streams) =>
      streams.add(entriesConfig(name, identity, replicas)),
    )
    return true
  } catch (error) {
    if (apiCodeOf(error) === apiCodes.streamNameInUse) return false
    throw error
  }
}

function sealedWithoutSuccessor({ stream, identity }: EntriesStream): CoordinationError {
  return new CoordinationError(
    'COORDINATION_DAMAGED',
    `the stream ${stream} was sealed by a repair, and the stream of generation ` +
      `${identity.generation + 1} does not exist: repair the log from a process's copy again`,
  )
}

/** The entries from `from` to `to`, up to the first one that the stream does not have. */
export async function readEntries(
  link: NatsLink,
  { stream }: EntriesStream,
  from: number,
  to: number,
): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  for (let next = from; next <= to; next += maxEntriesOfRead) {
    const count = Math.min(maxEntriesOfRead, to - next + 1)
    const reads = Array.from({ length: count }, (_, index) => readEntry(link, stream, next + index))
    for (const entry of await Promise.all(reads)) {
      if (entry === undefined) return entries
      entries.push(entry)
    }
  }
  return entries
}

async function readEntry(
  link: NatsLink,
  stream: string,
  sequence: number,
): Promise<LogEntry | undefined> {
  try {
    const message = await link.api('read the coordination log', (streams) =>
      streams.getMessage(stream, { seq: sequence }),
    )
    return message === null ? undefined : { sequence, bytes: message.data }
  } catch (error) {
    if (apiCodeOf(error) === apiCodes.streamNotFound) return undefined
    throw error
  }
}
