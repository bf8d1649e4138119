// NOTICE: the copyright and licence of Millrace, and the packages that it needs at run time, from
// the lock file. Packages for tests and builds are left out, because they are not distributed.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

interface LockedPackage {
  readonly version: string
  readonly license?: string
  readonly dev?: true
  readonly devOptional?: true
}

export function legalNotice(): string {
  const lock = JSON.parse(
    readFileSync(join(import.meta.dirname, '../package-lock.json'), 'utf8'),
  ) as { packages: Record<string, LockedPackage> }
  const packages = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path, { version, license = 'unknown' }]) => {
      const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)
      return { line: `  ${name} ${version}`, license }
    })
  const licenses = [...new Set(packages.map(({ license }) => license))].sort()
  const lists = licenses.flatMap((license) => {
    const own = packages.filter((one) => one.license === license).map(({ line }) => line)
    return ['', `${license}:`, '', ...new Set(own.sort())]
  })
  return `${[...head, ...lists].join('\n')}\n`
}

const head = [
  'Millrace',
  'Copyright 2026 the authors of Millrace',
  '',
  'Licensed under the Apache License, Version 2.0: see LICENSE.',
  '',
  'Apache, Kafka, Flume and Spark are trademarks of the Apache Software Foundation, which',
  'has no part in Millrace. Millrace holds no code of theirs.',
  '',
  'Millrace runs with the packages below, which npm installs beside it, and which an image built by',
  'docs/deploy/container/Dockerfile holds. Each has its licence in its own directory below node_modules; those',
  'for other platforms (@scope/name-platform) are installed only there.',
]
