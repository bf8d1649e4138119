// A message that stands alone and says its version in an int16 before it: what consumers tell one
// another inside JoinGroup and SyncGroup, and what coordinators keep in their topics. Unlike an
// API's messages, whose version stands in the request header.

import { MalformedError } from '../bytes/malformed.ts'
import { ByteReader } from '../bytes/reader.ts'
import { ByteWriter } from '../bytes/writer.ts'
import type { Fields, InputOf, OutputOf } from './fields.ts'
import { Message } from './schema.ts'

export interface VersionedMessageOptions {
  readonly name: string
  /** From 0 on. */
  readonly versions: string
  readonly flexibleFrom: number
  /** The version that is written when none is asked for. */
  readonly written: number
  /**
   * Whether a version above ours is read as ours, with what it adds left alone. Where it is not,
   * such a value is malformed: what a newer coordinator wrote must not be half understood.
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
        `${this.#options.name}: version ${version}, 0 to ${highest} are known`,
      )
    }
    return this.message.decode(reader, Math.min(version, highest))
  }
}
