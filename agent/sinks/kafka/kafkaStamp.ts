// The stamp that a Kafka sink prepares in the channel before it sends a take: what is needed to
// build identical batches after a crash, with the same producer id and sequence numbers, so that
// the broker recognizes the batches it has; and the next sequence number of each partition.

import type { NextSequences } from '../../../protocol/client/producer/sequenceNumbers.ts'
import { AgentError } from '../../errors.ts'

/** One batch for one partition. */
export interface StampedSend {
  readonly topic: string
  readonly partition: number
  readonly baseSequence: number
  /**
   * Ascending indexes of the events in the take, counted over its batches; undefined: all events.
   */
  readonly events?: readonly number[]
  /** Set if the send carries only a part of the body of its single event. */
  readonly piece?: Piece
}

/** The bytes `[from, until)` of a body that was too large for one record. */
export interface Piece {
  readonly from: number
  readonly until: number
  /** From 1. */
  readonly number: number
  readonly of: number
}

export interface KafkaStamp {
  readonly producerId: number
  readonly producerEpoch: number
  /** Timestamp of records whose events have none. */
  readonly timestampMs: number
  readonly sends: readonly StampedSend[]
  /** The sequence numbers after this take. */
  readonly nextSequences: NextSequences
}

const formatVersion = 1

export function encodeStamp(stamp: KafkaStamp): Buffer {
  return Buffer.from(JSON.stringify({ version: formatVersion, ...stamp }))
}

export function decodeStamp(bytes: Buffer): KafkaStamp {
  const { version, ...stamp } = JSON.parse(bytes.toString())
  if (version !== formatVersion) {
    throw new AgentError(
      'CHANNEL_CORRUPT',
      `the channel has a take that a Kafka sink prepared in format ${version}, but this version reads format ${formatVersion}: drain the channel with the version that wrote it`,
    )
  }
  return stamp
}
