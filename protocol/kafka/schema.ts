// Messages and APIs: a table of fields together with the versions it is spoken in. The codec of a
// version is compiled when that version is first met and kept. One file under apis/ declares each
// API; nothing outside this folder needs to know how a table is compiled.

import { MalformedError } from '../bytes/malformed.ts'
import type { ByteReader } from '../bytes/reader.ts'
import type { ByteWriter } from '../bytes/writer.ts'
import { assert } from '../runtime/assert.ts'
import type { Fields, InputOf, OutputOf } from './fields.ts'
import type { Codec } from './primitiveCodec.ts'
import { structCodec } from './structCodec.ts'
import { includes, type VersionRange, versionRange } from './versionRange.ts'

/** Writes and reads one message in any of its versions. */
export interface MessageCodec<T, Input = T> {
  /**
   * Throws UnsupportedFieldError for a value that `version` cannot carry, TypeError or RangeError
   * for one that no version can.
   */
  encode(writer: ByteWriter, value: Input, version: number): void
  /** Every field is there, whatever the version. Throws MalformedError. */
  decode(reader: ByteReader, version: number): T
}

export interface MessageOptions {
  /** For error messages: 'Produce request'. */
  readonly name: string
  readonly versions: string
  /** First version with compact encodings and tagged fields; Infinity if none has. */
  readonly flexibleFrom: number
  /**
   * Whether bytes may follow the message: newer versions of embedded data add fields there, and some
   * clients send requests that are longer than their fields. The reader is left in front of them.
   */
  readonly mayBeFollowed: boolean
  /**
   * Whether an int64 outside the safe integers is read as the nearest of them, where it would otherwise
   * be malformed: clients send the largest int64 for "never" and for "the end". Not for what is kept.
   */
  readonly saturates?: boolean
}

export class Message<F extends Fields> implements MessageCodec<OutputOf<F>, InputOf<F>> {
  readonly name: string
  readonly fields: F
  readonly versions: VersionRange
  readonly flexibleFrom: number
  readonly #mayBeFollowed: boolean
  readonly #saturates: boolean
  readonly #codecs: Codec[] = []

  constructor(fields: F, options: MessageOptions) {
    this.fields = fields
    this.name = options.name
    this.versions = versionRange(options.versions)
    this.flexibleFrom = options.flexibleFrom
    this.#mayBeFollowed = options.mayBeFollowed
    this.#saturates = options.saturates ?? false
  }

  encode(writer: ByteWriter, value: InputOf<F>, version: number): void {
    this.#codec(version).encode(writer, value)
  }

  decode(reader: ByteReader, version: number): OutputOf<F> {
    const value = this.#codec(version).decode(reader)
    if (reader.remaining > 0 && !this.#mayBeFollowed) {
      throw new MalformedError(`${reader.remaining} bytes after ${this.name} v${version}`)
    }
    return value as OutputOf<F>
  }

  #codec(version: number): Codec {
    let codec = this.#codecs[version]
    if (codec === undefined) {
      codec = this.#compile(version)
      this.#codecs[version] = codec
    }
    return codec
  }

  #compile(version: number): Codec {
    assert(includes(this.versions, version), `${this.name} has no version ${version}`)
    return structCodec(this.fields, {
      version,
      flexible: version >= this.flexibleFrom,
      nullable: false,
      saturates: this.#saturates,
      where: `${this.name} v${version}`,
      parentVersions: this.versions,
    })
  }
}

/** One request and its response. */
export interface Api<Req = unknown, Res = unknown, ReqInput = Req, ResInput = Res> {
  readonly key: number
  /** Kafka's name: 'Produce'. */
  readonly name: string
  /** The versions served and spoken, those that are stable in Kafka 4.1. */
  readonly minVersion: number
  readonly maxVersion: number
  /** What ApiVersions tells: lower than minVersion where clients are known to need it. */
  readonly advertisedMinVersion: number
  /** First version with compact encodings and tagged fields; Infinity if none has. */
  readonly flexibleFrom: number
  readonly request: MessageCodec<Req, ReqInput>
  readonly response: MessageCodec<Res, ResInput>
}

/** What decoding a request of the API gives. */
export type RequestOf<A> = A extends { readonly request: MessageCodec<infer T, infer _> }
  ? T
  : never
/** What decoding a response of the API gives. */
export type ResponseOf<A> = A extends { readonly response: MessageCodec<infer T, infer _> }
  ? T
  : never
/** What encoding a request of the API accepts. */
export type RequestInput<A> = A extends { readonly request: MessageCodec<infer _, infer Input> }
  ? Input
  : never
/** What encoding a response of the API accepts. */
export type ResponseInput<A> = A extends { readonly response: MessageCodec<infer _, infer Input> }
  ? Input
  : never

export interface ApiDeclaration<Request extends Fields, Response extends Fields> {
  readonly key: number
  readonly name: string
  readonly versions: string
  readonly advertisedMinVersion?: number
  readonly flexibleFrom: number
  readonly request: Request
  readonly response: Response
}

export function api<const Request extends Fields, const Response extends Fields>(
  declaration: ApiDeclaration<Request, Response>,
): Api<OutputOf<Request>, OutputOf<Response>, InputOf<Request>, InputOf<Response>> {
  const { key, name, versions, flexibleFrom } = declaration
  const { from, to } = versionRange(versions)
  const advertisedMinVersion = declaration.advertisedMinVersion ?? from
  // What is advertised can be read and answered, if only with an error.
  const readable = `${advertisedMinVersion}-${to}`
  const options = { versions: readable, flexibleFrom }
  // As in Kafka: librdkafka 2.2 to 2.16 sends three bytes behind a Metadata request for all topics.
  const request = { ...options, name: `${name} request`, mayBeFollowed: true, saturates: true }
  // Whereas a response that is longer than its fields was misread, and must not be believed.
  const response = { ...options, name: `${name} response`, mayBeFollowed: false }
  return {
    key,
    name,
    minVersion: from,
    maxVersion: to,
    advertisedMinVersion,
    flexibleFrom,
    request: new Message(declaration.request, request),
    response: new Message(declaration.response, response),
  }
}
