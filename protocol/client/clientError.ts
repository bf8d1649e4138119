// Failures of the client itself; a broker's are KafkaError, the network's NetworkError. Also
// decides, in one place, which of these three are retriable.

import { KafkaError } from '../kafka/errors.ts'
import { CodedError } from '../runtime/codedError.ts'
import { NetworkError } from '../runtime/network/network.ts'

/** Codes of ClientError. */
export type ClientErrorCode =
  /** The client was closed before the request completed. */
  | 'CLIENT_CLOSED'
  /** A queue of the client is full: await earlier requests before sending more. */
  | 'TOO_MANY_REQUESTS'
  /** Broker and client support no common version of an API. */
  | 'NO_COMMON_VERSION'
  /** A response could not be decoded, or does not match its request. */
  | 'MALFORMED_RESPONSE'
  /** A batch was not acknowledged within deliveryTimeoutMs; it may have been stored. */
  | 'DELIVERY_TIMEOUT'
  /** The topic was deleted and another one was created with the same name. */
  | 'TOPIC_RECREATED'
  /** A record is larger than maxBufferedBytes of its producer. */
  | 'RECORD_TOO_LARGE'
  /** Two loops iterate one consumer at the same time. */
  | 'CONSUMER_BUSY'

/** A failure of the client itself; a broker's is a KafkaError, the network's a NetworkError. */
export class ClientError extends CodedError<ClientErrorCode> {}

/** Whether a retry may succeed, with a new connection, fresh metadata or after some time. */
export function isRetriableFailure(error: unknown): boolean {
  if (error instanceof NetworkError) return true
  return error instanceof KafkaError && error.isRetriable
}
