// The client's own failures, beside a broker's (KafkaError) and the network's (NetworkError), and
// the one place that says which of all these may pass when the same thing is tried again.

import { KafkaError } from '../kafka/errors.ts'
import { CodedError } from '../runtime/codedError.ts'
import { NetworkError } from '../runtime/network.ts'

/** Why a client failed by itself. */
export type ClientErrorCode =
  /** Was closed while, or before, it was asked for something. */
  | 'CLIENT_CLOSED'
  /** More requests wait for one connection than its bound allows. */
  | 'TOO_MANY_REQUESTS'
  /** Broker and client have no version of an API in common. */
  | 'NO_COMMON_VERSION'
  /** What came back is not an answer to what was asked. */
  | 'MALFORMED_RESPONSE'
  /** A batch could not be delivered within deliveryTimeoutMs; it may still have been stored. */
  | 'DELIVERY_TIMEOUT'
  /** The topic was deleted, and another one was created under its name. */
  | 'TOPIC_RECREATED'
  /** A record alone is larger than the memory that the producer may use. */
  | 'RECORD_TOO_LARGE'
  /** Two loops at once over one consumer. */
  | 'CONSUMER_BUSY'

/** A failure of the client itself, beside a broker's and the network's. */
export class ClientError extends CodedError<ClientErrorCode> {}

/** True for what a new connection, fresh metadata or the passing of time may cure. */
export function isRetriableFailure(error: unknown): boolean {
  if (error instanceof NetworkError) return true
  return error instanceof KafkaError && error.isRetriable
}
