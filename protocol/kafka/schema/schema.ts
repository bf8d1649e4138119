// Messages and APIs: tables of fields with their versions. The codec of a version is compiled
// lazily and cached. Each API is declared in its own file (../apis/); code outside of this folder
// need not know how tables are compiled.

import { MalformedError } from '../../bytes/malformed.ts'
import type { ByteReader } from '../../bytes/reader.ts'
import type { ByteWriter } from '../../bytes/writer.ts'
import { assert } from '../../runtime/assert.ts'
import type { Fields, InputOf, OutputOf } from './fields.ts'
import type { Codec } from './primitiveCodec.ts'
import { structCodec } from './structCodec.ts'
import { includes, type VersionRange, versionRange } from './versionRange.ts'

/** Encodes and decodes one message in all its versions. */
export interface MessageCodec<T, Input = T> {
  /**
   * Throws UnsupportedFieldError for a value that `version` cannot carry, TypeError or RangeError
   * for a value that no version can carry.
   */
  encode(writer: ByteWriter, value: Input, version: number): void
  /** Returns all fields, in every version. Throws MalformedError. */
  decode(reader: ByteReader, version: number): T
}

export interface MessageOptions {
  /** Name for error messages: 'Produce request'. */
  readonly name: string
  readonly versions: string
  /** First version with compact encodings and tagged fields; Infinity if there is none. */
  readonly flexibleFrom: number
  /**
   * Whether bytes may follow the message: newer versions of embedded data add fields there, and
   * some clients send extra bytes. The reader is left before them.
   */
  readonly mayBeFollowed: boolean
  /**
   * Whether an int64 outside of the safe integers is clamped instead of malformed: clients send the
   * largest int64 for "never" and for "the end". Not for stored values.
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

/** A request and its response. */
export interface Api<Req = unknown, Res = unknown, ReqInput = Req, ResInput = Res> {
  readonly key: number
  /** Kafka's name, such as 'Produce'. */
  readonly name: string
  /** Versions that are served and sent: those stable in Kafka 4.1. */
  readonly minVersion: number
  readonly maxVersion: number
  /** Minimum version in ApiVersions: lower than minVersion where clients are known to need it. */
  readonly advertisedMinVersion: number
  /** First version with compact encodings and tagged fields; Infinity if there is none. */
  readonly flexibleFrom: number
  readonly request: MessageCodec<Req, ReqInput>
  readonly response: MessageCodec<Res, ResInput>
}

/** Decoded request of the API. */
export type RequestOf<A> = A extends { readonly request: MessageCodec<infer T, infer _> }
  ? T
  : never
/** Decoded response of the API. */
export type ResponseOf<A> = A extends { readonly response: MessageCodec<infer T, infer _> }
  ? T
  : never
/** Input for encoding a request of the API. */
export type RequestInput<A> = A extends { readonly request: MessageCodec<infer _, infer Input> }
  ? Input
  : never
/** Input for encoding a response of the API. */
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
  // Every advertised version can be decoded and answered, if only with an error.
  const readable = `${advertisedMinVersion}-${to}`
  const options = { versions: readable, flexibleFrom }
  // As in Kafka: librdkafka 2.2 to 2.16 sends three extra bytes after a Metadata request for all
  // topics.
  const request = { ...options, name: `${name} request`, mayBeFollowed: true, saturates: true }
  // A response with extra bytes was misread, and must be refused.
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
