// Parses a Dockerfile into its instructions, in order, with continued lines joined.

export interface Instruction {
  readonly name: string
  readonly text: string
}

export function instructionsOf(dockerfile: string): Instruction[] {
  const lines = dockerfile.split('\n').filter((line) => !line.startsWith('#'))
  const whole = lines.join('\n').replaceAll('\\\n', ' ').split('\n')
  return whole
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
      if (name === undefined) throw new Error(`no instruction: ${line}`)
      return { name, text: text! }
    })
}

/** Returns the instructions of the last stage, which is the image. */
export function lastStage(instructions: readonly Instruction[]): readonly Instruction[] {
  return instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))
}

/** Returns the words of an instruction in exec form; fails for the shell form. */
export function execForm(text: string): string[] {
  const words: unknown = JSON.parse(text.slice(text.indexOf('[')))
  if (!Array.isArray(words) || words.some((word) => typeof word !== 'string')) {
    throw new Error(`not in exec form: ${text}`)
  }
  return words
}

/** Parses `A=1 B=2`, as in ENV. */
export function environmentOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text
      .trim()
      .split(/\s+/)
      .map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  )
}
