// Requests of real clients: the frames in captured.jsonl, one per line. `node test/fuzz/capture.ts`
// writes the file, which contains only requests of these clients about test data.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface CapturedFrame {
  readonly client: string
  readonly api: string
  readonly version: number
  /** The frame without its length prefix, in base64. */
  readonly frame: string
}

export const capturedFile = join(import.meta.dirname, 'captured.jsonl')

export function capturedFrames(): CapturedFrame[] {
  const lines = readFileSync(capturedFile, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as CapturedFrame)
}
