// Finds the key that was meant by one with a typing mistake.

/** Mistakes allowed: one for each of so many characters. */
const charactersPerMistake = 6
const leastMistakes = 2

/** The candidate nearest to `key`, if it is near enough to be what was meant. */
export function nearKey(key: string, candidates: Iterable<string>): string | undefined {
  const most = Math.max(leastMistakes, Math.floor(key.length / charactersPerMistake))
  let nearest: string | undefined
  let least = most + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - key.length) >= least) continue
    const mistakes = distance(key.toLowerCase(), candidate)
    if (mistakes >= least) continue
    least = mistakes
    nearest = candidate
  }
  return nearest
}

/** Characters missing, added, changed, or swapped with a neighbour (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(changed, previous[j]! + 1, row[j - 1]! + 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (isSwap) row[j] = Math.min(row[j]!, beforePrevious[j - 2]! + 1)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}
