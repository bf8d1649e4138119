// The default data directory on every platform.

import { expect, test } from 'vitest'
import {
  type DataDependencies,
  dataLocation,
} from '../../../../protocol/runtime/process/dataLocation.ts'

const broker = { path: 'broker', pathInState: '', formerPath: 'millrace-data' }
const job = { path: 'jobs/sales', pathInState: 'sales', formerPath: 'millrace-jobs/sales' }

function dependencies(changed: Partial<DataDependencies> = {}): DataDependencies {
  return {
    platform: 'linux',
    environment: {},
    homeDirectory: '/home/ann',
    isRoot: false,
    currentDirectory: '/srv',
    exists: () => false,
    ...changed,
  }
}

const standard: readonly [string, Partial<DataDependencies>, string, string][] = [
  [
    'a user',
    {},
    '/home/ann/.local/share/millrace/broker',
    '/home/ann/.local/share/millrace/jobs/sales',
  ],
  [
    'a user with XDG_DATA_HOME',
    { environment: { XDG_DATA_HOME: '/data/ann' } },
    '/data/ann/millrace/broker',
    '/data/ann/millrace/jobs/sales',
  ],
  [
    'a relative XDG_DATA_HOME, which the specification has ignored',
    { environment: { XDG_DATA_HOME: 'data' } },
    '/home/ann/.local/share/millrace/broker',
    '/home/ann/.local/share/millrace/jobs/sales',
  ],
  [
    'root',
    { isRoot: true, environment: { XDG_DATA_HOME: '/data' }, homeDirectory: '/root' },
    '/var/lib/millrace/broker',
    '/var/lib/millrace/jobs/sales',
  ],
  [
    'a unit of systemd',
    { environment: { STATE_DIRECTORY: '/var/lib/own:/var/lib/second' } },
    '/var/lib/own',
    '/var/lib/own/sales',
  ],
  [
    'an account without a home',
    { homeDirectory: '' },
    '/srv/.local/share/millrace/broker',
    '/srv/.local/share/millrace/jobs/sales',
  ],
  [
    'macOS',
    { platform: 'darwin', homeDirectory: '/Users/ann' },
    '/Users/ann/Library/Application Support/millrace/broker',
    '/Users/ann/Library/Application Support/millrace/jobs/sales',
  ],
  [
    'root of macOS',
    { platform: 'darwin', isRoot: true },
    '/Library/Application Support/millrace/broker',
    '/Library/Application Support/millrace/jobs/sales',
  ],
  [
    'Windows',
    {
      platform: 'win32',
      environment: { LOCALAPPDATA: 'C:\\Users\\ann\\AppData\\Local' },
      currentDirectory: 'C:\\work',
    },
    'C:\\Users\\ann\\AppData\\Local\\millrace\\broker',
    'C:\\Users\\ann\\AppData\\Local\\millrace\\jobs\\sales',
  ],
]

test.each(standard)('%s', (_name, changed, brokerDirectory, jobDirectory) => {
  const around = dependencies(changed)
  expect(dataLocation(broker, around)).toEqual({ directory: brokerDirectory, isFormer: false })
  expect(dataLocation(job, around)).toEqual({ directory: jobDirectory, isFormer: false })
})

test('data of an earlier version in the current directory is kept in use', () => {
  const around = dependencies({ exists: (path) => path === '/srv/millrace-data' })
  expect(dataLocation(broker, around)).toEqual({ directory: '/srv/millrace-data', isFormer: true })
  expect(dataLocation(job, around).isFormer).toBe(false)
})

test("systemd's state directory takes precedence over data of an earlier version", () => {
  const environment = { STATE_DIRECTORY: '/var/lib/own' }
  const around = dependencies({ environment, exists: () => true })
  expect(dataLocation(broker, around)).toEqual({ directory: '/var/lib/own', isFormer: false })
})
