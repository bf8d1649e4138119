// Decodes Avro longs exactly. The library's own decoder reads the zigzag encoding in floating
// point: beyond 2^52 it silently returns another number.

import type { Type, types } from 'avsc'
import { MalformedError } from '../../protocol/bytes/malformed.ts'

/** Longs of up to this many bytes fit 32 bits, including zigzag. */
const shortBytes = 4
/**
 * Longs of up to this many bytes fit 49 bits, which a number represents exactly, including zigzag.
 */
const mediumBytes = 7

/**
 * Returns a type that reads longs up to 2^53 in absolute value, and throws MalformedError beyond.
 */
export function exactLong(LongType: typeof types.LongType): Type {
  const methods = {
    fromBuffer: decode,
    toBuffer: encode,
    fromJSON: (value: number) => value,
    toJSON: (value: number) => value,
    isValid: Number.isSafeInteger,
    compare: (one: number, other: number) => Math.sign(one - other),
  }
  return LongType.__with(methods, true)
}

function decode(bytes: Buffer): number {
  if (bytes.length <= shortBytes) return short(bytes)
  return bytes.length <= mediumBytes ? medium(bytes) : long(bytes)
}

function short(bytes: Buffer): number {
  let zigzag = 0
  for (let at = 0; at < bytes.length; at++) zigzag |= (bytes[at]! & 0x7f) << (7 * at)
  return (zigzag >>> 1) ^ -(zigzag & 1)
}

function medium(bytes: Buffer): number {
  let zigzag = 0
  for (let at = bytes.length - 1; at >= 0; at--) zigzag = zigzag * 128 + (bytes[at]! & 0x7f)
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
}

function long(bytes: Buffer): number {
  let zigzag = 0n
  for (let at = 0; at < bytes.length; at++) zigzag |= BigInt(bytes[at]! & 0x7f) << BigInt(7 * at)
  const value = (zigzag >> 1n) ^ -(zigzag & 1n)
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new MalformedError('an Avro long is beyond 2^53, the limit of exact numbers')
}

/** For default values of a reader's schema. */
function encode(value: number): Buffer {
  let zigzag = value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value)
  const bytes: number[] = []
  for (; zigzag >= 0x80n; zigzag >>= 7n) bytes.push(Number(zigzag & 0x7fn) | 0x80)
  bytes.push(Number(zigzag))
  return Buffer.from(bytes)
}
