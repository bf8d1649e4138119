// The options of the taildir source, and the source made from them.

import { join } from 'node:path'
import type { ComponentConfiguration } from '../../configuration/flumeConfiguration.ts'
import {
  type OptionTable,
  type OptionValues,
  optionError,
  readOptions,
} from '../../configuration/options.ts'
import { type FileGroup, fileGroup } from './fileGroup.ts'

export const taildirOptions = {
  filegroups: { type: 'list', required: true, doc: 'names of the groups of files' },
  positionFile: {
    type: 'string',
    default: join('~', '.flume', 'taildir_position.json'),
    doc: "where each file's position is noted, as JSON",
  },
  headers: { type: 'prefix', doc: 'headers.<group>.<name>: a header of all events of the group' },
  batchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'lines in one put transaction, at most; several are under way at once, so that small ones are not slow',
  },
  maxBatchCount: {
    type: 'integer',
    default: Number.MAX_SAFE_INTEGER,
    min: 1,
    belowMin: 'default',
    doc: 'batches from one file before the others get their turn',
  },
  skipToEnd: {
    type: 'boolean',
    default: false,
    doc: 'start at the end of files for which no position is noted',
  },
  idleTimeout: {
    type: 'integer',
    default: 120_000,
    doc: 'milliseconds without new lines after which a file is closed, and a last line without line end is put',
  },
  writePosInterval: {
    type: 'integer',
    default: 3000,
    doc: 'milliseconds between writes of the position file',
  },
  backoffSleepIncrement: {
    type: 'integer',
    default: 1000,
    doc: 'by how many milliseconds the wait grows while the channel is full',
  },
  maxBackoffSleep: { type: 'integer', default: 5000, doc: 'the longest such wait' },
  cachePatternMatching: {
    type: 'boolean',
    default: true,
    doc: 'accepted for Flume configurations, without effect: directories are always listed',
  },
  byteOffsetHeader: {
    type: 'boolean',
    default: false,
    doc: "the line's offset as header byteoffset",
  },
  fileHeader: { type: 'boolean', default: false, doc: "the file's path as a header" },
  fileHeaderKey: { type: 'string', default: 'file', doc: 'the name of that header' },
  pollInterval: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'milliseconds between looks at the files while nothing comes; not in Flume',
  },
  maxLineBytes: {
    type: 'integer',
    default: 8 * 1024 * 1024,
    min: 1024,
    max: 256 * 1024 * 1024,
    doc: 'a longer line is split into several events; not in Flume',
  },
} as const satisfies OptionTable

export type TaildirOptions = OptionValues<typeof taildirOptions>

export function readTaildirOptions(
  component: ComponentConfiguration,
  resolvePath: (path: string) => string,
): { options: TaildirOptions; groups: FileGroup[] } {
  const options = readOptions(taildirOptions, component)
  // Flume ignores a group that is listed and not defined; the planner warns about it.
  const defined = options.filegroups.filter((name) =>
    component.properties.has(`filegroups.${name}`),
  )
  if (defined.length === 0) {
    throw optionError(component, 'filegroups', 'none of these groups has a filegroups.<name>')
  }
  const groups = defined.map((name) => fileGroup(component, name, resolvePath))
  if (new Set(groups.map(({ name }) => name)).size < groups.length) {
    throw optionError(component, 'filegroups', 'a group is listed twice')
  }
  return { options: { ...options, positionFile: resolvePath(options.positionFile) }, groups }
}
