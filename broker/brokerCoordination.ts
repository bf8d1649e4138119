// The coordination that a broker stands on, as its configuration says: embedded, in its first data
// directory, or over NATS, which it shares with other brokers, agents and jobs. A broker that
// changes from one to the other takes its metadata along.

import { join } from 'node:path'
import type { Coordination } from '../protocol/coordination/coordination.ts'
import { openEmbeddedCoordination } from '../protocol/coordination/embeddedCoordination.ts'
import { openNatsCoordination } from '../protocol/coordination/natsCoordination.ts'
import { type NatsPlan, planNats } from '../protocol/coordination/natsOptions.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'
import type { OpenKeyValueStore } from '../protocol/runtime/store/keyValueStore.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import type { BrokerConfig } from './configuration/brokerOptions.ts'
import { coordinationTexts } from './configuration/coordinationOptions.ts'
import { embeddedMetadata } from './controller/metadata/embeddedMetadata.ts'
import type { OtherMetadata } from './controller/metadata/metadataLog.ts'
import { releasedMetadata } from './controller/metadata/releasedMetadataLog.ts'

export interface CoordinationOptions {
  readonly runtime: Runtime
  readonly logger: Logger
  readonly config: BrokerConfig
  /** The first data directory. */
  readonly metadataIn: string
  /** Frees space for a write that found none; resolves with false if there is none to free. */
  readonly makeRoom: () => Promise<boolean>
  readonly openStore: OpenKeyValueStore
}

export interface BrokerCoordination {
  readonly coordination: Coordination
  /** Whether other brokers, agents and jobs are part of it. */
  readonly isShared: boolean
  /** Metadata that were this broker's before, to be moved into the tree. */
  readonly others: readonly OtherMetadata[]
}

/** Names in the first data directory. */
const embeddedName = '__coordination'
const copyName = '__coordination_copy'
const releasedName = '__metadata'

export async function openBrokerCoordination(
  options: CoordinationOptions,
): Promise<BrokerCoordination> {
  const { runtime, config, metadataIn, openStore } = options
  const { disk, random } = runtime
  const readFile = async (path: string) => await textOf(options, path)
  const plan = await planNats(coordinationTexts(config), readFile)
  const other = (name: string) => `${name} of broker ${config['node.id']}`
  const directory = join(metadataIn, releasedName)
  const released = releasedMetadata({ name: other(releasedName), directory, disk, openStore })
  if (plan === undefined) {
    return { coordination: await openEmbedded(options), isShared: false, others: [released] }
  }
  const embedded = embeddedMetadata({
    ...{ name: other(embeddedName), directory: join(metadataIn, embeddedName), disk },
    random: random.fork('metadata move'),
    open: () => openEmbedded(options),
    movedTo: `the coordination log ${plan.logName} at ${plan.settings.servers.join(', ')}`,
  })
  const coordination = await openNats(options, plan)
  return { coordination, isShared: true, others: [embedded, released] }
}

function openEmbedded(options: CoordinationOptions): Promise<Coordination> {
  const { runtime, logger, config, metadataIn, makeRoom, openStore } = options
  return openEmbeddedCoordination({
    ...{ runtime, logger, makeRoom, openStore, name: nameOf(config) },
    directory: join(metadataIn, embeddedName),
  })
}

function openNats(options: CoordinationOptions, plan: NatsPlan): Promise<Coordination> {
  const { runtime, logger, config, metadataIn, openStore } = options
  return openNatsCoordination({
    ...{ runtime, logger, plan, name: nameOf(config) },
    copy: { directory: join(metadataIn, copyName), openStore },
  })
}

function nameOf(config: BrokerConfig): string {
  return `broker ${config['node.id']}`
}

async function textOf({ runtime }: CoordinationOptions, path: string): Promise<string> {
  const content = await runtime.disk.readFile(path)
  if (content === undefined) throw new Error('the file does not exist')
  return content.toString()
}
