// Requests as real clients wrote them: what captured.jsonl keeps, a frame a line. It is made anew by
// node test/fuzz/capture.ts, and holds nothing but those clients' own frames about test data.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CapturedFrame {
  readonly client: string
  readonly api: string
  readonly version: number
  /** Without its length prefix; base64. */
  readonly frame: string
}

export const capturedFile = join(import.meta.dirname, 'captured.jsonl')

export function capturedFrames(): CapturedFrame[] {
  const lines = readFileSync(capturedFile, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as CapturedFrame)
}
