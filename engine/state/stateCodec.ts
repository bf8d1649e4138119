// How the values of a state become bytes. The name of the codec is part of a job's contract: a state is
// never read with another codec than the one that wrote it.

/** How the values of a state are stored. */
export interface StateCodec<Value = unknown> {
  /** Names the format, with its version: `v8`, `order-totals-2`. At most 100 characters. */
  readonly name: string
  /** Returns the bytes to store. */
  encode(value: Value): Uint8Array
  /** `bytes` are the caller's own only until `decode` returns. */
  decode(bytes: Uint8Array): Value
}
