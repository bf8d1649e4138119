// The options of the taildir source under Flume's names, and the file groups that they define.

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
  filegroups: {
    type: 'list',
    required: true,
    doc: 'Names of the file groups, separated by spaces.',
  },
  positionFile: {
    type: 'string',
    default: join('~', '.flume', 'taildir_position.json'),
    doc: "Path of the position file, in Flume's JSON format. A second file beside it, with .millrace appended to its name, holds what that format cannot.",
  },
  headers: {
    type: 'prefix',
    doc: 'headers.<group>.<name>: value of a header that every event of the group gets.',
  },
  batchSize: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'Maximum number of lines in one put transaction. Several transactions are in flight at once, so small ones are not slow.',
  },
  maxBatchCount: {
    type: 'integer',
    default: Number.MAX_SAFE_INTEGER,
    min: 1,
    belowMin: 'default',
    doc: 'Maximum number of batches read from one file before the next file is read.',
  },
  skipToEnd: {
    type: 'boolean',
    default: false,
    doc: 'Whether to start at the end of files that exist when the source starts and have no recorded position.',
  },
  idleTimeout: {
    type: 'integer',
    default: 120_000,
    doc: 'Time without new lines after which a file is closed and its last line is put even without a line end, in ms.',
  },
  writePosInterval: {
    type: 'integer',
    default: 3000,
    doc: 'Interval between writes of the position file, in ms.',
  },
  backoffSleepIncrement: {
    type: 'integer',
    default: 1000,
    doc: 'Increment of the wait after each put that the channel refuses, in ms.',
  },
  maxBackoffSleep: {
    type: 'integer',
    default: 5000,
    doc: 'Maximum wait after a put that the channel refuses, in ms.',
  },
  cachePatternMatching: {
    type: 'boolean',
    default: true,
    doc: 'Accepted without effect: directories are always listed.',
  },
  byteOffsetHeader: {
    type: 'boolean',
    default: false,
    doc: 'Whether to add the offset of the line in the file, in bytes, as the header byteoffset.',
  },
  fileHeader: {
    type: 'boolean',
    default: false,
    doc: 'Whether to add the path of the file as a header.',
  },
  fileHeaderKey: {
    type: 'string',
    default: 'file',
    doc: 'Name of the header that fileHeader adds.',
  },
  pollInterval: {
    type: 'integer',
    default: 100,
    min: 1,
    doc: 'Interval between reads of active files, in ms. Other files are checked for changes at this interval or, if longer, every 2 ms per followed file, at most every 5000 ms. Not in Flume.',
  },
  maxLineBytes: {
    type: 'integer',
    default: 8 * 1024 * 1024,
    min: 1024,
    max: 256 * 1024 * 1024,
    doc: 'Maximum size of a line, in bytes; a longer line is split into several events. Not in Flume.',
  },
} as const satisfies OptionTable

export type TaildirOptions = OptionValues<typeof taildirOptions>

export function readTaildirOptions(
  component: ComponentConfiguration,
  resolvePath: (path: string) => string,
): { options: TaildirOptions; groups: FileGroup[] } {
  const options = readOptions(taildirOptions, component)
  // Flume ignores a group that is listed but not defined; the planner warns about it.
  const defined = options.filegroups.filter((name) =>
    component.properties.has(`filegroups.${name}`),
  )
  if (defined.length === 0) {
    throw optionError(
      component,
      'filegroups',
      'none of these groups is defined: set filegroups.<name>',
    )
  }
  const groups = defined.map((name) => fileGroup(component, name, resolvePath))
  if (new Set(groups.map(({ name }) => name)).size < groups.length) {
    throw optionError(component, 'filegroups', 'a group is listed twice')
  }
  return { options: { ...options, positionFile: resolvePath(options.positionFile) }, groups }
}
