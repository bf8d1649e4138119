// Checks in one pass, without allocation, whether the records of a batch are valid and ordinary:
// the broker does this for every record from a client. RecordCursor decides all other batches and
// reports errors; it is seven times slower.

/** Figures over all records of a batch. */
export interface RecordScan {
  /** In ms, relative to the base timestamp of the batch. */
  readonly smallestTimestampDelta: number
  readonly largestTimestampDelta: number
  readonly nullKeys: number
}

/**
 * Minimum record size: length, attributes, two deltas, lengths of key and value, number of headers.
 */
const shortestRecordBytes = 7
/** Upper bound of a four-byte varint; longer ones are left to RecordCursor. */
const fourByteLimit = 2 ** 28

/**
 * Scans `bytes[start, end)`, which is uncompressed. Returns undefined unless it holds exactly
 * `count` records, at least one, each with its claimed length, with offset deltas 0, 1, 2 and so
 * on. Returns undefined as well for rare valid input: timestamps more than 37 hours from the base
 * timestamp, more than 63 headers in a record, headers over 8 KiB, a record over 128 MiB.
 */
export function scanRecords(
  bytes: Buffer,
  start: number,
  end: number,
  count: number,
): RecordScan | undefined {
  // Varints are decoded inline: V8 does not inline a helper with two results, and every varint
  // would pay for the call. Most have one byte, which costs one comparison. Reads beyond `end` are
  // harmless: their results are used only if the record ends at its claimed length.
  if (count < 1) return undefined
  let at = start
  // Integers, not infinities: V8 would use floating-point comparisons for every record.
  let smallest = fourByteLimit
  let largest = -fourByteLimit
  /** Zigzag-encoded timestamp delta of the previous record: many records of a batch share it. */
  let encodedTimestamp = -1
  let nullKeys = 0
  for (let delta = 0; delta < count; delta++) {
    if (end - at < shortestRecordBytes) return undefined
    let length = bytes[at++]!
    if (length > 0x7f) {
      length = (length & 0x7f) | (bytes[at++]! << 7)
      if (length > 0x3fff) {
        length = (length & 0x3fff) | (bytes[at++]! << 14)
        if (length > 0x1fffff) length = (length & 0x1fffff) | (bytes[at++]! << 21)
        if (length >= fourByteLimit) return undefined
      }
    }
    const recordEnd = at + (length >>> 1)
    if ((length & 1) === 1 || recordEnd > end) return undefined
    at++ // attributes, none of which is in use

    let timestamp = bytes[at++]!
    if (timestamp > 0x7f) {
      timestamp = (timestamp & 0x7f) | (bytes[at++]! << 7)
      if (timestamp > 0x3fff) {
        timestamp = (timestamp & 0x3fff) | (bytes[at++]! << 14)
        if (timestamp > 0x1fffff) timestamp = (timestamp & 0x1fffff) | (bytes[at++]! << 21)
        if (timestamp >= fourByteLimit) return undefined
      }
    }
    if (timestamp !== encodedTimestamp) {
      encodedTimestamp = timestamp
      timestamp = (timestamp >>> 1) ^ -(timestamp & 1)
      if (timestamp < smallest) smallest = timestamp
      if (timestamp > largest) largest = timestamp
    }

    let offset = bytes[at++]!
    if (offset > 0x7f) {
      offset = (offset & 0x7f) | (bytes[at++]! << 7)
      if (offset > 0x3fff) {
        offset = (offset & 0x3fff) | (bytes[at++]! << 14)
        if (offset > 0x1fffff) offset = (offset & 0x1fffff) | (bytes[at++]! << 21)
        if (offset >= fourByteLimit) return undefined
      }
    }
    if (offset !== delta << 1) return undefined

    let key = bytes[at++]!
    if (key > 0x7f) {
      key = (key & 0x7f) | (bytes[at++]! << 7)
      if (key > 0x3fff) {
        key = (key & 0x3fff) | (bytes[at++]! << 14)
        if (key > 0x1fffff) key = (key & 0x1fffff) | (bytes[at++]! << 21)
        if (key >= fourByteLimit) return undefined
      }
    }
    if ((key & 1) === 1) nullKeys++
    else at += key >>> 1
    if (at >= recordEnd) return undefined

    let value = bytes[at++]!
    if (value > 0x7f) {
      value = (value & 0x7f) | (bytes[at++]! << 7)
      if (value > 0x3fff) {
        value = (value & 0x3fff) | (bytes[at++]! << 14)
        if (value > 0x1fffff) value = (value & 0x1fffff) | (bytes[at++]! << 21)
        if (value >= fourByteLimit) return undefined
      }
    }
    if ((value & 1) === 0) at += value >>> 1
    if (at >= recordEnd) return undefined

    let headers = bytes[at++]!
    if (headers > 0x7f || (headers & 1) === 1) return undefined
    for (; headers > 0; headers -= 2) {
      if (at >= recordEnd) return undefined
      let name = bytes[at++]!
      if (name > 0x7f) name = (name & 0x7f) | (bytes[at++]! << 7)
      if (name > 0x3fff || (name & 1) === 1) return undefined
      at += name >>> 1
      if (at >= recordEnd) return undefined
      let content = bytes[at++]!
      if (content > 0x7f) content = (content & 0x7f) | (bytes[at++]! << 7)
      if (content > 0x3fff) return undefined
      if ((content & 1) === 0) at += content >>> 1
    }
    if (at !== recordEnd) return undefined
  }
  if (at !== end) return undefined
  return { smallestTimestampDelta: smallest, largestTimestampDelta: largest, nullKeys }
}
