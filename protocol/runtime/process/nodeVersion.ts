// Checks the version of Node against `engines` of package.json. Imports nothing and uses only old
// syntax: it must run on a Node that is too old for the rest of the program.

/**
 * Returns a message when the version `running` is not in `range`, such as `^22.18.0 || >=24.0.0`;
 * undefined when it is.
 */
export function nodeProblem(running: string, range: string): string | undefined {
  const alternatives = range.split('||').map((alternative) => alternative.trim())
  if (alternatives.some((alternative) => isWithin(running, alternative))) return undefined
  return `Node ${alternatives.map(inWords).join(', or ')} is required, but this is ${running}`
}

/** `alternative` is `>=A.B.C`, or `^A.B.C` for the same major version. */
function isWithin(running: string, alternative: string): boolean {
  const needed = numbersOf(alternative)
  const found = numbersOf(running)
  if (alternative.startsWith('^') && found[0] !== needed[0]) return false
  for (const [index, part] of needed.entries()) {
    const difference = (found[index] ?? 0) - part
    if (difference !== 0) return difference > 0
  }
  return true
}

function inWords(alternative: string): string {
  const [major, minor = 0, patch = 0] = numbersOf(alternative)
  const least = patch > 0 ? `${major}.${minor}.${patch}` : minor > 0 ? `${major}.${minor}` : major
  return alternative.startsWith('^') ? `${least} or a newer ${major}` : `${least} or newer`
}

function numbersOf(version: string): readonly number[] {
  return (/\d+(?:\.\d+)*/.exec(version)?.[0] ?? '').split('.').map(Number)
}
