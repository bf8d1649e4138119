// The note that a Kafka sink prepares in the channel before it sends: enough to build identical batches
// after a crash, under the same producer id and sequence numbers, so that the broker recognizes those
// it has; and the next sequence number of each partition.

import type { NextSequences } from '../../../protocol/client/sequenceNumbers.ts'
import { AgentError } from '../../errors.ts'

/** One batch for one partition. */
export interface StampedSend {
  readonly topic: string
  readonly partition: number
  readonly baseSequence: number
  /** Which of the take's events, rising, counted over all its batches; undefined: all of them. */
  readonly events?: readonly number[]
  /** Set when the send carries a part of the body of its only event. */
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
  /** Of records whose events say nothing about their time. */
  readonly timestampMs: number
  readonly sends: readonly StampedSend[]
  /** After this take. */
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
      `a Kafka sink noted what it sent in format ${version}; this program knows ${formatVersion}: finish with the program that wrote it`,
    )
  }
  return stamp
}
