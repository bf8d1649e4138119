// The clock and the randomness that a user's code reaches through globals, replaced by seeded ones while
// a test runs it: code whose result depends on them then shows it, and shows it again for the same seed.

import type { Random } from './random.ts'

export type AmbientUse = 'clock' | 'random'

/** What code calls for either, for a message. */
export const ambientCalls: Readonly<Record<AmbientUse, string>> = {
  clock: 'Date.now() or new Date()',
  random: 'Math.random()',
}

export interface SeededGlobalsOptions {
  /** What Date.now() and new Date() say; the machine's clock unless given. */
  readonly nowMs?: (() => number) | undefined
  /** Where Math.random() and crypto.randomUUID() draw from; the machine unless given. */
  readonly random?: Random | undefined
  /** Called at each use, with the stack of the caller still below. */
  readonly onUse?: ((use: AmbientUse) => void) | undefined
}

let isReplaced = false

/**
 * Replaces Date, Math.random and crypto.randomUUID of this thread. Returns what puts them back. Throws
 * when they are replaced already: two tests at once would see each other's time.
 */
export function replaceGlobals({ nowMs, random, onUse }: SeededGlobalsOptions): () => void {
  if (isReplaced) {
    throw new Error(
      'Date and Math.random are replaced already: explorations in one thread must run one after another',
    )
  }
  isReplaced = true
  const original = { Date, random: Math.random, randomUUID: crypto.randomUUID }
  globalThis.Date = seededDate(original.Date, nowMs ?? original.Date.now, onUse)
  Math.random = () => {
    onUse?.('random')
    return random ? random.float() : original.random()
  }
  crypto.randomUUID = () => {
    onUse?.('random')
    return random ? uuidText(random.bytes(16)) : original.randomUUID.call(crypto)
  }
  return () => {
    globalThis.Date = original.Date
    Math.random = original.random
    crypto.randomUUID = original.randomUUID
    isReplaced = false
  }
}

/** A proxy and not a subclass: `Date()` without `new` is a call that a class refuses. */
function seededDate(
  original: DateConstructor,
  nowMs: () => number,
  onUse: SeededGlobalsOptions['onUse'],
): DateConstructor {
  const now = () => {
    onUse?.('clock')
    return nowMs()
  }
  return new Proxy(original, {
    construct: (target, given, newTarget) =>
      Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
    apply: (target) => new target(now()).toString(),
    get: (target, property, receiver) =>
      property === 'now' ? now : Reflect.get(target, property, receiver),
  })
}

function uuidText(bytes: Buffer): `${string}-${string}-${string}-${string}-${string}` {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  const part = (from: number, until: number) => hex.slice(from, until)
  return `${part(0, 8)}-${part(8, 12)}-${part(12, 16)}-${part(16, 20)}-${part(20, 32)}`
}
