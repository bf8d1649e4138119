// Encodes Flume's AvroFlumeEvent in Avro's binary encoding, as Flume's Kafka sink and Kafka channel
// do with useFlumeEventFormat: a map of strings (the headers), then bytes (the body), and nothing
// else.

import type { Headers } from '../../event.ts'

export function encodeAvroFlumeEvent(headers: Headers, body: Uint8Array): Buffer {
  const entries = Object.entries(headers)
  const parts: Uint8Array[] = []
  if (entries.length > 0) parts.push(zigzagVarint(entries.length))
  for (const [name, value] of entries) parts.push(...text(name), ...text(value))
  // A block of no entries ends the map.
  parts.push(zigzagVarint(0), ...bytes(body))
  return Buffer.concat(parts)
}

/** Returns the maximum bytes of an encoded event besides its body. */
export function avroOverheadBytes(headers: Headers): number {
  let size = 2 * longestVarintBytes + 1
  for (const [name, value] of Object.entries(headers)) {
    size += Buffer.byteLength(name) + Buffer.byteLength(value) + 2 * longestVarintBytes
  }
  return size
}

/** Bytes of a length below 2^31. */
const longestVarintBytes = 5

function text(value: string): Uint8Array[] {
  return bytes(Buffer.from(value))
}

function bytes(value: Uint8Array): Uint8Array[] {
  return [zigzagVarint(value.length), value]
}

/** Avro's long, for a number of at least 0: doubled, then seven bits per byte, lowest first. */
function zigzagVarint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value * 2
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  out.push(rest)
  return Uint8Array.from(out)
}
