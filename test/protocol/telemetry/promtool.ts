// Runs promtool on a text in Prometheus' format.

import { spawnSync } from 'node:child_process'
import { hasTool } from '../../tools.ts'

/** Whether promtool is installed (Debian's package `prometheus`). */
export const hasPromtool = hasTool('promtool', 'prometheus')

/** Returns the complaints of `promtool check metrics` about the text; empty if it has none. */
export function checkMetrics(text: string): string {
  const { stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
  })
  if (error) throw error
  return stdout + stderr
}
