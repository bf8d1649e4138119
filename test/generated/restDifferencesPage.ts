// The page on how the REST API differs from Confluent's: docs/rest-differences.md.

import {
  type Difference,
  differences,
  reasons,
} from '../broker/admin/rest/v3/confluentDifferences.ts'
import { operations } from '../broker/admin/rest/v3/confluentFacts.ts'

const lead = `The paths below \`/v3\` are those of Confluent's REST API, version 3 (version 3.0.0 of its published OpenAPI
document). All of its ${Object.keys(operations).length} operations are served in its shapes, except as listed here. A test compares the OpenAPI
document with the published one, and fails for a difference that has no reason below.`

/** Differences in behaviour, which no schema shows. */
const behaviour = `## What no schema shows

- A parameter or a field that is not in the OpenAPI document is an error (400), and never ignored.
- Configurations have to be given as text; a value of null is an error. To bring the default back, delete the
  configuration.
- A record that is malformed is answered in its result, with status 200 of the request, also when it is the only one.
  A request without a record is an error (400).
- Records may also be streamed as lines (\`content-type: application/x-ndjson\`); results are lines in any case. A line
  that is no JSON costs that record alone.
- The time in the result of a record is the one it was sent with; in a topic with \`message.timestamp.type=LogAppendTime\`
  the broker stores its own.
- Numbers in data of the type \`JSON\` are stored with the digits they came with.
- The link \`partition_reassignments\` of a topic ends in \`/reassignment\`, which is the path that exists.
- Offsets of deleted topics are not in the lags of a group.
- There is no login yet, so nothing answers 401.`

export function restDifferencesPage(): string {
  const found = differences()
  const sections = reasons.map(({ title, why, isFor }) => {
    return `## ${title}\n\n${why}\n\n${table(found.filter(isFor))}`
  })
  return `<!-- Written by \`npm run docs\`: change the code, not this page. -->

# How the REST API differs from Confluent's

${lead}

${[...sections, behaviour].join('\n\n')}
`
}

function table(found: readonly Difference[]): string {
  const rows = new Map<string, string[]>()
  for (const { operation, what } of found) {
    rows.set(operation, [...(rows.get(operation) ?? []), what])
  }
  const lines = [...rows].map(([operation, whats]) => `| \`${operation}\` | ${whats.join('; ')} |`)
  return ['| operation | |', '|---|---|', ...lines].join('\n')
}
