// The encoding of state values. The name of the codec is part of a job's contract: a state is never
// read with a codec other than the one that wrote it.

/** Encodes and decodes the values of a state. */
export interface StateCodec<Value = unknown> {
  /** Names the format, with its version: `v8`, `order-totals-2`. At most 100 characters. */
  readonly name: string
  /** Returns the bytes to store. */
  encode(value: Value): Uint8Array
  /** `bytes` may be reused by the caller after `decode` returns. */
  decode(bytes: Uint8Array): Value
}
