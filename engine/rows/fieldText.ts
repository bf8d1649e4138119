// Converts the bytes of a field to a string. Fields repeat (an age range has nine values, an action
// four), and creating a string costs more than everything else that a job does with a row, so short
// values are cached. The cache has a fixed size: values that do not repeat evict one another.

/** Values up to this many bytes are cached; they fit two 32-bit words. */
const shortBytes = 8
const slots = 4096

const firstWords = new Int32Array(slots)
const secondWords = new Int32Array(slots)
const lengths = new Uint8Array(slots)
const texts: string[] = new Array(slots).fill('')

/** Returns `bytes[start, end)` as UTF-8 text. */
export function fieldText(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > shortBytes) return bytes.toString('utf8', start, end)
  if (length === 0) return ''
  let first = 0
  let second = 0
  const firstEnd = length > 4 ? start + 4 : end
  for (let at = start; at < firstEnd; at++) first = (first << 8) | bytes[at]!
  for (let at = firstEnd; at < end; at++) second = (second << 8) | bytes[at]!
  const slot = slotOf(first, second, length)
  if (firstWords[slot] === first && secondWords[slot] === second && lengths[slot] === length) {
    return texts[slot]!
  }
  const text = bytes.toString('utf8', start, end)
  firstWords[slot] = first
  secondWords[slot] = second
  lengths[slot] = length
  texts[slot] = text
  return text
}

function slotOf(first: number, second: number, length: number): number {
  const mixed = Math.imul(first ^ Math.imul(second, 0x85ebca6b) ^ length, 0x9e3779b1)
  return (mixed ^ (mixed >>> 15)) & (slots - 1)
}
