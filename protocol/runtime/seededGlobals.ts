// Replaces the global clock and randomness with seeded ones while a test runs a user's code: a
// result that depends on them changes with the seed, and is reproducible with the same seed.

import { type Random, randomUuid, uuidText } from './random.ts'

export type AmbientUse = 'clock' | 'random'

/** The global functions of each kind, for messages. */
export const ambientCalls: Readonly<Record<AmbientUse, string>> = {
  clock: 'Date.now() or new Date()',
  random: 'Math.random()',
}

export interface SeededGlobalsOptions {
  /** Time of Date.now() and new Date(), in ms; the system clock unless given. */
  readonly nowMs?: (() => number) | undefined
  /** Source of Math.random() and crypto.randomUUID(); the system's unless given. */
  readonly random?: Random | undefined
  /** Called synchronously at each use, so that its stack trace names the caller. */
  readonly onUse?: ((use: AmbientUse) => void) | undefined
}

let isReplaced = false

/**
 * Replaces Date, Math.random and crypto.randomUUID of this thread. Returns a function that restores
 * them. Throws when they are already replaced: concurrent tests would see each other's time.
 */
export function replaceGlobals({ nowMs, random, onUse }: SeededGlobalsOptions): () => void {
  if (isReplaced) {
    throw new Error(
      'Date and Math.random are already replaced: run the explorations of one thread one after another',
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
    return random ? uuidText(randomUuid(random)) : original.randomUUID.call(crypto)
  }
  return () => {
    globalThis.Date = original.Date
    Math.random = original.random
    crypto.randomUUID = original.randomUUID
    isReplaced = false
  }
}

/** A proxy instead of a subclass, because a class cannot be called as `Date()` without `new`. */
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
