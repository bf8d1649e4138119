// A self-contained message with its version in a leading int16: embedded messages of JoinGroup and
// SyncGroup, and the records of coordinators. Messages of APIs have their version in the request
// header instead.

import { MalformedError } from '../../bytes/malformed.ts'
import { ByteReader } from '../../bytes/reader.ts'
import { ByteWriter } from '../../bytes/writer.ts'
import type { Fields, InputOf, OutputOf } from './fields.ts'
import { Message } from './schema.ts'

export interface VersionedMessageOptions {
  readonly name: string
  /** Starting at 0. */
  readonly versions: string
  readonly flexibleFrom: number
  /** Version to write by default. */
  readonly written: number
  /**
   * Whether a newer version is decoded as ours, ignoring its additional fields. Otherwise it is
   * malformed: a newer coordinator's record must not be half understood.
   */
  readonly readsNewer: boolean
}

export class VersionedMessage<F extends Fields> {
  readonly message: Message<F>
  readonly #options: VersionedMessageOptions

  constructor(fields: F, options: VersionedMessageOptions) {
    this.#options = options
    this.message = new Message(fields, { ...options, mayBeFollowed: options.readsNewer })
  }

  encode(value: InputOf<F>, version: number = this.#options.written): Buffer {
    const writer = new ByteWriter()
    writer.int16(version)
    this.message.encode(writer, value, version)
    return writer.take()
  }

  /** Fields of type `bytes` are views of the input. Throws MalformedError. */
  decode(bytes: Uint8Array): OutputOf<F> {
    const reader = new ByteReader(bytes)
    const version = reader.int16()
    const highest = this.message.versions.to
    if (version < 0 || (version > highest && !this.#options.readsNewer)) {
      throw new MalformedError(
        `${this.#options.name}: unknown version ${version}, supported are 0 to ${highest}`,
      )
    }
    return this.message.decode(reader, Math.min(version, highest))
  }
}
