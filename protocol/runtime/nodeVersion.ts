// Which versions of Node run this program, as package.json says it.

/** Why `running` is too old for a range like `>=24.6`; undefined when it is not. */
export function nodeProblem(running: string, range: string): string | undefined {
  const needed = /\d+(?:\.\d+)*/.exec(range)?.[0]
  if (needed === undefined || !isOlder(running, needed)) return undefined
  return `Node ${needed} or newer is needed, and this is ${running}`
}

function isOlder(version: string, than: string): boolean {
  const parts = version.split('.').map(Number)
  for (const [index, part] of than.split('.').map(Number).entries()) {
    const difference = (parts[index] ?? 0) - part
    if (difference !== 0) return difference < 0
  }
  return false
}
