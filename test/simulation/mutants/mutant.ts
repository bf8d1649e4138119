// A planted fault as data: a plausible mistake of a few characters or lines in production code, as
// replacements of its text. The simulator has to find each of them.
//
// A replacement whose text does not occur exactly once is an error: a mutant that does not apply
// would otherwise count as one that the simulator cannot see.

export interface Replacement {
  readonly find: string
  readonly replace: string
  /** Path from the root of the repository, if it is not the mutant's own file. */
  readonly file?: string
}

export interface Mutant {
  /** What is broken, as a sentence. Unique. */
  readonly name: string
  /** Name of the simulated system that has to find it. */
  readonly system: string
  /** Path from the root of the repository. */
  readonly file: string
  readonly replacements: readonly Replacement[]
  /** Where the idea is from: a page, a report, a KIP. */
  readonly origin: string
  /** Seeds, from 1 on, among which one has to find it. */
  readonly maxSeeds: number
  /** Why the simulator does not find it yet, for those that it is known to miss. */
  readonly missedBecause?: string
}

/** The files that the mutant changes. */
export function filesOf({ file, replacements }: Mutant): string[] {
  return [...new Set(replacements.map((replacement) => replacement.file ?? file))]
}

/** Returns the text of the file with the mutant's replacements. Throws if one does not apply. */
export function mutatedText(mutant: Mutant, file: string, text: string): string {
  return mutant.replacements
    .filter((replacement) => (replacement.file ?? mutant.file) === file)
    .reduce((before, replacement) => replaced(mutant, file, before, replacement), text)
}

function replaced(
  { name }: Mutant,
  file: string,
  text: string,
  { find, replace }: Replacement,
): string {
  const parts = text.split(find)
  if (parts.length === 2 && find !== replace) return parts.join(replace)
  const found = parts.length - 1
  throw new Error(`"${name}" does not apply to ${file}: ${found} places have the text\n${find}`)
}
