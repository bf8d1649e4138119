// A snapshot of all topics and partitions of a broker for one exposition. Label texts are kept from
// one exposition to the next; each log is read once for all families.

import { labelText } from '../../protocol/telemetry/metrics/metrics.ts'
import type { MetadataView, Topic } from '../controller/metadata/metadataView.ts'
import type { LogManager } from '../log/logManager.ts'
import type { PartitionLog } from '../log/partitionLog.ts'
import type { ReplicaManager } from '../replication/replicaManager.ts'

export interface PartitionFigures {
  readonly labels: string
  /** Undefined if the partition is offline or was never written to. */
  log: PartitionLog | undefined
  isLed: boolean
  highWatermark: number
  logStartOffset: number
  logEndOffset: number
  lastStableOffset: number
  sizeBytes: number
  segments: number
}

export interface TopicFigures {
  readonly id: string
  readonly name: string
  readonly labels: string
  readonly partitions: PartitionFigures[]
  sizeBytes: number
  segments: number
}

export interface DirectoryFigures {
  sizeBytes: number
  pendingBytes: number
  heldBytes: number
  partitions: number
}

export interface SnapshotSources {
  readonly state: Pick<MetadataView, 'topics'>
  readonly logs: Pick<LogManager, 'partitions' | 'directories'>
  readonly replicas: Pick<ReplicaManager, 'isLed'>
}

export class PartitionSnapshot {
  readonly #sources: SnapshotSources
  #topics = new Map<string, TopicFigures>()
  /** Number of partitions of all topics. */
  partitionCount = 0
  ledCount = 0
  /** Figures of data directories by path. */
  readonly directories = new Map<string, DirectoryFigures>()

  constructor(sources: SnapshotSources) {
    this.#sources = sources
  }

  get topicCount(): number {
    return this.#topics.size
  }

  topics(): Iterable<TopicFigures> {
    return this.#topics.values()
  }

  topic(name: string): TopicFigures | undefined {
    return this.#topics.get(name)
  }

  /** Takes the snapshot. */
  take(): void {
    const { state } = this.#sources
    const before = this.#topics
    this.#topics = new Map()
    for (const topic of state.topics()) {
      const known = before.get(topic.name)
      this.#topics.set(topic.name, known?.id === topic.id ? known : newTopic(topic))
    }
    this.#findLogs()
    this.partitionCount = 0
    this.ledCount = 0
    for (const topic of state.topics()) this.#look(topic, this.#topics.get(topic.name)!)
  }

  #findLogs(): void {
    const { logs } = this.#sources
    for (const { partitions } of this.#topics.values()) {
      for (const figures of partitions) figures.log = undefined
    }
    this.directories.clear()
    for (const { path } of logs.directories) {
      this.directories.set(path, { sizeBytes: 0, pendingBytes: 0, heldBytes: 0, partitions: 0 })
    }
    for (const { topic, partition, log, directory } of logs.partitions()) {
      const sizeBytes = log.size
      const figures = this.#topics.get(topic)?.partitions
      if (figures) {
        for (let next = figures.length; next <= partition; next++) {
          figures.push(newPartition(topic, next))
        }
        figures[partition]!.log = log
        figures[partition]!.sizeBytes = sizeBytes
      }
      const inDirectory = this.directories.get(directory.path)
      if (!inDirectory) continue
      inDirectory.sizeBytes += sizeBytes
      inDirectory.pendingBytes += log.pendingBytes
      inDirectory.heldBytes += log.heldBytes
      inDirectory.partitions++
    }
  }

  #look(topic: Topic, figures: TopicFigures): void {
    figures.sizeBytes = 0
    figures.segments = 0
    for (let partition = 0; partition < topic.partitions.length; partition++) {
      let each = figures.partitions[partition]
      if (!each) {
        each = newPartition(topic.name, partition)
        figures.partitions.push(each)
      }
      lookAt(each)
      each.isLed = this.#sources.replicas.isLed(topic, partition)
      if (each.isLed) this.ledCount++
      figures.sizeBytes += each.sizeBytes
      figures.segments += each.segments
    }
    this.partitionCount += topic.partitions.length
  }
}

/** An offline log keeps its last figures. */
function lookAt(figures: PartitionFigures): void {
  const { log } = figures
  if (!log) return
  figures.highWatermark = log.highWatermark
  figures.logStartOffset = log.logStartOffset
  figures.logEndOffset = log.logEndOffset
  figures.lastStableOffset = log.lastStableOffset
  figures.segments = log.segmentCount
}

function newTopic({ id, name }: Topic): TopicFigures {
  const labels = labelText({ topic: name })
  return { id, name, labels, partitions: [], sizeBytes: 0, segments: 0 }
}

function newPartition(topic: string, partition: number): PartitionFigures {
  return {
    // Copied: a concatenated string (V8 rope) would be flattened again at each write.
    labels: Buffer.from(labelText({ topic, partition })).toString(),
    log: undefined,
    isLed: true,
    highWatermark: 0,
    logStartOffset: 0,
    logEndOffset: 0,
    lastStableOffset: 0,
    sizeBytes: 0,
    segments: 0,
  }
}
