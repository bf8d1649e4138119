// The text format of Kafka's checkpoints: a version line, a line with the number of entries, and
// one line per entry with its fields separated by spaces. Malformed text gives undefined and no
// exception: the content of a checkpoint can always be derived from the log.

const checkpointVersion = '0'

export function encodeCheckpoint(entries: readonly (readonly (string | number)[])[]): Buffer {
  const lines = [checkpointVersion, String(entries.length), ...entries.map((e) => e.join(' '))]
  return Buffer.from(`${lines.join('\n')}\n`)
}

/** The fields of each entry; undefined if the text is truncated or of another version. */
export function decodeCheckpoint(bytes: Buffer, fieldCount: number): string[][] | undefined {
  const lines = bytes.toString('utf8').split('\n')
  if (lines[0] !== checkpointVersion || !/^\d+$/.test(lines[1] ?? '')) return undefined
  const count = Number(lines[1])
  if (lines.length < count + 2) return undefined
  const entries = lines.slice(2, count + 2).map((line) => line.split(/\s+/))
  return entries.every((fields) => fields.length === fieldCount) ? entries : undefined
}
