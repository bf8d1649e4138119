// Suggests the known name that a misspelt name was meant to be: the nearest one by edit distance,
// if a typing mistake explains the difference.

/**
 * Returns the known name nearest to `text`, ignoring case, with at most one edit per four letters;
 * undefined if none is near.
 */
export function nearestName(text: string, known: Iterable<string>): string | undefined {
  const wanted = text.toLowerCase()
  let nearest: string | undefined
  let least = Math.min(3, Math.floor(text.length / 4)) + 1
  for (const name of known) {
    if (Math.abs(name.length - text.length) >= least) continue
    const distance = editDistance(wanted, name.toLowerCase())
    if (distance < least) {
      least = distance
      nearest = name
    }
  }
  return nearest
}

/** Returns `: did you mean X?` for a message, or an empty string if no known name is near. */
export function suggestion(text: string, known: Iterable<string>): string {
  const nearest = nearestName(text, known)
  return nearest === undefined ? '' : `: did you mean ${nearest}?`
}

/** Insertions, deletions, replacements and swaps of neighbours that make one text of the other. */
function editDistance(one: string, other: string): number {
  const rows = [Array.from({ length: other.length + 1 }, (_, column) => column)]
  for (let row = 1; row <= one.length; row++) {
    const current = [row]
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1]
      let cost = Math.min(
        rows[row - 1]![column]! + 1,
        current[column - 1]! + 1,
        rows[row - 1]![column - 1]! + (isSame ? 0 : 1),
      )
      const isSwapped =
        row > 1 &&
        column > 1 &&
        one[row - 1] === other[column - 2] &&
        one[row - 2] === other[column - 1]
      if (isSwapped) cost = Math.min(cost, rows[row - 2]![column - 2]! + 1)
      current.push(cost)
    }
    rows.push(current)
  }
  return rows[one.length]![other.length]!
}
